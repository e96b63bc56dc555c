package controller

import (
	"crypto/rand"
	"crypto/x509"
	"log/slog"
	"testing"
	"time"

	"github.com/cvlan/cvlan/controller/enroll"
	"github.com/cvlan/cvlan/internal/base/key"
)

// A stolen session must not become a stolen identity: a certificate is renewed for the key that the node has joined with.
func TestARenewalIsForTheKeyOfTheJoin(t *testing.T) {
	db, authority, tenant := founded(t)
	node, own := joined(t, db.For(tenant.ID))
	thief, err := key.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	desk := enroll.New(enroll.Config{Store: db, Issuer: authority, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	for _, c := range []struct {
		whose key.Identity
		ok    bool
	}{{thief, false}, {own, true}} {
		csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, c.whose.Signer())
		if err != nil {
			t.Fatal(err)
		}
		f := desk.Renew(t.Context(), tenant.ID, node.ID, csr)
		if got := len(f.GetRenewed().GetChain()) == 2; got != c.ok || c.ok == (f.GetRefused() != nil) {
			t.Errorf("its own key: %v; the answer: %v", c.ok, f)
		}
	}
}
