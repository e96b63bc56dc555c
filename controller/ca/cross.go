package ca

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/trust"
)

// The extensions that a request asks for (RFC 5280 §4.2.1). The other authority may or may not copy them; what it signs is looked at.
var (
	oidSubjectKeyID     = asn1.ObjectIdentifier{2, 5, 29, 14}
	oidKeyUsage         = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidBasicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}
)

// Request makes the key of a tenant's next authority, and the request that another authority, such as a company's, certify it. The key is not
// in use until that has been done.
func (c *CA) Request(t ident.Tenant, subject pkix.Name) (store.AuthorityRequest, error) {
	k, err := newKey()
	if err != nil {
		return store.AuthorityRequest{}, err
	}
	tmpl := &x509.CertificateRequest{Subject: subject}
	csr, err := c.requestFor(t, tmpl, k, nil)
	if err != nil {
		return store.AuthorityRequest{}, err
	}
	key, err := c.sealKey(k)
	return store.AuthorityRequest{Key: key, CSR: csr}, err
}

// RequestAgain makes a request for the key that a tenant's authority has, with its subject: for a certificate in the place of one that ends.
func (c *CA) RequestAgain(a store.Authority) ([]byte, error) {
	s, err := c.unseal(a)
	if err != nil {
		return nil, fmt.Errorf("authority of tenant %s: %w", a.Tenant, err)
	}
	return c.requestFor(a.Tenant, &x509.CertificateRequest{RawSubject: s.cert.RawSubject}, s.key, s.cert.SubjectKeyId)
}

func (c *CA) requestFor(t ident.Tenant, tmpl *x509.CertificateRequest, k *ecdsa.PrivateKey, keyID []byte) ([]byte, error) {
	tmpl.URIs = []*url.URL{trust.TenantName(c.Domain(), t).URI()}
	constraints, err1 := asn1.Marshal(struct {
		IsCA       bool
		MaxPathLen int
	}{true, 0})
	usage, err2 := asn1.Marshal(asn1.BitString{Bytes: []byte{0x06}, BitLength: 7}) // keyCertSign and cRLSign
	tmpl.ExtraExtensions = []pkix.Extension{{Id: oidBasicConstraints, Critical: true, Value: constraints}, {Id: oidKeyUsage, Critical: true, Value: usage}}
	if len(keyID) > 0 {
		id, err := asn1.Marshal(keyID)
		if err != nil {
			return nil, err
		}
		tmpl.ExtraExtensions = append(tmpl.ExtraExtensions, pkix.Extension{Id: oidSubjectKeyID, Value: id})
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, tmpl, k)
	return csr, errors.Join(err, err1, err2)
}

// Adopt makes an authority of the key of a request and of what another authority has given for it, once that has been found good: chain is what
// came, in any order, and may have more in it than is needed.
//
// The authority has two certificates then, for one key, under one subject and with one key identifier, so that whatever it signs descends from
// both: one under our own root, which is all that nodes, relays and the controller go by, and the other's, for those who know only that.
func (c *CA) Adopt(t ident.Tenant, r store.AuthorityRequest, chain []*x509.Certificate) (store.Authority, error) {
	k, err := c.unsealKey(r.Key)
	if err != nil {
		return store.Authority{}, fmt.Errorf("certificate request of tenant %s: %w; make another one: cvlan admin ca request", t, err)
	}
	cross, err := c.certified(t, k, chain)
	if err != nil {
		return store.Authority{}, err
	}
	tmpl := c.intermediate(t)
	tmpl.RawSubject, tmpl.SubjectKeyId = cross[0].RawSubject, cross[0].SubjectKeyId
	cert, err := sign(tmpl, c.root, &k.PublicKey)
	if err != nil {
		return store.Authority{}, err
	}
	return store.Authority{Tenant: t, Certificate: cert.Raw, Key: r.Key, Cross: raw(cross)}, nil
}

// AdoptAgain looks at what another authority has given for the key of an authority that signs already, and returns what to keep. Subject and key identifier
// have to be what they are: they stand in all that it has signed.
func (c *CA) AdoptAgain(a store.Authority, chain []*x509.Certificate) ([][]byte, error) {
	s, err := c.unseal(a)
	if err != nil {
		return nil, fmt.Errorf("authority of tenant %s: %w", a.Tenant, err)
	}
	cross, err := c.certified(a.Tenant, s.key, chain)
	if err != nil {
		return nil, err
	}
	const remedy = "have it signed again with this one, or for a key of its own: cvlan admin ca request"
	if string(cross[0].RawSubject) != string(s.cert.RawSubject) {
		return nil, refuse(remedy, "its subject is %q, and what this key has signed names %q as its issuer", cross[0].Subject, s.cert.Subject)
	}
	if string(cross[0].SubjectKeyId) != string(s.cert.SubjectKeyId) {
		return nil, refuse(remedy, "its subject key identifier is %x, and what this key has signed names %x as its issuer's", cross[0].SubjectKeyId, s.cert.SubjectKeyId)
	}
	return raw(cross), nil
}

func raw(certs []*x509.Certificate) (ders [][]byte) {
	for _, c := range certs {
		ders = append(ders, c.Raw)
	}
	return ders
}

// DefaultSubject is what a request calls a tenant's authority if nobody says otherwise.
func (c *CA) DefaultSubject(tenant string) pkix.Name {
	return pkix.Name{CommonName: "CloudVLAN " + tenant + " " + c.Domain()}
}

// maxSubject bounds what a subject is made of (RFC 5280, appendix A.1: ub-common-name, ub-organization-name).
const maxSubject = 64

// ParseSubject reads a distinguished name as people write it, CN first or last: CN=…,OU=…,O=…,L=…,ST=…,C=… (RFC 4514). A comma in a value is
// written as \, and of the kinds there are no others.
func ParseSubject(text string) (n pkix.Name, err error) {
	parts := map[string]*[]string{"OU": &n.OrganizationalUnit, "O": &n.Organization, "L": &n.Locality, "ST": &n.Province, "C": &n.Country}
	const comma = "\x00"
	for p := range strings.SplitSeq(strings.ReplaceAll(text, `\,`, comma), ",") {
		kind, value, ok := strings.Cut(p, "=")
		kind, value = strings.ToUpper(strings.TrimSpace(kind)), strings.TrimSpace(strings.ReplaceAll(value, comma, ","))
		switch list := parts[kind]; {
		case !ok || value == "" || len(value) > maxSubject || clean.Line(value, maxSubject) != value:
			return n, fmt.Errorf("subject: %.80q is not KIND=VALUE with at most %d letters", p, maxSubject)
		case kind == "C" && len(value) != 2:
			return n, fmt.Errorf("subject: the country %q is not one of two letters", value)
		case list != nil && len(*list) < 4:
			*list = append(slices.Clone(*list), value)
		case kind == "CN" && n.CommonName == "":
			n.CommonName = value
		default:
			return n, fmt.Errorf("subject: %.20q is not known or is there too often; there are CN, OU, O, L, ST and C", kind)
		}
	}
	if n.CommonName == "" {
		return n, errors.New("subject: it has no common name (CN=…)")
	}
	return n, nil
}
