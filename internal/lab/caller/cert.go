package caller

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net/url"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/trust"
	"github.com/cvlan/cvlan/proto/relay"
)

// Certificate makes a self-signed one with a name.
func Certificate(name string) (tls.Certificate, error) {
	c := &x509.Certificate{Subject: pkix.Name{CommonName: name}}
	return sign(c, c)
}

// ikeUsage is in every node's certificate (RFC 4945, section 5.1.3.12).
var ikeUsage = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 17}

// NodeCertificate makes one that Anyone believes. It says what a node's says (controller/ca), so that it costs a relay as much.
func NodeCertificate(tenant ident.Tenant, node ident.Node) (tls.Certificate, error) {
	authority := &x509.Certificate{Subject: pkix.Name{CommonName: tenant.String()}, SubjectKeyId: make([]byte, 20)}
	return sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: node.String()}, URIs: []*url.URL{trust.NodeName("k7mplant", tenant, node).URI()}, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		UnknownExtKeyUsage: []asn1.ObjectIdentifier{ikeUsage},
	}, authority)
}

// sign makes a certificate of a template, in an issuer's name, with the key that it is for. It is good for a day.
func sign(c, issuer *x509.Certificate) (tls.Certificate, error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	c.SerialNumber, c.NotAfter = new(big.Int).Lsh(big.NewInt(1), 120), time.Now().Add(24*time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, c, issuer, &k.PublicKey, k)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: k}, err
}

// Anyone admits whoever shows a NodeCertificate, for as long as that is good: a server.Admitter.
type Anyone struct{}

// Admit implements server.Admitter.
func (Anyone) Admit(c *x509.Certificate) (tenant ident.Tenant, node ident.Node, notAfter time.Time, err error) {
	n, err := trust.NameOf(c)
	return n.Tenant, n.Node, c.NotAfter, err
}

// ServerTLS is the configuration of a relay for such clients.
func ServerTLS() (*tls.Config, error) {
	c, err := Certificate("relay")
	return &tls.Config{Certificates: []tls.Certificate{c}}, err
}

// ClientTLS is the configuration of a client of any relay.
func ClientTLS() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, NextProtos: []string{relay.ALPN}, MinVersion: tls.VersionTLS13}
}
