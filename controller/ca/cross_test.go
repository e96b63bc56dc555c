package ca

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/certtest"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/trust"
)

// company is somebody else's hierarchy: a root and an authority that issues.
type company struct {
	s             *stage
	root, issuing *certtest.Party
	request       store.AuthorityRequest
	csr           *x509.CertificateRequest
}

// lives makes a certificate good for some years from the stage's birth on.
func lives(years int, edit certtest.Edit) certtest.Edit {
	return func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = birth.AddDate(-1, 0, 0), birth.AddDate(years, 0, 0)
		edit(c)
	}
}

func newCompany(t *testing.T, edit ...certtest.Edit) *company {
	t.Helper()
	c := &company{s: newStage(t)}
	c.root = certtest.New(lives(20, certtest.Authority("Example Root")))
	c.issuing = c.root.Issue(lives(10, func(x *x509.Certificate) {
		certtest.Authority("Example Issuing 1")(x)
		for _, e := range edit {
			e(x)
		}
	}))
	var err error
	if c.request, err = c.s.Request(7, c.s.DefaultSubject("acme")); err != nil {
		t.Fatal(err)
	}
	if c.csr, err = x509.ParseCertificateRequest(c.request.CSR); err != nil {
		t.Fatal(err)
	}
	return c
}

// signs is what the company makes of the request, if change does not say otherwise.
func (c *company) signs(change certtest.Edit) *x509.Certificate {
	return c.issuing.IssueFor(c.csr.PublicKey, lives(3, func(x *x509.Certificate) {
		certtest.Authority("")(x)
		x.Subject, x.MaxPathLenZero, x.SubjectKeyId = c.csr.Subject, true, []byte("SHA-1 of a key")
		if change != nil {
			change(x)
		}
	})).Cert
}

func TestARequestAsksForASubordinateAuthority(t *testing.T) {
	c := newCompany(t)
	if err := c.csr.CheckSignature(); err != nil || c.csr.Subject.CommonName != "CloudVLAN acme k7mplant" || len(c.csr.URIs) != 1 {
		t.Fatal(err, c.csr.Subject, c.csr.URIs)
	}
	// A company's program that copies the extensions makes of it what is wanted.
	made := c.issuing.IssueFor(c.csr.PublicKey, lives(3, func(x *x509.Certificate) { x.Subject, x.ExtraExtensions = c.csr.Subject, c.csr.Extensions })).Cert
	if !made.IsCA || !made.MaxPathLenZero || made.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign {
		t.Errorf("%+v", made)
	}
}

