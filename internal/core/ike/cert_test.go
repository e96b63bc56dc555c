package ike

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// authority issues certificates for tests.
type authority struct {
	t    testing.TB
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

var testEpoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, NotBefore: testEpoch, NotAfter: testEpoch.AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{t, key, cert}
}

func (a *authority) issue(name string, public crypto.PublicKey, until time.Time) msg.Cert {
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: testEpoch, NotAfter: until, DNSNames: []string{name},
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, public, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return msg.Cert{Encoding: msg.CertX509, Data: der}
}

// judge is what a directory does with certificates.
func (a *authority) judge(remote msg.Identity, certs []msg.Cert) (crypt.Evidence, error) {
	if len(certs) == 0 || certs[0].Encoding != msg.CertX509 {
		return crypt.Evidence{}, errors.New("no certificate")
	}
	cert, err := x509.ParseCertificate(certs[0].Data)
	if err != nil {
		return crypt.Evidence{}, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	_, err = cert.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: testEpoch.AddDate(0, 6, 0), DNSName: string(remote.Data),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	return crypt.Evidence{Public: cert.PublicKey}, err
}

func testKeys(t testing.TB) map[string]crypto.Signer {
	t.Helper()
	p256, err1 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, err2 := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	_, ed, err3 := ed25519.GenerateKey(rand.Reader)
	r, err4 := rsa.GenerateKey(rand.Reader, 2048)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	return map[string]crypto.Signer{"P-256": p256, "P-384": p384, "Ed25519": ed, "RSA": r}
}

func TestTwoSidesMeetByCertificate(t *testing.T) {
	ca := newAuthority(t)
	keys := testKeys(t)
	for name, key := range keys {
		w := newWorld(t, 1, func(n int, c *Config, p *Peer) {
			own := "a.example"
			if n == 1 {
				own = "b.example"
			}
			p.Credential = crypt.Credential{Key: key}
			p.Certificates = []msg.Cert{ca.issue(own, key.Public(), testEpoch.AddDate(1, 0, 0))}
			c.Authorities = []msg.AuthorityHash{{1, 2, 3}}
			p.Authorities = c.Authorities
		})
		for _, s := range w.side {
			s.judge = ca.judge
		}
		w.side[0].initiate()
		w.run(time.Second)
		w.agree(1)
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

// Whatever is wrong with a certificate, no session comes of it, on either side.
func TestCertificatesThatDoNotConvince(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	key, wrong := testKeys(t)["P-256"], testKeys(t)["P-256"]
	later := testEpoch.AddDate(1, 0, 0)
	for name, certs := range map[string][]msg.Cert{
		"none":              nil,
		"another authority": {other.issue("X.example", key.Public(), later)},
		"another name":      {ca.issue("c.example", key.Public(), later)},
		"another key":       {ca.issue("X.example", wrong.Public(), later)},
		"expired":           {ca.issue("X.example", key.Public(), testEpoch.AddDate(0, 1, 0))},
		"garbage":           {{Encoding: msg.CertX509, Data: []byte("no certificate")}},
		"a URL":             {{Encoding: msg.CertHashURL, Data: []byte("http://192.0.2.9/cert")}},
	} {
		for bad := range 2 {
			w := newWorld(t, 1, func(n int, _ *Config, p *Peer) {
				own := []string{"a.example", "b.example"}[n]
				p.Credential = crypt.Credential{Key: key}
				p.Certificates = []msg.Cert{ca.issue(own, key.Public(), later)}
				if n == bad {
					p.Certificates = nil
					for _, c := range certs {
						if name != "garbage" && name != "a URL" && name != "another name" {
							cert, err := x509.ParseCertificate(c.Data)
							if err != nil {
								t.Fatal(err)
							}
							issuer, until := ca, cert.NotAfter
							if name == "another authority" {
								issuer = other
							}
							c = issuer.issue(own, cert.PublicKey, until)
						}
						p.Certificates = append(p.Certificates, c)
					}
				}
			})
			for _, s := range w.side {
				s.judge = ca.judge
			}
			w.side[0].initiate()
			w.run(time.Minute)
			if len(w.side[0].up)+len(w.side[1].up)+len(w.side[0].live)+len(w.side[1].live) != 0 || w.side[0].count(EventDown) != 1 {
				t.Errorf("%s of %d convinces\n%s", name, bad, w.story())
			}
			if bad == 0 && w.side[1].last(EventRefused).Reason != NotProved || bad == 1 && w.side[0].last(EventDown).Reason != NotProved {
				t.Errorf("%s of %d: %s", name, bad, w.story())
			}
		}
	}
}
