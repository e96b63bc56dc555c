package stream

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/quic-go/quic-go"

	"github.com/cvlan/cvlan/internal/base/trust"
	"github.com/cvlan/cvlan/proto/control"
)

// ServerTLS is what the controller's end proves and asks for.
type ServerTLS struct {
	// Certificate returns the controller's certificate, renewed whenever it has to be.
	Certificate func() (*tls.Certificate, error)
	// Admit judges the chain that a node presented, leaf first; at least trust.VerifyNode. It is called in every handshake, resumed
	// ones included, so that a certificate that has expired or a node that was removed does not live on in a session ticket. It is
	// called before the peer has proved that it holds the key: it must have no effect. What it refuses, the peer learns as ErrRefused
	// only; a node that is to be told why is admitted here and sent away in the stream.
	Admit func(chain []*x509.Certificate) error
}

// config returns the configuration for node streams; web the one for everything else.
func (s ServerTLS) config() *tls.Config {
	c := s.web()
	c.NextProtos = []string{control.ALPN}
	c.ClientAuth = tls.RequestClientCert // not demanded: who has none may join; not verified by crypto/tls, which knows no roles
	c.VerifyConnection = func(cs tls.ConnectionState) error {
		if len(cs.PeerCertificates) == 0 {
			return nil // a stranger; the listener bounds what it can do
		}
		return s.Admit(cs.PeerCertificates)
	}
	return c
}

func (s ServerTLS) web() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS13,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.Certificate() },
	}
}

// routed returns a configuration that becomes one or the other by what the client offers, so that browsers are never asked for a
// certificate.
func (s ServerTLS) routed() *tls.Config {
	node, c := s.config(), s.web()
	c.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		if slices.Contains(h.SupportedProtos, control.ALPN) {
			return node, nil
		}
		return nil, nil
	}
	return c
}

// hosting returns a configuration that becomes a guest's if the client offers its protocol.
func hosting(c *tls.Config, guests []Guest) *tls.Config {
	if len(guests) == 0 {
		return c
	}
	configs := map[string]*tls.Config{}
	for _, g := range guests {
		configs[g.ALPN] = g.TLS.Clone()
		configs[g.ALPN].NextProtos = []string{g.ALPN}
	}
	ours := c.GetConfigForClient
	c.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		for _, p := range h.SupportedProtos {
			if theirs := configs[p]; theirs != nil {
				return theirs, nil
			}
		}
		if ours != nil {
			return ours(h)
		}
		return nil, nil
	}
	return c
}

// ClientTLS is what a node's end proves and asks for.
type ClientTLS struct {
	// Pin is the root's, from the join key: see trust.VerifyController.
	Pin [32]byte
	// Now reads the trusted clock; nil: one that has heard nothing.
	Now func() trust.Instant
	// Certificate is the node's, with its tenant's authority behind it; nil for a machine that joins.
	Certificate *tls.Certificate
	// Sessions makes reconnecting cheaper; nil: full handshakes. A ticket speaks for the certificate that it was given to: use a new
	// cache whenever the certificate changes.
	Sessions tls.ClientSessionCache
}

// Config returns the configuration for Dial. InsecureSkipVerify turns off only what does not apply here, public authorities and names
// of hosts; VerifyConnection checks the pin and the role, also when a session is resumed.
func (c ClientTLS) Config() *tls.Config {
	now := c.Now
	if now == nil {
		now = trust.Clock{}.Now
	}
	conf := &tls.Config{
		MinVersion:         tls.VersionTLS13,
		NextProtos:         []string{control.ALPN},
		InsecureSkipVerify: true,
		ClientSessionCache: c.Sessions,
		VerifyConnection: func(cs tls.ConnectionState) error {
			_, err := trust.VerifyController(cs.PeerCertificates, c.Pin, now())
			return err
		},
	}
	if c.Certificate != nil {
		conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c.Certificate, nil }
	}
	return conf
}

// ErrRefused is why a stream ends when the controller does not accept this machine's certificate. TLS 1.3 tells the client only after
// its own side of the handshake, so it comes from Recv or Send.
var ErrRefused = errors.New("the controller refuses this machine's certificate; if it has expired or the node was deleted, join again with a new key")

// refusals are the alerts that are about the certificate (RFC 8446, section 6.2).
var refusals = []tls.AlertError{42, 43, 44, 45, 46, 48, 49, 116}

// explain wraps an error into ErrRefused if that is what it means.
func explain(err error) error {
	if refused(err) {
		return fmt.Errorf("%w (%w)", ErrRefused, err)
	}
	return err
}

// refused reports whether the peer ended the connection because of our certificate.
func refused(err error) bool {
	var over *quic.TransportError
	if errors.As(err, &over) && over.ErrorCode.IsCryptoError() {
		return over.Remote && slices.Contains(refusals, tls.AlertError(over.ErrorCode&0xff))
	}
	var alert *net.OpError // how crypto/tls tells an alert of the peer's; the alert in it has a type of its own
	if !errors.As(err, &alert) || alert.Op != "remote error" {
		return false
	}
	return slices.ContainsFunc(refusals, func(a tls.AlertError) bool { return a.Error() == alert.Err.Error() })
}
