package ike

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/certtest"
	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// authority issues certificates for tests.
type authority struct{ *certtest.Party }

var testEpoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newAuthority() authority { return authority{certtest.New(certtest.Authority("ca"))} }

func (a authority) issue(name string, public crypto.PublicKey, until time.Time) msg.Cert {
	made := a.IssueFor(public, func(c *x509.Certificate) {
		c.NotAfter, c.DNSNames, c.KeyUsage = until, []string{name}, x509.KeyUsageDigitalSignature
	})
	return msg.Cert{Encoding: msg.CertX509, Data: made.Cert.Raw}
}

// judge is what a directory does with certificates.
func (a authority) judge(remote msg.Identity, certs []msg.Cert) (crypt.Evidence, error) {
	if len(certs) == 0 || certs[0].Encoding != msg.CertX509 {
		return crypt.Evidence{}, errors.New("no certificate")
	}
	cert, err := x509.ParseCertificate(certs[0].Data)
	if err != nil {
		return crypt.Evidence{}, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.Cert)
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

// byKeys has both sides of a world know each other by a key, in place of a secret.
func (w *world) byKeys() {
	w.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, s := range w.side {
		s.peer.Credential = crypt.Credential{Key: key}
		s.judge = func(msg.Identity, []msg.Cert) (crypt.Evidence, error) {
			return crypt.Evidence{Public: key.Public()}, nil
		}
	}
}

func TestTwoSidesMeetByCertificate(t *testing.T) {
	ca := newAuthority()
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
	ca, other := newAuthority(), newAuthority()
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

// Both say by whom a certificate should be signed (§3.7): the responder at once, in the clear, and the initiator when nobody else can read it. Who names no
// authority asks for none.
func TestBothAskForCertificatesOfTheirAuthorities(t *testing.T) {
	ours := []msg.AuthorityHash{{1, 2, 3}, {4, 5, 6}}
	for name, authorities := range map[string][]msg.AuthorityHash{"two": ours, "one": ours[:1], "none": nil} {
		ca, key := newAuthority(), testKeys(t)["P-256"]
		w := newWorld(t, 1, func(n int, c *Config, p *Peer) {
			p.Credential = crypt.Credential{Key: key}
			p.Certificates = []msg.Cert{ca.issue([]string{"a.example", "b.example"}[n], key.Public(), testEpoch.AddDate(1, 0, 0))}
			c.Authorities, p.Authorities, c.Fragment = authorities, authorities, msg.MaxMessage
		})
		wishes, asked := [2][]msg.AuthorityHash{}, [2]int{}
		w.watch = func(from int, data []byte) bool {
			for _, p := range w.side[1-from].reads(bytes.Clone(data)) {
				if req, ok := p.(msg.CertReq); ok {
					if req.Encoding != msg.CertX509 {
						t.Errorf("%s: %s asks for certificates of encoding %d", name, w.side[from].name, req.Encoding)
					}
					asked[from]++
					wishes[from] = append(wishes[from], slices.Collect(req.Hashes())...)
				}
			}
			return true
		}
		for _, s := range w.side {
			s.judge = ca.judge
		}
		w.side[0].initiate()
		w.run(time.Second)
		w.agree(1)
		for n, got := range wishes {
			if !slices.Equal(got, authorities) || asked[n] != min(1, len(authorities)) {
				t.Errorf("%s: %s asks %d times for certificates of %x", name, w.side[n].name, asked[n], got)
			}
		}
	}
}

// reads is what a datagram says to a side that has the keys, without its hearing of it.
func (s *side) reads(raw []byte) []msg.Payload {
	s.w.t.Helper()
	m, err := msg.Parse(raw)
	if err != nil {
		s.w.t.Fatal(err)
	}
	sk, sealed := msg.First[msg.SK](m.Payloads)
	if !sealed {
		return m.Payloads
	}
	own := m.SPIr
	if m.Has(msg.Response) {
		own = m.SPIi
	}
	ps, err := s.m.sas[own].opener.Open(raw, sk)
	if err != nil {
		s.w.t.Fatal(err)
	}
	return ps
}
