package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/core/forward"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/proto/relay"
)

// Admitter says who registers. It is called once a connection, from many goroutines, when the peer has proved that it holds the key of a certificate.
type Admitter interface {
	// Admit returns who the certificate speaks for and until when, and keeps nothing of it. An error turns the peer away; it learns NotPermitted.
	Admit(c *x509.Certificate) (tenant ident.Tenant, node ident.Node, notAfter time.Time, err error)
}

// Region is how a relay meets the others of its region (see internal/core/forward).
type Region interface {
	// AdmitRelay returns which relay the certificate speaks for, and until when. An error says that it is none of the region. It is called as Admit is.
	AdmitRelay(c *x509.Certificate) (id ident.Relay, notAfter time.Time, err error)
	// Register registers us at another, and returns where that takes UDP. The connection has ended then. It may be called for several at a time.
	Register(ctx context.Context, id ident.Relay) (w relay.Welcome, at netip.AddrPort, err error)
}

// Config says what a relay is made of. Sockets belong to the server from New on, also when New fails.
type Config struct {
	Forward forward.Config
	// NodeRate and TenantRate bound what a node and the nodes of a tenant together may send. Zero bounds nothing.
	NodeRate, TenantRate forward.Rate
	// TLS shows the relay's certificate; clients show theirs when they register. The server sets ALPN and version, and resumes no sessions.
	TLS   *tls.Config
	Admit Admitter
	// Region is how others are met whom SetRegion names; nil: none are.
	Region Region
	Log    *slog.Logger // nil: silent

	// Port is the port for UDP, QUIC and TLS alike; 0: one that is free. STUN is one more for STUN alone; 0: none.
	Port, STUN uint16
	// Workers is how many share the UDP port; 0: as many as GOMAXPROCS.
	Workers int
	// Handshakes bounds those under way on each transport, PerSource those from one IPv4 address or IPv6 /64, Connections all that are
	// open. 0: 512, 128 and 50,000.
	Handshakes, PerSource, Connections int
	// ResetKey and TokenKey are QUIC's: see quicx.Config.
	ResetKey, TokenKey [32]byte

	// Calm is called when a storm of connections is over and what it has left behind can be cleared away: a program that is a relay and nothing
	// else gives debug.FreeOSMemory. nil: nothing is called.
	Calm func()

	// Sockets replace the system's. With any of them Port and STUN are not used, and what is missing is not served.
	Sockets Sockets
}

// GCPercent is what a program that is a relay and nothing else gives debug.SetGCPercent, unless GOGC is set: what clients keep is most of its heap, and room between
// them is what the collector leaves. See docs/adr/0051 for the price.
const GCPercent = 50

// Sockets are what a relay listens on.
type Sockets struct {
	UDP  []sock.Socket  // one a worker, all on one port
	STUN []sock.Socket  // that answer questions and do nothing else
	QUIC net.PacketConn // gets QUIC only
	TCP  net.Listener
}

func (s *Sockets) none() bool {
	return len(s.UDP) == 0 && len(s.STUN) == 0 && s.QUIC == nil && s.TCP == nil
}

func (s *Sockets) close() {
	for _, u := range s.UDP {
		u.Close()
	}
	for _, u := range s.STUN {
		u.Close()
	}
	if s.QUIC != nil {
		s.QUIC.Close()
	}
	if s.TCP != nil {
		s.TCP.Close()
	}
}

// fill puts the defaults in place, and tells what is wrong.
func (c *Config) fill() error {
	c.Forward = c.Forward.Filled()
	for _, f := range []struct {
		field *int
		value int
	}{{&c.Workers, runtime.GOMAXPROCS(0)}, {&c.Handshakes, 512}, {&c.PerSource, 128}, {&c.Connections, 50_000}} {
		if *f.field == 0 {
			*f.field = f.value
		}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	err := c.Forward.Validate()
	if c.TLS == nil || c.Admit == nil {
		err = errors.Join(err, errors.New("relay: no TLS configuration, or nobody who admits"))
	}
	return err
}