// What a certified authority signs is believed by nodes, who know our root, and by those who know the company's alone.
func TestWhatACertifiedAuthoritySignsIsBelievedByBothRoots(t *testing.T) {
	c := newCompany(t)
	sub := c.signs(nil)
	adopted, err := c.s.Adopt(7, c.request, []*x509.Certificate{c.root.Cert, sub, certtest.New(certtest.Authority("beside")).Cert, c.issuing.Cert})
	if err != nil {
		t.Fatal(err)
	}
	if len(adopted.Cross) != 3 || !bytes.Equal(adopted.Cross[0], sub.Raw) || !bytes.Equal(adopted.Cross[2], c.root.Cert.Raw) {
		t.Fatal("the chain is not in order, or has more in it than is needed")
	}
	c.s.kept.Replace(adopted)
	id, err := key.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	ders, _, err := c.s.IssueNode(context.Background(), 7, 9, request(t, id.Signer(), &x509.CertificateRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	node := parse(t, ders)
	if n, err := trust.VerifyNode(node, c.s.RootCertificate(), c.s.c.instant()); err != nil || n.Node != 9 {
		t.Error(n, err)
	}
	gate, _, chain, err := c.s.IssueDevice(context.Background(), 7, Device{Name: "gate", Request: request(t, id.Signer(), &x509.CertificateRequest{}), DNS: []string{"gate.example.com"}})
	if err != nil || len(chain) != 3 || !chain[2].Equal(c.root.Cert) {
		t.Fatal(chain, err)
	}
	for _, leaf := range []*x509.Certificate{node[0], gate} {
		if err := verifyCross(leaf, chain, birth); err != nil {
			t.Error(err)
		}
		if !bytes.Equal(leaf.AuthorityKeyId, sub.SubjectKeyId) {
			t.Errorf("it names the key %x, the company %x", leaf.AuthorityKeyId, sub.SubjectKeyId)
		}
	}
	der, err := c.s.CRL(adopted, []store.Certificate{{Serial: "0f", Revoked: birth}}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		t.Fatal(err)
	}
	if err := list.CheckSignatureFrom(sub); err != nil {
		t.Error("who knows the company alone does not believe the revocation list:", err)
	}
}

// A chain from elsewhere makes nobody a node: that takes our own root.
func TestACompanyMakesNoNodes(t *testing.T) {
	c := newCompany(t)
	sub := c.issuing.Issue(lives(3, func(x *x509.Certificate) {
		certtest.Authority("")(x)
		x.URIs = c.csr.URIs
	}))
	leaf := sub.Issue(lives(1, func(x *x509.Certificate) {
		*x = *c.s.nodeTemplate(7, 9, sub.Cert)
	}))
	if _, err := trust.VerifyNode([]*x509.Certificate{leaf.Cert, sub.Cert}, c.s.RootCertificate(), c.s.c.instant()); err == nil {
		t.Error("whoever has the company's key is a node")
	}
}

func TestWhatACompanyMustNotSign(t *testing.T) {
	c := newCompany(t)
	usual := []*x509.Certificate{c.issuing.Cert, c.root.Cert}
	with := func(change certtest.Edit) []*x509.Certificate {
		return append([]*x509.Certificate{c.signs(change)}, usual...)
	}
	under := func(edit certtest.Edit) []*x509.Certificate {
		o := newCompany(t, edit)
		o.csr = c.csr
		return []*x509.Certificate{o.signs(nil), o.issuing.Cert, o.root.Cert}
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Skip(err) // the module in FIPS mode makes none
	}
	small, _ := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	by := func(p *certtest.Party) []*x509.Certificate {
		o := *c
		o.issuing = p
		return []*x509.Certificate{o.signs(nil), p.Cert, c.root.Cert}
	}
	for why, given := range map[string][]*x509.Certificate{
		"none of the 2 certificates is for the key": usual,
		"is not an authority's certificate: CA:TRUE": with(func(x *x509.Certificate) {
			x.IsCA, x.MaxPathLenZero, x.KeyUsage = false, false, x509.KeyUsageDigitalSignature
		}),
		"keyCertSign is missing":                         with(func(x *x509.Certificate) { x.KeyUsage = x509.KeyUsageCRLSign; x.IsCA = true }),
		"cRLSign is missing":                             with(func(x *x509.Certificate) { x.KeyUsage = x509.KeyUsageCertSign }),
		"allows 0 authorities below it, and there are 1": under(func(x *x509.Certificate) { x.MaxPathLenZero = true }),
		"ends on 2027-02-10":                             with(func(x *x509.Certificate) { x.NotAfter = birth.AddDate(0, 0, 40) }),
		"has ended on 2026-12-31":                        with(func(x *x509.Certificate) { x.NotBefore, x.NotAfter = birth.AddDate(-1, 0, 0), birth.AddDate(0, 0, -1) }),
		"is signed with ECDSA-SHA1":                      with(func(x *x509.Certificate) { x.SignatureAlgorithm = x509.ECDSAWithSHA1 }),
		"is good only from":                              with(func(x *x509.Certificate) { x.NotBefore = birth.AddDate(0, 0, 40) }),
		"a critical extension": with(func(x *x509.Certificate) {
			x.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}, Critical: true, Value: []byte{5, 0}}}
		}),
		"do not allow the names of nodes, spiffe://k7m": under(func(x *x509.Certificate) {
			x.PermittedURIDomains, x.PermittedDNSDomainsCritical = []string{".example.com"}, true
		}),
		"extended key usages do not allow":               under(func(x *x509.Certificate) { x.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning} }),
		`the issuer of "CN=CloudVLAN acme k7mplant" is`:  {c.signs(nil), c.root.Cert},
		`the issuer of "CN=Example Issuing 1" is`:        {c.signs(nil), c.issuing.Cert},
		"is not signed by the certificate of its issuer": {c.signs(nil), c.root.Issue(lives(9, certtest.Authority("Example Issuing 1"))).Cert, c.root.Cert},
		"kind or size":                  by(c.root.IssueWith(small, lives(9, certtest.Authority("small")))),
		"of a kind or size that is not": by(c.root.IssueWith(weak, lives(9, certtest.Authority("weak")))),
	} {
		_, err := c.s.Adopt(7, c.request, given)
		var no *Refusal
		if !errors.As(err, &no) || !errors.Is(err, store.ErrInvalid) || !strings.Contains(no.Why, why) || no.Remedy == "" {
			t.Errorf("%s: %v", why, err)
		}
	}
}

