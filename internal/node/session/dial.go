package session

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/trust"
	"github.com/cvlan/cvlan/internal/sys/stream"
)

// Target says where a controller may be found, and whom to accept as one.
type Target struct {
	Addrs     []string // host:port, most wanted first
	Transport stream.Transport
	TLS       *tls.Config
	// Remember is a name for what is found to work, so that it is tried first next time; "": nothing is remembered.
	Remember string
	// Afresh asks for a search without that memory: what was not possible ten minutes ago may be so now.
	Afresh bool
	// Silent is told since when the controller has not answered on the connection, and the zero time when it answers again. It does not block.
	Silent func(since time.Time)
}

// Dialer connects to a controller. Its errors say what was tried and why each attempt failed; a failed check of certificates stays
// visible to errors.Is.
type Dialer func(context.Context, Target) (stream.Stream, error)

// afreshEvery is how long what won a race is believed.
const afreshEvery = 10 * time.Minute

func (s *Session) dial(ctx context.Context, silent func(time.Time)) (stream.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	m, now := &s.cfg.Membership, time.Now()
	t := Target{Addrs: s.dialed(), Transport: *s.by.Load(), Remember: m.Network.String(), Afresh: now.Sub(s.raced) >= afreshEvery, Silent: silent}
	if (t.Transport == "" || t.Transport == stream.Auto) && s.steer != "" {
		t.Transport = s.steer
	}
	if t.Afresh {
		s.raced = now
	}
	t.TLS = stream.ClientTLS{Pin: m.Pin, Now: s.cfg.Clock.Instant, Sessions: s.tickets,
		Certificate: &tls.Certificate{Certificate: s.chain, PrivateKey: s.cfg.Identity.Signer()}}.Config()
	return s.cfg.Dial(ctx, t)
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
		"if the clock is wrong, set it (timedatectl); else ask for a new join key and run: sudo cvlan logout, then sudo cvlan up --key-file FILE"}
	return e
}

func dialProblem(err error) *Problem {
	why := clean.Line(err.Error(), 400)
	var tried *stream.DialError
	switch {
	case errors.Is(err, trust.ErrExpired):
		return &Problem{codeClock, "the controller's certificate is not valid now: " + why, "check this machine's clock (timedatectl), then the controller's"}
	case errors.Is(err, trust.ErrPin), errors.Is(err, trust.ErrRole):
		return &Problem{codeUntrusted, "what answered is not the controller: " + why, "is there a login page? open a browser and look; if the controller was set up anew, ask for a new join key; else check the address in yours"}
	case errors.As(err, &tried):
		return &Problem{codeUnreachable, clean.Line(tried.Why(), 400), tried.Hint()}
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
