package trust

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"net/url"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/certtest"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
)

var (
	start = time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)
	noon  = Instant{At: start.Add(12 * time.Hour), Local: start.Add(12 * time.Hour)}
)

const domain = "k7mplant"

// mint issues a certificate as wrong or right as edit makes it; by nil: self-signed.
func mint(t *testing.T, by *certtest.Party, uris []string, edit func(*x509.Certificate)) *certtest.Party {
	t.Helper()
	return mintOn(t, elliptic.P256(), by, uris, edit)
}

func mintOn(t *testing.T, curve elliptic.Curve, by *certtest.Party, uris []string, edit func(*x509.Certificate)) *certtest.Party {
	t.Helper()
	k, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return by.IssueWith(k, func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = start, start.AddDate(0, 0, 60)
		for _, s := range uris {
			u, err := url.Parse(s)
			if err != nil {
				t.Fatal(err)
			}
			c.URIs = append(c.URIs, u)
		}
		edit(c)
	})
}

func authority(name string, pathlen int) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: name}
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
		c.MaxPathLen, c.MaxPathLenZero = pathlen, pathlen == 0
		c.NotAfter = start.AddDate(10, 0, 0)
	}
}

func holder(usages ...x509.ExtKeyUsage) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.BasicConstraintsValid, c.KeyUsage, c.ExtKeyUsage = true, x509.KeyUsageDigitalSignature, usages
	}
}

var (
	client = holder(x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth)
	server = holder(x509.ExtKeyUsageServerAuth)
)

// world is one trust domain with two tenants.
type world struct {
	root, interA, interB, controller, relay, nodeA *certtest.Party
	a, b                                           ident.Tenant
	ctrl                                           ident.Controller
	n                                              ident.Node
	pin                                            [32]byte
}

func newWorld(t *testing.T) *world {
	w := &world{a: 7, b: 8, ctrl: 3, n: 9}
	w.root = mint(t, nil, nil, authority(domain, 1))
	w.pin = key.Fingerprint(w.root.Cert)
	w.interA = mint(t, w.root, []string{TenantName(domain, w.a).String()}, authority("a", 0))
	w.interB = mint(t, w.root, []string{TenantName(domain, w.b).String()}, authority("b", 0))
	w.controller = mint(t, w.root, []string{ControllerName(domain, w.ctrl).String()}, server)
	w.relay = mint(t, w.root, []string{RelayName(domain, 5).String()}, server)
	w.nodeA = mint(t, w.interA, []string{NodeName(domain, w.a, w.n).String()}, client)
	return w
}

func chain(s ...*certtest.Party) (c []*x509.Certificate) {
	for _, s := range s {
		c = append(c, s.Cert)
	}
	return c
}
