package controller

import (
	"crypto/rand"
	"crypto/x509"
	"log/slog"
	"testing"
	"time"

	"github.com/cvlan/cvlan/controller/ca"
	"github.com/cvlan/cvlan/controller/enroll"
	"github.com/cvlan/cvlan/controller/store/sqlite"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
)

// A stolen session must not become a stolen identity: a certificate is renewed for the key that the node has joined with.
func TestARenewalIsForTheKeyOfTheJoin(t *testing.T) {
	ctx := t.Context()
	db, err := sqlite.Open(ctx, sqlite.Config{Dir: t.TempDir(), Readers: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	authority, err := ca.Open(ctx, ca.Config{Keeper: db, Domain: db.Meta().TrustDomain, Controller: db.Meta().Controller})
	if err != nil {
		t.Fatal(err)
	}
	tenant, err := makeTenant(ctx, db, authority, self, ident.New[ident.Tenant](), "acme")
	if err != nil {
		t.Fatal(err)
	}
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
		f := desk.Renew(ctx, tenant.ID, node.ID, csr)
		if got := len(f.GetRenewed().GetChain()) == 2; got != c.ok || c.ok == (f.GetRefused() != nil) {
			t.Errorf("its own key: %v; the answer: %v", c.ok, f)
		}
	}
}
