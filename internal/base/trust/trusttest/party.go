// Package trusttest is what tests need of a trust domain: a root, and whoever it says somebody is, each with a key and a chain to show.
package trusttest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/url"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/trust"
)

// Domain is the name of every trust domain here.
const Domain = "k7mplant"

// Certificates are valid by the real clock, by a bubble's, which starts in the year 2000, and by the floor of trusted time.
var (
	birth   = time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
	forever = time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Party is a certificate with its key, and what is presented behind it.
type Party struct {
	Cert  *x509.Certificate
	Key   *ecdsa.PrivateKey
	Chain [][]byte
}

// TLS is what the party presents.
func (p *Party) TLS() *tls.Certificate {
	return &tls.Certificate{Certificate: p.Chain, PrivateKey: p.Key, Leaf: p.Cert}
}

// Pin is the fingerprint by which a root is known.
func (p *Party) Pin() [32]byte { return key.Fingerprint(p.Cert) }

// Root makes a trust domain.
func Root() *Party {
	c := template(forever)
	c.IsCA, c.KeyUsage, c.Subject.CommonName = true, x509.KeyUsageCertSign, Domain
	return mint(nil, c)
}

// Mint makes a party that this one, a root or a tenant, says is called so.
func (p *Party) Mint(n trust.Name) *Party { return p.MintUntil(n, forever) }

// MintUntil makes one whose certificate ends at an instant.
func (p *Party) MintUntil(n trust.Name, end time.Time) *Party {
	c := template(end)
	c.URIs = []*url.URL{n.URI()}
	c.Subject.CommonName = n.String()
	if n.Role == trust.RoleTenant {
		c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign
	} else {
		c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	}
	return mint(p, c)
}

func template(end time.Time) *x509.Certificate {
	return &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{}, NotBefore: birth, NotAfter: end, BasicConstraintsValid: true}
}

// mint signs a certificate; a root, whom nobody signs, signs its own. That fails only for a template that makes no sense.
func mint(by *Party, c *x509.Certificate) *Party {
	p := &Party{}
	var err error
	if p.Key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		panic(err)
	}
	signer := by
	if by == nil {
		signer = &Party{Cert: c, Key: p.Key}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, signer.Cert, &p.Key.PublicKey, signer.Key)
	if err != nil {
		panic(err)
	}
	if p.Cert, err = x509.ParseCertificate(der); err != nil {
		panic(err)
	}
	p.Chain = [][]byte{der}
	if by != nil {
		p.Chain = append(p.Chain, by.Cert.Raw)
	}
	return p
}
