// Package sessiontest is what tests of nodes need of a controller: a certificate authority that issues as a real one does.
package sessiontest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/url"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/trust"
)

// Authority is a small certificate authority: a root, one tenant, one controller.
type Authority struct {
	Tenant ident.Tenant
	Root   *x509.Certificate
	// Life is that of a node's certificate.
	Life time.Duration

	t      testing.TB
	rootK  *ecdsa.PrivateKey
	inter  *x509.Certificate
	interK *ecdsa.PrivateKey
}

const domain = "testdomain"

// New makes an authority whose certificates begin an hour before now.
func New(t testing.TB) *Authority {
	a := &Authority{t: t, Tenant: ident.New[ident.Tenant](), Life: 60 * 24 * time.Hour}
	a.rootK, a.interK = newKey(t), newKey(t)
	ca := func(c *x509.Certificate) *x509.Certificate {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
		return c
	}
	root := ca(a.template(20 * 365 * 24 * time.Hour))
	root.Subject = pkix.Name{CommonName: domain}
	a.Root = a.make(root, root, &a.rootK.PublicKey, a.rootK)
	inter := ca(a.template(10 * 365 * 24 * time.Hour))
	inter.Subject = pkix.Name{CommonName: "tenant"}
	inter.MaxPathLenZero = true
	inter.URIs = []*url.URL{trust.TenantName(domain, a.Tenant).URI()}
	a.inter = a.make(inter, a.Root, &a.interK.PublicKey, a.rootK)
	return a
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (a *Authority) template(life time.Duration) *x509.Certificate {
	n, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	now := time.Now()
	return &x509.Certificate{SerialNumber: n, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(life)}
}

func (a *Authority) make(c, by *x509.Certificate, public any, k *ecdsa.PrivateKey) *x509.Certificate {
	der, err := x509.CreateCertificate(rand.Reader, c, by, public, k)
	if err != nil {
		a.t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return made
}

// Controller returns what a controller presents, fresh.
func (a *Authority) Controller() []*x509.Certificate {
	c := a.template(365 * 24 * time.Hour)
	c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	c.URIs = []*url.URL{trust.ControllerName(domain, 7).URI()}
	return []*x509.Certificate{a.make(c, a.Root, &newKey(a.t).PublicKey, a.rootK), a.Root}
}

// Node returns a chain for a node's public key.
func (a *Authority) Node(id ident.Node, public any) [][]byte {
	c := a.template(a.Life)
	c.KeyUsage = x509.KeyUsageDigitalSignature
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	c.URIs = []*url.URL{trust.NodeName(domain, a.Tenant, id).URI()}
	return [][]byte{a.make(c, a.inter, public, a.interK).Raw, a.inter.Raw}
}

// Pin is the root's fingerprint.
func (a *Authority) Pin() [32]byte { return key.Fingerprint(a.Root) }
