// Package certtest makes certificates for tests: authorities, and whoever they vouch for. What is right or wrong with one is for the test to say;
// here is how it is signed. What cannot be made, a test has asked wrongly for: that is a panic.
package certtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"time"
)

// Certificates hold between these if a test says nothing else: by the real clock, and by that of a bubble, which begins in the year 2000.
var (
	Birth   = time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
	Forever = time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Party is a certificate with its key.
type Party struct {
	Cert *x509.Certificate
	Key  crypto.Signer // nil: only its holder has it
	// Chain is what is presented, DER: the certificate, and that of whoever issued it, if somebody else did.
	Chain [][]byte
}

// Edit makes a certificate what it is to be.
type Edit = func(*x509.Certificate)

// Authority makes it one that issues, of a name.
func Authority(name string) Edit {
	return func(c *x509.Certificate) {
		c.Subject.CommonName, c.IsCA, c.BasicConstraintsValid = name, true, true
		c.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	}
}

// New makes a party that has signed its own certificate with a new key.
func New(edit Edit) *Party { return (*Party)(nil).Issue(edit) }

// Issue makes a party with a new key, of ECDSA on P-256. What nobody issues, a nil Party, its holder does.
func (p *Party) Issue(edit Edit) *Party {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return p.IssueWith(k, edit)
}

// IssueWith makes a party with a key that there is.
func (p *Party) IssueWith(k crypto.Signer, edit Edit) *Party { return p.sign(k, k.Public(), edit) }

// IssueFor makes a certificate for a key whose holder is elsewhere.
func (p *Party) IssueFor(holder crypto.PublicKey, edit Edit) *Party { return p.sign(nil, holder, edit) }

func (p *Party) sign(k crypto.Signer, public crypto.PublicKey, edit Edit) *Party {
	n, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		panic(err)
	}
	c := &x509.Certificate{SerialNumber: n.Add(n, big.NewInt(1)), NotBefore: Birth, NotAfter: Forever}
	edit(c)
	by := p
	if by == nil {
		by = &Party{Cert: c, Key: k}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, by.Cert, public, by.Key)
	if err != nil {
		panic(err)
	}
	made := &Party{Key: k, Chain: [][]byte{der}}
	if made.Cert, err = x509.ParseCertificate(der); err != nil {
		panic(err)
	}
	if p != nil {
		made.Chain = append(made.Chain, p.Cert.Raw)
	}
	return made
}

// TLS is what the party presents.
func (p *Party) TLS() *tls.Certificate {
	return &tls.Certificate{Certificate: p.Chain, PrivateKey: p.Key, Leaf: p.Cert}
}

// Revoke makes a list, of an instant and good for a month, of certificates of p's that count no more.
func (p *Party) Revoke(at time.Time, serials ...*big.Int) *x509.RevocationList {
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: at, NextUpdate: at.AddDate(0, 1, 0)}
	for _, n := range serials {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: n, RevocationTime: at})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, p.Cert, p.Key)
	if err != nil {
		panic(err)
	}
	made, err := x509.ParseRevocationList(der)
	if err != nil {
		panic(err)
	}
	return made
}
