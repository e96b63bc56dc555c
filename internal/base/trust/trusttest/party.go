// Package trusttest is what tests need of a trust domain: a root, and whoever it says somebody is, each with a key and a chain to show.
package trusttest

import (
	"crypto"
	"crypto/x509"
	"net/url"
	"time"

	"github.com/cvlan/cvlan/internal/base/certtest"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/trust"
)

// Domain is the name of every trust domain here.
const Domain = "k7mplant"

// Party is a certificate with its key, and what is presented behind it.
type Party struct{ certtest.Party }

// Pin is the fingerprint by which a root is known.
func (p *Party) Pin() [32]byte { return key.Fingerprint(p.Cert) }

// Root makes a trust domain.
func Root() *Party { return &Party{*certtest.New(certtest.Authority(Domain))} }

// Mint makes a party that this one, a root or a tenant, says is called so.
func (p *Party) Mint(n trust.Name) *Party { return p.MintUntil(n, certtest.Forever) }

// MintUntil makes one whose certificate ends at an instant.
func (p *Party) MintUntil(n trust.Name, end time.Time) *Party {
	return &Party{*p.Issue(named(n, func(c *x509.Certificate) { c.NotAfter = end }))}
}

// Vouch returns the chain of a certificate for a key whose holder is elsewhere, from an instant to another.
func (p *Party) Vouch(n trust.Name, holder crypto.PublicKey, from, to time.Time) [][]byte {
	return p.IssueFor(holder, named(n, func(c *x509.Certificate) { c.NotBefore, c.NotAfter = from, to })).Chain
}

// named makes a certificate of the role that a name has.
func named(n trust.Name, edit certtest.Edit) certtest.Edit {
	return func(c *x509.Certificate) {
		if n.Role == trust.RoleTenant {
			certtest.Authority(n.String())(c)
		} else {
			c.Subject.CommonName, c.BasicConstraintsValid = n.String(), true
			c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
		}
		c.URIs = []*url.URL{n.URI()}
		edit(c)
	}
}
