package relays

import (
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/trust"
	"github.com/cvlan/cvlan/internal/node/session"
	"github.com/cvlan/cvlan/proto/relay"
)

// configOf shows the node's certificate, without its authority's, which a relay knows, and accepts one relay. InsecureSkipVerify turns off only what does not apply, public authorities and names of hosts.
func configOf(c session.Credentials, to ident.Relay) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		NextProtos:         []string{relay.ALPN},
		InsecureSkipVerify: true,
		VerifyConnection:   func(cs tls.ConnectionState) error { return verify(&cs, c, to) },
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if c.Certificate == nil {
				return nil, errors.New("this node has no certificate yet")
			}
			alone := *c.Certificate
			alone.Certificate = alone.Certificate[:1]
			return &alone, nil
		},
	}
}

func verify(cs *tls.ConnectionState, c session.Credentials, to ident.Relay) error {
	if cs.NegotiatedProtocol != relay.ALPN {
		return errors.New("what answers is no relay")
	}
	now := c.Now
	if now == nil {
		now = trust.Clock{}.Now
	}
	name, err := trust.VerifyRelay(cs.PeerCertificates, c.Pin, now())
	if err != nil {
		return err
	}
	if name.Relay != to {
		return fmt.Errorf("%w: relay %s answers where relay %s is wanted", trust.ErrRole, name.Relay, to)
	}
	return nil
}
