package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

type party struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

// issue makes a certificate that change makes special; nil signs itself.
func (a *party) issue(t *testing.T, change func(*x509.Certificate)) *party {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "gw.example"}, NotBefore: epoch, NotAfter: epoch.AddDate(1, 0, 0)}
	change(tmpl)
	parent, signer := tmpl, key
	if a != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &party{key, cert}
}

// monster is a certificate for a key of RSA with so many bits, which nobody has the private half of.
func (a *party) monster(t *testing.T, bits int) []byte {
	t.Helper()
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(8), NotBefore: epoch, NotAfter: epoch.AddDate(1, 0, 0)}
	gateway(tmpl)
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, &rsa.PublicKey{N: n.Add(n, big.NewInt(1)), E: 65537}, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func authority(name string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.Subject.CommonName, c.IsCA, c.BasicConstraintsValid = name, true, true
		c.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	}
}

func gateway(c *x509.Certificate) {
	c.DNSNames, c.EmailAddresses = []string{"gw.example"}, []string{"gw@example.org"}
	c.IPAddresses = []net.IP{net.IPv4(192, 0, 2, 1), net.ParseIP("2001:db8::1")}
	c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
}

func (a *party) revoke(t *testing.T, from time.Time, serials ...int64) *x509.RevocationList {
	t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: from, NextUpdate: from.AddDate(0, 1, 0)}
	for _, n := range serials {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: big.NewInt(n), RevocationTime: from})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, a.cert, a.key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseRevocationList(der)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// stranger is an extension that nobody knows.
func stranger(critical bool) pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}, Critical: critical, Value: []byte{5, 0}}
}

func sent(all ...*party) (certs []msg.Cert) {
	for _, p := range all {
		certs = append(certs, msg.Cert{Encoding: msg.CertX509, Data: p.cert.Raw})
	}
	return certs
}

func fqdn(name string) msg.Identity { return msg.Identity{Kind: msg.IDFQDN, Data: []byte(name)} }

func TestCertificatesProveTheNamesInThem(t *testing.T) {
	var nobody *party
	root := nobody.issue(t, authority("root"))
	gw := root.issue(t, gateway)
	s := Store{Roots: []*x509.Certificate{root.cert}}
	for _, c := range []struct {
		id msg.Identity
		ok bool
	}{
		{fqdn("gw.example"), true}, {fqdn("GW.example"), true}, {fqdn("gw2.example"), false}, {fqdn(""), false},
		{msg.Identity{Kind: msg.IDEmail, Data: []byte("gw@example.org")}, true}, {msg.Identity{Kind: msg.IDEmail, Data: []byte("gw.example")}, false},
		{msg.AddrIdentity(netip.MustParseAddr("192.0.2.1")), true}, {msg.AddrIdentity(netip.MustParseAddr("192.0.2.2")), false},
		{msg.AddrIdentity(netip.MustParseAddr("2001:db8::1")), true},
		{msg.Identity{Kind: msg.IDDN, Data: gw.cert.RawSubject}, true}, {msg.Identity{Kind: msg.IDDN, Data: root.cert.RawSubject}, false},
		{msg.Identity{Kind: msg.IDKeyID, Data: []byte("gw.example")}, false}, {msg.Identity{Kind: msg.IDNobody}, false},
	} {
		key, err := s.Key(c.id, sent(gw), epoch.AddDate(0, 6, 0))
		if (err == nil) != c.ok || c.ok && !gw.key.PublicKey.Equal(key) {
			t.Errorf("%s %q: %v", c.id.Kind, c.id.Data, err)
		}
	}
	wild := root.issue(t, func(c *x509.Certificate) { c.DNSNames = []string{"*.example"} })
	for _, name := range []string{"gw.example", "*.example"} {
		if _, err := s.Key(fqdn(name), sent(wild), epoch.AddDate(0, 6, 0)); err == nil {
			t.Errorf("a wildcard proves %q", name)
		}
	}
}

