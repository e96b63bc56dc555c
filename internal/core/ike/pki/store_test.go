package pki

import (
	"crypto"
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

	"github.com/cvlan/cvlan/internal/base/certtest"
	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

type party struct{ certtest.Party }

// issue makes a certificate that change makes special; nil signs itself.
func (a *party) issue(change func(*x509.Certificate)) *party {
	var by *certtest.Party
	if a != nil {
		by = &a.Party
	}
	return &party{*by.Issue(func(c *x509.Certificate) {
		c.SerialNumber, c.Subject.CommonName, c.NotBefore, c.NotAfter = big.NewInt(7), "gw.example", epoch, epoch.AddDate(1, 0, 0)
		change(c)
	})}
}

// monster is a certificate for a key of RSA with so many bits, which nobody has the private half of.
func (a *party) monster(bits int) []byte {
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	return a.IssueFor(&rsa.PublicKey{N: n.Add(n, big.NewInt(1)), E: 65537}, func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = epoch, epoch.AddDate(1, 0, 0)
		gateway(c)
	}).Cert.Raw
}

func gateway(c *x509.Certificate) {
	c.DNSNames, c.EmailAddresses = []string{"gw.example"}, []string{"gw@example.org"}
	c.IPAddresses = []net.IP{net.IPv4(192, 0, 2, 1), net.ParseIP("2001:db8::1")}
	c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
}

func (a *party) revoke(from time.Time, serials ...int64) *x509.RevocationList {
	var all []*big.Int
	for _, n := range serials {
		all = append(all, big.NewInt(n))
	}
	return a.Revoke(from, all...)
}

// stranger is an extension that nobody knows.
func stranger(critical bool) pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}, Critical: critical, Value: []byte{5, 0}}
}

func sent(all ...*party) (certs []msg.Cert) {
	for _, p := range all {
		certs = append(certs, msg.Cert{Encoding: msg.CertX509, Data: p.Cert.Raw})
	}
	return certs
}

func fqdn(name string) msg.Identity { return msg.Identity{Kind: msg.IDFQDN, Data: []byte(name)} }

func TestCertificatesProveTheNamesInThem(t *testing.T) {
	var nobody *party
	root := nobody.issue(certtest.Authority("root"))
	gw := root.issue(gateway)
	s := Store{Roots: []*x509.Certificate{root.Cert}}
	for _, c := range []struct {
		id msg.Identity
		ok bool
	}{
		{fqdn("gw.example"), true}, {fqdn("GW.example"), true}, {fqdn("gw2.example"), false}, {fqdn(""), false},
		{msg.Identity{Kind: msg.IDEmail, Data: []byte("gw@example.org")}, true}, {msg.Identity{Kind: msg.IDEmail, Data: []byte("gw.example")}, false},
		{msg.AddrIdentity(netip.MustParseAddr("192.0.2.1")), true}, {msg.AddrIdentity(netip.MustParseAddr("192.0.2.2")), false},
		{msg.AddrIdentity(netip.MustParseAddr("2001:db8::1")), true},
		{msg.Identity{Kind: msg.IDDN, Data: gw.Cert.RawSubject}, true}, {msg.Identity{Kind: msg.IDDN, Data: root.Cert.RawSubject}, false},
		{msg.Identity{Kind: msg.IDKeyID, Data: []byte("gw.example")}, false}, {msg.Identity{Kind: msg.IDNobody}, false},
	} {
		key, err := s.Key(c.id, sent(gw), epoch.AddDate(0, 6, 0))
		if (err == nil) != c.ok || c.ok && !gw.Key.Public().(*ecdsa.PublicKey).Equal(key) {
			t.Errorf("%s %q: %v", c.id.Kind, c.id.Data, err)
		}
	}
	wild := root.issue(func(c *x509.Certificate) { c.DNSNames = []string{"*.example"} })
	for _, name := range []string{"gw.example", "*.example"} {
		if _, err := s.Key(fqdn(name), sent(wild), epoch.AddDate(0, 6, 0)); err == nil {
			t.Errorf("a wildcard proves %q", name)
		}
	}
}

