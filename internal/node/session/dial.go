package session

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/trust"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control"
)

// Target says where a controller may be found, and whom to accept as one.
type Target struct {
	Addrs     []string // host:port, most wanted first
	Transport stream.Transport
	TLS       *tls.Config
	// Remember is a name for what was found to work: the transport that won is tried first next time.
	Remember string
}

// Dialer connects to a controller. Its errors say what was tried and why each attempt failed; a failed check of certificates stays
// visible to errors.Is.
type Dialer func(context.Context, Target) (stream.Stream, error)

// tlsConfig accepts the controller under the pin, whatever its address is called: package trust says why names are ignored. A nil
// chain is a machine that has no certificate yet.
func tlsConfig(pin [32]byte, clock *Clock, chain [][]byte, id key.Identity) *tls.Config {
	c := &tls.Config{
		MinVersion:         tls.VersionTLS13,
		NextProtos:         []string{control.ALPN},
		InsecureSkipVerify: true,
		VerifyConnection: func(s tls.ConnectionState) error {
			_, err := trust.VerifyController(s.PeerCertificates, pin, clock.Instant())
			return err
		},
	}
	if chain != nil {
		c.Certificates = []tls.Certificate{{Certificate: chain, PrivateKey: id.Signer()}}
	}
	return c
}

func (s *Session) dial(ctx context.Context) (stream.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	t := s.cfg.Transport
	if (t == "" || t == stream.Auto) && s.steer != "" {
		t = s.steer
	}
	m := &s.cfg.Membership
	return s.cfg.Dial(ctx, Target{
		Addrs: s.dialed(), Transport: t, Remember: m.Network.String(),
		TLS: tlsConfig(m.Pin, s.cfg.Clock, s.chain, s.cfg.Identity),
	})
}

// suspect looks for a deeper reason why an attempt failed before Welcome: our own certificate may have run out.
func (s *Session) suspect(e ending) ending {
	end, now := until(s.chain), s.cfg.Clock.Now()
	if e.stopped || e.verdict != Fine || end.IsZero() || !now.After(end) {
		return e
	}
	e.verdict = Expired
	e.problem = &Problem{codeExpired,
		fmt.Sprintf("this node's certificate ended on %s, and this machine takes it to be %s", stamp(end), stamp(now)),
		"if the clock is wrong, set it (timedatectl); else ask for a new join key and run: cvlan down --forget, then cvlan up --key-file FILE"}
	return e
}

func dialProblem(err error) *Problem {
	why := clean.Line(err.Error(), 400)
	switch {
	case errors.Is(err, trust.ErrExpired):
		return &Problem{codeClock, "the controller's certificate is not valid now: " + why, "check this machine's clock (timedatectl), then the controller's"}
	case errors.Is(err, trust.ErrPin), errors.Is(err, trust.ErrRole):
		return &Problem{codeUntrusted, "what answered is not the controller: " + why, "check the address in the join key; a controller that was set up anew needs a new join key"}
	default:
		return &Problem{codeUnreachable, "the controller cannot be reached: " + why, "check this machine's connection and that the controller runs"}
	}
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// parseChain reads certificates that travelled as DER.
func parseChain(der [][]byte) ([]*x509.Certificate, error) {
	if len(der) > 4 {
		return nil, fmt.Errorf("certificate chain of %d", len(der))
	}
	var chain []*x509.Certificate
	for _, d := range der {
		c, err := x509.ParseCertificate(d)
		if err != nil {
			return nil, err
		}
		chain = append(chain, c)
	}
	return chain, nil
}

// until is the end of a chain's leaf; zero if there is none.
func until(chain [][]byte) time.Time {
	_, end := validity(chain)
	return end
}

func validity(chain [][]byte) (from, to time.Time) {
	if len(chain) == 0 {
		return from, to
	}
	c, err := x509.ParseCertificate(chain[0])
	if err != nil {
		return from, to
	}
	return c.NotBefore, c.NotAfter
}
