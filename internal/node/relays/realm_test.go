package relays

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/url"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/trust"
	"github.com/cvlan/cvlan/internal/node/session"
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

// theRealm is one trust domain: relay 4, and tenant 7 with node 9.
var theRealm = sync.OnceValue(func() (r struct{ root, relay, controller, node *party }) {
	r.root = mint(nil, trust.Name{})
	r.relay = mint(r.root, trust.RelayName(domain, 4))
	r.controller = mint(r.root, trust.ControllerName(domain, 3))
	r.node = mint(mint(r.root, trust.TenantName(domain, 7)), trust.NodeName(domain, 7, 9))
	return r
})

func mint(by *party, n trust.Name) *party {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	year := func(y int) time.Time { return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC) } // a bubble's clock starts in 2000
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: domain}, NotBefore: year(1999), NotAfter: year(2090), BasicConstraintsValid: true}
	switch n.Role {
	case 0, trust.RoleTenant:
		c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign
		if n.Role != 0 {
			c.Subject.CommonName = "tenant"
		}
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
		panic(err)
	}
	p := &party{key: k, chain: [][]byte{der}}
	if p.cert, err = x509.ParseCertificate(der); err != nil {
		panic(err)
	}
	if by != nil {
		p.chain = append(p.chain, by.cert.Raw)
	}
	return p
}

func credentials() session.Credentials {
	return session.Credentials{Certificate: theRealm().node.tls(), Pin: key.Fingerprint(theRealm().root.cert)}
}

const theRelay ident.Relay = 4

// stranger calls itself relay 4, under a root of its own.
func stranger() *party { return mint(mint(nil, trust.Name{}), trust.RelayName(domain, 4)) }
