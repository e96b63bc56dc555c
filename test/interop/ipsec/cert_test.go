//go:build interop && linux

package ipsec

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/certtest"
)

// signers are the kinds of keys that certificates have.
var signers = map[string]func() (crypto.Signer, error){
	"ecdsa-p256": func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) },
	"ecdsa-p384": func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P384(), rand.Reader) },
	"ecdsa-p521": func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P521(), rand.Reader) },
	"rsa-2048":   func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) },
	"rsa-3072":   func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 3072) },
	"ed25519": func() (crypto.Signer, error) {
		_, k, err := ed25519.GenerateKey(rand.Reader)
		return k, err
	},
}

// authority issues the certificates of one laboratory.
type authority struct {
	*certtest.Party
	t    *testing.T
	make func() (crypto.Signer, error)
}

func newAuthority(t *testing.T, kind string) *authority {
	t.Helper()
	a := &authority{t: t, make: signers[kind]}
	var nobody *certtest.Party
	a.Party = nobody.IssueWith(a.key(), func(c *x509.Certificate) {
		certtest.Authority("laboratory")(c)
		anHour(c)
	})
	return a
}

// best has a certificate signed with SHA-384 if an authority of RSA is as large as RFC 8603 wants it.
func (a *authority) best(c *x509.Certificate) {
	if k, ok := a.Key.Public().(*rsa.PublicKey); ok && k.N.BitLen() >= 3072 {
		c.SignatureAlgorithm = x509.SHA384WithRSA
	}
}

func (a *authority) key() crypto.Signer {
	a.t.Helper()
	k, err := a.make()
	if err != nil {
		a.t.Fatal(err)
	}
	return k
}

// anHour lets a certificate hold for this test.
func anHour(c *x509.Certificate) {
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
}

// issue writes a certificate for a name, its key, and our own certificate into three files. A critical one has an extension that nobody knows.
func (a *authority) issue(name string, critical bool, cert, key, ca string) (serial *big.Int) {
	a.t.Helper()
	made := a.IssueWith(a.key(), func(c *x509.Certificate) {
		anHour(c)
		a.best(c)
		c.Subject.CommonName, c.DNSNames, c.BasicConstraintsValid = name, []string{name}, true
		c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
		if critical {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}, Critical: true, Value: []byte{5, 0}}}
		}
	})
	private, err := x509.MarshalPKCS8PrivateKey(made.Key)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(cert, pem.Block{Type: "CERTIFICATE", Bytes: made.Cert.Raw})
	a.write(key, pem.Block{Type: "PRIVATE KEY", Bytes: private})
	a.write(ca, pem.Block{Type: "CERTIFICATE", Bytes: a.Cert.Raw})
	return made.Cert.SerialNumber
}

// revoke writes a list of one certificate that is of no use any more.
func (a *authority) revoke(serial *big.Int, file string) {
	a.t.Helper()
	a.write(file, pem.Block{Type: "X509 CRL", Bytes: a.Revoke(time.Now().Add(-time.Minute), serial).Raw})
}

func (a *authority) write(file string, all ...pem.Block) {
	a.t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		a.t.Fatal(err)
	}
	var text []byte
	for _, b := range all {
		text = append(text, pem.EncodeToMemory(&b)...)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		a.t.Fatal(err)
	}
}
