package ca

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"net/url"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/trust"
)

// ikeUsage is id-kp-ipsecIKE (RFC 4945, section 5.1.3.12): strict IPsec peers ask for it.
var ikeUsage = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 17}

// Intermediate makes the authority of a new tenant; the caller keeps it (store.CreateTenant).
func (c *CA) Intermediate(t ident.Tenant) (store.Authority, error) {
	k, err := newKey()
	if err != nil {
		return store.Authority{}, err
	}
	cert, err := sign(c.intermediate(t), c.root, &k.PublicKey)
	if err != nil {
		return store.Authority{}, err
	}
	return c.seal(t, signer{cert: cert, key: k})
}

func (c *CA) intermediate(t ident.Tenant) *x509.Certificate {
	tmpl := template(trust.TenantName(c.Domain(), t), c.now(), TenantLife, c.root.cert.NotAfter)
	tmpl.IsCA, tmpl.MaxPathLenZero = true, true
	tmpl.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	tmpl.PermittedDNSDomainsCritical = true // of all name constraints, whatever the field is called
	tmpl.PermittedURIDomains = []string{c.Domain()}
	return tmpl
}

// IssueNode issues a node's certificate for the key of a PKCS #10 request and returns the chain in DER (the node's, then its
// tenant's authority's) and its end. Whether the key is that node's is the caller's to check.
func (c *CA) IssueNode(ctx context.Context, t ident.Tenant, n ident.Node, csr []byte) (chain [][]byte, until time.Time, err error) {
	public, err := parseRequest(csr)
	if err != nil {
		return nil, until, err
	}
	inter, err := c.issuer(ctx, t)
	if err != nil {
		return nil, until, fmt.Errorf("certificate for node %s: %w", n, err)
	}
	cert, err := sign(c.nodeTemplate(t, n, inter.cert), inter, public)
	if err != nil {
		return nil, until, fmt.Errorf("certificate for node %s: %w", n, err)
	}
	return [][]byte{cert.Raw, inter.cert.Raw}, cert.NotAfter, nil
}

func (c *CA) nodeTemplate(t ident.Tenant, n ident.Node, by *x509.Certificate) *x509.Certificate {
	tmpl := template(trust.NodeName(c.Domain(), t, n), c.now(), NodeLife, by.NotAfter)
	tmpl.KeyUsage = x509.KeyUsageDigitalSignature
	tmpl.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	tmpl.UnknownExtKeyUsage = []asn1.ObjectIdentifier{ikeUsage}
	return tmpl
}

// issuer loads a tenant's authority, if it is good for something.
func (c *CA) issuer(ctx context.Context, t ident.Tenant) (signer, error) {
	s, err := c.load(ctx, t)
	if err != nil {
		return s, err
	}
	if ends := s.cert.NotAfter; !c.now().Before(ends) {
		return s, fmt.Errorf("the authority of tenant %s ended on %s", t, ends.UTC().Format(time.DateOnly))
	}
	return s, nil
}

// IssueRelay issues a relay's certificate for the key of a PKCS #10 request, good for both ends of TLS, and returns it in DER and its
// end. Whether the key is that relay's is the caller's to check.
func (c *CA) IssueRelay(r ident.Relay, csr []byte) (leaf []byte, until time.Time, err error) {
	public, err := parseRequest(csr)
	if err != nil {
		return nil, until, err
	}
	tmpl := template(trust.RelayName(c.Domain(), r), c.now(), RelayLife, c.root.cert.NotAfter)
	tmpl.KeyUsage = x509.KeyUsageDigitalSignature
	tmpl.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	cert, err := sign(tmpl, c.root, public)
	if err != nil {
		return nil, until, fmt.Errorf("certificate for relay %s: %w", r, err)
	}
	return cert.Raw, cert.NotAfter, nil
}

func selfSign(domain string, now time.Time) (signer, error) {
	k, err := newKey()
	if err != nil {
		return signer{}, err
	}
	tmpl := template(trust.Name{}, now, RootLife, now.Add(RootLife))
	tmpl.Subject = pkix.Name{CommonName: domain}
	tmpl.IsCA, tmpl.MaxPathLen = true, 1
	tmpl.KeyUsage = x509.KeyUsageCertSign
	cert, err := sign(tmpl, signer{cert: tmpl, key: k}, &k.PublicKey)
	return signer{cert: cert, key: k}, err
}

// template is what all certificates share. None outlives its issuer.
func template(n trust.Name, now time.Time, life time.Duration, issuerEnds time.Time) *x509.Certificate {
	t := &x509.Certificate{
		SerialNumber:          serial(),
		NotBefore:             now.Add(-Backdate),
		NotAfter:              now.Add(life),
		BasicConstraintsValid: true,
	}
	if t.NotAfter.After(issuerEnds) {
		t.NotAfter = issuerEnds
	}
	switch n.Role {
	case trust.RoleTenant:
		t.Subject.CommonName = n.Tenant.String()
	case trust.RoleNode:
		t.Subject.CommonName = n.Node.String()
	case trust.RoleController:
		t.Subject.CommonName = n.Controller.String()
	case trust.RoleRelay:
		t.Subject.CommonName = n.Relay.String()
	}
	if n.Role != 0 {
		t.URIs = []*url.URL{n.URI()}
	}
	return t
}

// sign makes the certificate and reads it back, so that what is returned is what others will see.
func sign(tmpl *x509.Certificate, by signer, public *ecdsa.PublicKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, tmpl, by.cert, public, by.key)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return x509.ParseCertificate(der)
}

func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

// serial draws 127 random bits: positive, and within the 20 octets of RFC 5280, section 4.1.2.2.
func serial() *big.Int {
	b := make([]byte, 16)
	rand.Read(b)
	b[0] &= 0x7f
	b[15] |= 1 // never zero
	return new(big.Int).SetBytes(b)
}