func TestWhatMakesACertificateWorthless(t *testing.T) {
	var nobody *party
	root, other := nobody.issue(certtest.Authority("root")), nobody.issue(certtest.Authority("root"))
	middle := root.issue(certtest.Authority("middle"))
	gw := middle.issue(gateway)
	with := func(change func(*x509.Certificate)) *party {
		return root.issue(func(c *x509.Certificate) { gateway(c); change(c) })
	}
	narrow := root.issue(func(c *x509.Certificate) {
		certtest.Authority("narrow")(c)
		c.PermittedDNSDomains, c.PermittedDNSDomainsCritical = []string{"other.example"}, true
	})
	short := root.issue(func(c *x509.Certificate) { certtest.Authority("short")(c); c.MaxPathLenZero = true })
	deeper := short.issue(certtest.Authority("deeper"))
	leafless := root.issue(func(c *x509.Certificate) { gateway(c); c.KeyUsage |= x509.KeyUsageCertSign })
	when := epoch.AddDate(0, 6, 0)
	roots := []*x509.Certificate{root.Cert}
	fresh := []*x509.RevocationList{root.revoke(when.AddDate(0, 0, -1)), middle.revoke(when.AddDate(0, 0, -1))}
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
		"a hole that we fill":        {Store{Roots: roots, Intermediates: []*x509.Certificate{middle.Cert}}, sent(gw), when, true},
		"another root":               {Store{Roots: []*x509.Certificate{other.Cert}}, sent(gw, middle), when, false},
		"no root":                    {Store{}, sent(gw, middle), when, false},
		"the wrong way round":        {Store{Roots: roots}, sent(middle, gw), when, false},
		"a monstrous key":            {Store{Roots: roots}, []msg.Cert{{Encoding: msg.CertX509, Data: root.monster(maxRSA + 8)}}, when, false},
		"no names":                   {Store{Roots: roots}, sent(root.issue(func(c *x509.Certificate) { c.Subject.CommonName = "gw.example" })), when, false},
		"a name out of bounds":       {Store{Roots: roots}, sent(narrow.issue(gateway), narrow), when, false},
		"a path that is too long":    {Store{Roots: roots}, sent(deeper.issue(gateway), deeper, short), when, false},
		"issued by no authority":     {Store{Roots: roots}, sent(leafless.issue(gateway), leafless), when, false},
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
		"revoked":                   {Store{Roots: roots, CRLs: []*x509.RevocationList{middle.revoke(when, 7)}}, sent(gw, middle), when, false},
		"revoked long ago":          {Store{Roots: roots, CRLs: []*x509.RevocationList{middle.revoke(epoch, 7)}}, sent(gw, middle), when, false},
		"its authority is revoked":  {Store{Roots: roots, CRLs: []*x509.RevocationList{root.revoke(when, 7)}}, sent(gw, middle), when, false},
		"a list of somebody else":   {Store{Roots: roots, CRLs: []*x509.RevocationList{other.revoke(when, 7)}}, sent(gw, middle), when, true},
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

// Where a profile says which signatures are good enough, that goes for certificates and lists too: RFC 8603 §4.1.
func TestCertificatesAreSignedByWhatAProfileHas(t *testing.T) {
	var nobody *certtest.Party
	key := func(c elliptic.Curve) crypto.Signer {
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	large, err := rsa.GenerateKey(rand.Reader, 3072)
	if err != nil {
		t.Fatal(err)
	}
	p256, p384 := key(elliptic.P256()), key(elliptic.P384())
	by := func(a x509.SignatureAlgorithm) certtest.Edit {
		return func(c *x509.Certificate) { gateway(c); c.SignatureAlgorithm = a }
	}
	weak, root := nobody.IssueWith(p256, certtest.Authority("weak")), nobody.IssueWith(p384, certtest.Authority("root"))
	heavy := nobody.IssueWith(large, certtest.Authority("heavy")) // signed with SHA-256, which is of no matter: it is trusted for itself
	for name, c := range map[string]struct {
		root, peer *certtest.Party
		profile    string
		ok         bool
	}{
		"P-384":                        {root, root.IssueWith(p384, gateway), crypt.CNSA1, true},
		"RSA":                          {heavy, heavy.IssueWith(large, by(x509.SHA384WithRSA)), crypt.CNSA1, true},
		"a small key":                  {root, root.IssueWith(p256, gateway), crypt.CNSA1, false},
		"a small authority":            {weak, weak.IssueWith(p384, by(x509.ECDSAWithSHA384)), crypt.CNSA1, false},
		"another hash":                 {root, root.IssueWith(p384, by(x509.ECDSAWithSHA512)), crypt.CNSA1, false},
		"RSA with another hash":        {heavy, heavy.IssueWith(large, by(x509.SHA256WithRSA)), crypt.CNSA1, false},
		"a small one, where it may be": {weak, weak.IssueWith(p256, gateway), crypt.FIPS, true},
	} {
		profile, err := crypt.NewProfile(c.profile)
		if err != nil {
			t.Fatal(err)
		}
		s := Store{Roots: []*x509.Certificate{c.root.Cert}, Signatures: &profile.Signatures}
		certs := []msg.Cert{{Encoding: msg.CertX509, Data: c.peer.Cert.Raw}}
		if _, err := s.Key(fqdn("gw.example"), certs, epoch); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
		s.CRLs, s.Strict = []*x509.RevocationList{c.root.Revoke(epoch)}, true
		if _, err := s.Key(fqdn("gw.example"), certs, epoch); (err == nil) != (c.ok && c.root != heavy) { // whose list is signed with SHA-256
			t.Errorf("%s, with a list: %v", name, err)
		}
		s.CRLs = []*x509.RevocationList{c.root.Revoke(epoch, c.peer.Cert.SerialNumber)} // who signed it so or so, what is on it is not believed
		if _, err := s.Key(fqdn("gw.example"), certs, epoch); err == nil {
			t.Errorf("%s is revoked, and believed", name)
		}
	}
}