func TestWhatMakesACertificateWorthless(t *testing.T) {
	var nobody *party
	root, other := nobody.issue(t, authority("root")), nobody.issue(t, authority("root"))
	middle := root.issue(t, authority("middle"))
	gw := middle.issue(t, gateway)
	with := func(change func(*x509.Certificate)) *party {
		return root.issue(t, func(c *x509.Certificate) { gateway(c); change(c) })
	}
	narrow := root.issue(t, func(c *x509.Certificate) {
		authority("narrow")(c)
		c.PermittedDNSDomains, c.PermittedDNSDomainsCritical = []string{"other.example"}, true
	})
	short := root.issue(t, func(c *x509.Certificate) { authority("short")(c); c.MaxPathLenZero = true })
	deeper := short.issue(t, authority("deeper"))
	leafless := root.issue(t, func(c *x509.Certificate) { gateway(c); c.KeyUsage |= x509.KeyUsageCertSign })
	when := epoch.AddDate(0, 6, 0)
	roots := []*x509.Certificate{root.cert}
	fresh := []*x509.RevocationList{root.revoke(t, when.AddDate(0, 0, -1)), middle.revoke(t, when.AddDate(0, 0, -1))}
	for name, c := range map[string]struct {
		store Store
		certs []msg.Cert
		now   time.Time
		ok    bool
	}{
		"nothing":                    {Store{Roots: roots}, nil, when, false},
		"a URL":                      {Store{Roots: roots}, []msg.Cert{{Encoding: msg.CertHashURL, Data: []byte("http://192.0.2.1/")}}, when, false},
		"garbage":                    {Store{Roots: roots}, []msg.Cert{{Encoding: msg.CertX509, Data: []byte{0x30, 0x80}}}, when, false},
		"too many":                   {Store{Roots: roots}, sent(gw, middle, middle, middle, middle, middle, middle, middle, middle), when, false},
		"a chain":                    {Store{Roots: roots}, sent(gw, middle), when, true},
		"a chain with a hole":        {Store{Roots: roots}, sent(gw), when, false},
		"a hole that we fill":        {Store{Roots: roots, Intermediates: []*x509.Certificate{middle.cert}}, sent(gw), when, true},
		"another root":               {Store{Roots: []*x509.Certificate{other.cert}}, sent(gw, middle), when, false},
		"no root":                    {Store{}, sent(gw, middle), when, false},
		"the wrong way round":        {Store{Roots: roots}, sent(middle, gw), when, false},
		"a monstrous key":            {Store{Roots: roots}, []msg.Cert{{Encoding: msg.CertX509, Data: root.monster(t, maxRSA+8)}}, when, false},
		"no names":                   {Store{Roots: roots}, sent(root.issue(t, func(c *x509.Certificate) { c.Subject.CommonName = "gw.example" })), when, false},
		"a name out of bounds":       {Store{Roots: roots}, sent(narrow.issue(t, gateway), narrow), when, false},
		"a path that is too long":    {Store{Roots: roots}, sent(deeper.issue(t, gateway), deeper, short), when, false},
		"issued by no authority":     {Store{Roots: roots}, sent(leafless.issue(t, gateway), leafless), when, false},
		"a critical extension":       {Store{Roots: roots}, sent(with(func(c *x509.Certificate) { c.ExtraExtensions = []pkix.Extension{stranger(true)} })), when, false},
		"an extension of no concern": {Store{Roots: roots}, sent(with(func(c *x509.Certificate) { c.ExtraExtensions = []pkix.Extension{stranger(false)} })), when, true},
		"not yet valid":              {Store{Roots: roots}, sent(gw, middle), epoch.AddDate(-1, 0, 0), false},
		"expired":                    {Store{Roots: roots}, sent(gw, middle), epoch.AddDate(2, 0, 0), false},
		"for code":                   {Store{Roots: roots}, sent(with(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning} })), when, false},
		"for IKE": {Store{Roots: roots}, sent(with(func(c *x509.Certificate) {
			c.ExtKeyUsage, c.UnknownExtKeyUsage = nil, []asn1.ObjectIdentifier{ikeUsage}
		})), when, true},
		"for encryption":            {Store{Roots: roots}, sent(with(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment })), when, false},
		"an authority":              {Store{Roots: roots}, sent(with(func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true })), when, false},
		"revoked":                   {Store{Roots: roots, CRLs: []*x509.RevocationList{middle.revoke(t, when, 7)}}, sent(gw, middle), when, false},
		"revoked long ago":          {Store{Roots: roots, CRLs: []*x509.RevocationList{middle.revoke(t, epoch, 7)}}, sent(gw, middle), when, false},
		"its authority is revoked":  {Store{Roots: roots, CRLs: []*x509.RevocationList{root.revoke(t, when, 7)}}, sent(gw, middle), when, false},
		"a list of somebody else":   {Store{Roots: roots, CRLs: []*x509.RevocationList{other.revoke(t, when, 7)}}, sent(gw, middle), when, true},
		"strict, with lists":        {Store{Roots: roots, CRLs: fresh, Strict: true}, sent(gw, middle), when, true},
		"strict, without lists":     {Store{Roots: roots, Strict: true}, sent(gw, middle), when, false},
		"strict, with half of them": {Store{Roots: roots, CRLs: fresh[:1], Strict: true}, sent(gw, middle), when, false},
		"strict, with old lists":    {Store{Roots: roots, CRLs: fresh, Strict: true}, sent(gw, middle), when.AddDate(0, 2, 0), false},
	} {
		if _, err := c.store.Key(fqdn("gw.example"), c.certs, c.now); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
