// Package sessiontest is what tests of nodes need of a controller: a certificate authority that issues as a real one does.
package sessiontest

import (
	"crypto"
	"crypto/x509"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/trust"
	"github.com/cvlan/cvlan/internal/base/trust/trusttest"
)

// Authority is a small certificate authority: a root, one tenant, one controller.
type Authority struct {
	Tenant ident.Tenant
	Root   *x509.Certificate
	// Life is that of a node's certificate.
	Life time.Duration

	root, inter *trusttest.Party
}

// New makes an authority.
func New() *Authority {
	a := &Authority{Tenant: ident.New[ident.Tenant](), Life: 60 * 24 * time.Hour, root: trusttest.Root()}
	a.Root, a.inter = a.root.Cert, a.root.Mint(trust.TenantName(trusttest.Domain, a.Tenant))
	return a
}

// Controller returns what a controller presents, fresh.
func (a *Authority) Controller() []*x509.Certificate {
	return []*x509.Certificate{a.root.Mint(trust.ControllerName(trusttest.Domain, 7)).Cert, a.Root}
}

// Node returns a chain for a node's public key. It begins an hour ago.
func (a *Authority) Node(id ident.Node, public crypto.PublicKey) [][]byte {
	now := time.Now()
	return a.inter.Vouch(trust.NodeName(trusttest.Domain, a.Tenant, id), public, now.Add(-time.Hour), now.Add(a.Life))
}

// Pin is the root's fingerprint.
func (a *Authority) Pin() [32]byte { return a.root.Pin() }
