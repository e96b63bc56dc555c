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

// configOf accepts one relay, and shows no certificate: the Register frame does. InsecureSkipVerify turns off only what does not apply, public authorities and names of hosts.
func configOf(c session.Credentials, to ident.Relay) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		NextProtos:         []string{relay.ALPN},
		InsecureSkipVerify: true,
		VerifyConnection:   func(cs tls.ConnectionState) error { return verify(&cs, c, to) },
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
