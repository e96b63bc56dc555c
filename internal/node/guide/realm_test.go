package guide

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/url"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cvlan/cvlan/internal/base/trust"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const domain = "k7mplant"

// party is a certificate with its key and what is presented behind it.
type party struct {
	cert  *x509.Certificate
	key   *ecdsa.PrivateKey
	chain [][]byte
}

func (p *party) tls() *tls.Certificate {
	return &tls.Certificate{Certificate: p.chain, PrivateKey: p.key, Leaf: p.cert}
}

// mint makes a certificate: of a root if by is nil, else of what n says.
func mint(t *testing.T, by *party, n trust.Name) *party {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	year := func(y int) time.Time { return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC) } // a bubble's clock starts in 2000
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: domain}, NotBefore: year(1999), NotAfter: year(2090), BasicConstraintsValid: true}
	switch n.Role {
	case 0:
		c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign
	case trust.RoleTenant:
		c.IsCA, c.KeyUsage, c.Subject.CommonName = true, x509.KeyUsageCertSign, "tenant"
	default:
		c.Subject.CommonName = "leaf"
		c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	}
	if n.Role != 0 {
		c.URIs = []*url.URL{n.URI()}
	}
	signer := by
	if by == nil {
		signer = &party{cert: c, key: k}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, signer.cert, &k.PublicKey, signer.key)
	if err != nil {
		t.Fatal(err)
	}
	p := &party{key: k, chain: [][]byte{der}}
	if p.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	if by != nil {
		p.chain = append(p.chain, by.cert.Raw)
	}
	return p
}
