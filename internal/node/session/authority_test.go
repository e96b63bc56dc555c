package session

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

// authority is a small certificate authority: a root, one tenant, one controller.
type authority struct {
	t      *testing.T
	tenant ident.Tenant
	root   *x509.Certificate
	rootK  *ecdsa.PrivateKey
	inter  *x509.Certificate
	interK *ecdsa.PrivateKey
	life   time.Duration
}

const domain = "testdomain"

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, tenant: ident.New[ident.Tenant](), life: 60 * 24 * time.Hour}
	a.rootK, a.interK = newKey(t), newKey(t)
	ca := func(c *x509.Certificate) *x509.Certificate {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
		return c
	}
	root := ca(a.template(20 * 365 * 24 * time.Hour))
	root.Subject = pkix.Name{CommonName: domain}
	a.root = a.make(root, root, &a.rootK.PublicKey, a.rootK)
	inter := ca(a.template(10 * 365 * 24 * time.Hour))
	inter.Subject = pkix.Name{CommonName: "tenant"}
	inter.MaxPathLenZero = true
	inter.URIs = []*url.URL{trust.TenantName(domain, a.tenant).URI()}
	a.inter = a.make(inter, a.root, &a.interK.PublicKey, a.rootK)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (a *authority) template(life time.Duration) *x509.Certificate {
	n, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	now := time.Now()
	return &x509.Certificate{SerialNumber: n, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(life)}
}

func (a *authority) make(c, by *x509.Certificate, public any, k *ecdsa.PrivateKey) *x509.Certificate {
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

// controller returns what a controller presents, fresh.
func (a *authority) controller() []*x509.Certificate {
	c := a.template(365 * 24 * time.Hour)
	c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	c.URIs = []*url.URL{trust.ControllerName(domain, 7).URI()}
	return []*x509.Certificate{a.make(c, a.root, &newKey(a.t).PublicKey, a.rootK), a.root}
}

// node returns a chain for a node's public key.
func (a *authority) node(id ident.Node, public any) [][]byte {
	c := a.template(a.life)
	c.KeyUsage = x509.KeyUsageDigitalSignature
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	c.URIs = []*url.URL{trust.NodeName(domain, a.tenant, id).URI()}
	return [][]byte{a.make(c, a.inter, public, a.interK).Raw, a.inter.Raw}
}

func (a *authority) pin() [32]byte { return key.Fingerprint(a.root) }
