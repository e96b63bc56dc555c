package caller

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/proto/relay"
)

// Certificate makes a self-signed one with a name.
func Certificate(name string) (tls.Certificate, error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: k}, err
}

// NodeCertificate makes one that Anyone believes.
func NodeCertificate(tenant ident.Tenant, node ident.Node) (tls.Certificate, error) {
	return Certificate(fmt.Sprintf("%d/%d", tenant, node))
}

// Anyone admits whoever shows a NodeCertificate, for as long as that is good: a server.Admitter.
type Anyone struct{}

// Admit implements server.Admitter.
func (Anyone) Admit(state *tls.ConnectionState) (tenant ident.Tenant, node ident.Node, notAfter time.Time, err error) {
	if len(state.PeerCertificates) == 0 {
		return 0, 0, time.Time{}, errors.New("no certificate")
	}
	c := state.PeerCertificates[0]
	_, err = fmt.Sscanf(c.Subject.CommonName, "%d/%d", &tenant, &node)
	return tenant, node, c.NotAfter, err
}

// ServerTLS is the configuration of a relay for such clients.
func ServerTLS() (*tls.Config, error) {
	c, err := Certificate("relay")
	return &tls.Config{Certificates: []tls.Certificate{c}, ClientAuth: tls.RequireAnyClientCert, SessionTicketsDisabled: true}, err
}

// ClientTLS is the configuration of a client with a certificate.
func ClientTLS(c tls.Certificate) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{c}, InsecureSkipVerify: true, NextProtos: []string{relay.ALPN}, MinVersion: tls.VersionTLS13}
}
