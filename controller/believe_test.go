package controller

import (
	"crypto/rand"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/controller/ca"
	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/controller/store/sqlite"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
)

// founded opens a store and its authority, and makes a tenant.
func founded(t *testing.T) (*sqlite.Store, *ca.CA, store.Tenant) {
	t.Helper()
	ctx := t.Context()
	db, err := sqlite.Open(ctx, sqlite.Config{Dir: t.TempDir(), Readers: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	authority, err := ca.Open(ctx, ca.Config{Keeper: db, Domain: db.Meta().TrustDomain, Controller: db.Meta().Controller})
	if err != nil {
		t.Fatal(err)
	}
	tenant, err := makeTenant(ctx, db, authority, self, ident.New[ident.Tenant](), "acme")
	if err != nil {
		t.Fatal(err)
	}
	return db, authority, tenant
}

// Whoever has the key of a tenant's authority can make certificates for any node, but not with the key that the node has joined with.
func TestACertificateForAnotherKeyIsNotBelieved(t *testing.T) {
	ctx := t.Context()
	db, authority, tenant := founded(t)
	c := &Controller{cfg: Config{Now: time.Now}, store: db, ca: authority}
	node, id := joined(t, db.For(tenant.ID))
	chain := func(holder key.Identity, n ident.Node) []*x509.Certificate {
		t.Helper()
		csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, holder.Signer())
		if err != nil {
			t.Fatal(err)
		}
		ders, until, err := authority.IssueNode(ctx, tenant.ID, n, csr)
		if err != nil {
			t.Fatal(err)
		}
		var all []*x509.Certificate
		for _, der := range ders {
			one, err := x509.ParseCertificate(der)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, one)
		}
		note := store.CertificateOf(all[0], all[1])
		note.NotAfter = until
		if holder == id {
			err = db.For(tenant.ID).Renewed(ctx, n, note)
		}
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	thief, err := key.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	right := chain(id, node.ID)
	if n, err := c.verify(right); err != nil || n.Node != node.ID {
		t.Fatal("its own is not believed:", err)
	}
	if _, err := c.verify(chain(thief, node.ID)); err == nil || !strings.Contains(err.Error(), "not for the key") {
		t.Error("one for another key is believed:", err)
	}
	if _, err := c.verify(chain(thief, 77)); err != nil {
		t.Error("a node that is not there does not come as far as the hub, which would say so to it:", err)
	}
	if err := c.rotate(t, tenant.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := c.verify(right); err == nil || !strings.Contains(err.Error(), "revoked with the key") {
		t.Error("one of a key that has ended is believed:", err)
	}
	if _, err := c.verify(chain(id, node.ID)); err != nil {
		t.Error("one of the new key is not believed:", err)
	}
}

// rotate gives the tenant's authority another key and ends the one before at once. Nobody is told.
func (c *Controller) rotate(t *testing.T, id ident.Tenant) error {
	r := ca.Rotation{CA: c.ca, Store: c.store}
	if err := r.Begin(t.Context(), self, id); err != nil {
		return err
	}
	old, err := c.store.For(id).OldAuthorities(t.Context())
	if err != nil {
		return err
	}
	return r.End(t.Context(), self, id, old[0])
}

// joined is a node and its identity.
func joined(t *testing.T, h store.Handle) (store.Node, key.Identity) {
	t.Helper()
	n, err := h.CreateNetwork(t.Context(), self, store.Network{Name: "office"}, true)
	if err != nil {
		t.Fatal(err)
	}
	secret := key.NewSecret()
	k, err := h.CreateJoinKey(t.Context(), self, store.JoinKey{Network: n.ID, Hash: secret.Hash()})
	if err != nil {
		t.Fatal(err)
	}
	id, err := key.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	node, err := h.Admit(t.Context(), store.Admission{Key: k.ID, Secret: secret, Wish: "web", Identity: id.Public(), WG: key.NewWGPrivate().Public()})
	if err != nil {
		t.Fatal(err)
	}
	return node, id
}
