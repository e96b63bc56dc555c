package session

import (
	"crypto/tls"
	"crypto/x509"

	"github.com/cvlan/cvlan/internal/base/trust"
)

// Credentials are what the node shows of itself to others than the controller, and by what it knows them.
type Credentials struct {
	Certificate *tls.Certificate
	Pin         [32]byte             // of the root
	Now         func() trust.Instant // the trusted clock
}

// Credentials returns those of now; the certificate is renewed from time to time. It may be called from any goroutine.
func (s *Session) Credentials() Credentials {
	return Credentials{s.shown.Load(), s.cfg.Membership.Pin, s.cfg.Clock.Instant}
}

// show takes a chain for the one that others are shown.
func (s *Session) show(chain [][]byte) {
	c := &tls.Certificate{Certificate: chain, PrivateKey: s.cfg.Identity.Signer()}
	if len(chain) > 0 {
		c.Leaf, _ = x509.ParseCertificate(chain[0]) // without it, who needs it reads it, and says what is wrong
	}
	s.shown.Store(c)
}