// The certificate of a key that signs already is renewed, and nothing that it has signed has to be signed anew.
func TestACertificateIsRenewedForTheSameKey(t *testing.T) {
	c := newCompany(t)
	usual := []*x509.Certificate{c.issuing.Cert, c.root.Cert}
	adopted, err := c.s.Adopt(7, c.request, append(usual, c.signs(nil)))
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.s.RequestAgain(adopted)
	if err != nil {
		t.Fatal(err)
	}
	was := c.csr
	if c.csr, err = x509.ParseCertificateRequest(again); err != nil || !bytes.Equal(c.csr.RawSubject, was.RawSubject) {
		t.Fatal("the request is for another name", err)
	}
	cross, err := c.s.AdoptAgain(adopted, append(usual, c.signs(func(x *x509.Certificate) { x.NotAfter = birth.AddDate(5, 0, 0) })))
	if err != nil || len(cross) != 3 {
		t.Fatal(cross, err)
	}
	for why, change := range map[string]certtest.Edit{
		"its subject is":                 func(x *x509.Certificate) { x.Subject.CommonName = "somebody" },
		"its subject key identifier is ": func(x *x509.Certificate) { x.SubjectKeyId = []byte("another") },
	} {
		if _, err := c.s.AdoptAgain(adopted, append(usual, c.signs(change))); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", why, err)
		}
	}
}

// A root's own signature proves nothing to anybody, so it may be as old as it likes.
func TestARootMayBeSignedAsOfOld(t *testing.T) {
	old := certtest.New(lives(20, certtest.Authority("old")))
	if !isRoot(old.Cert) {
		t.Error("a root is none")
	}
	if isRoot(old.Issue(lives(20, certtest.Authority("old"))).Cert) {
		t.Error("one of the same name that another key has signed is a root")
	}
}

func TestNamesOfAuthoritiesAreRead(t *testing.T) {
	n, err := ParseSubject(`CN=CloudVLAN,OU=Net,o=Example\, Ltd, L=London,ST=England,C=GB`)
	if err != nil || n.CommonName != "CloudVLAN" || n.Organization[0] != "Example, Ltd" || n.Country[0] != "GB" || n.Locality[0] != "London" {
		t.Errorf("%+v, %v", n, err)
	}
	for _, bad := range []string{"", "CloudVLAN", "CN=", "O=Example", "CN=a,CN=b", "CN=a,C=GBR", "CN=a,DC=com", "CN=" + strings.Repeat("a", 65), "CN=a\x1b[m"} {
		if n, err := ParseSubject(bad); err == nil {
			t.Errorf("%q passes as %s", bad, n)
		}
	}
}
