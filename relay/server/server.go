package server

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/forward"
	"github.com/cvlan/cvlan/internal/sys/quicx"
	"github.com/cvlan/cvlan/proto/relay"
)

// Server is a relay. New opens its sockets, Run serves.
type Server struct {
	cfg     Config
	tls     *tls.Config
	sockets Sockets
	quic    *quicx.Port
	clock   mono.Clock
	owner   owner
	workers []*worker
	doors   struct{ tcp, quic, open *door }

	lock     sync.RWMutex // see the package comment of core/forward
	table    *forward.Table
	toll     forward.Toll // nil: none
	books    []*shelf     // of workers, then of carriers
	carriers map[uint32]*carrier
	ended    bool                           // no carriers any more
	retired  map[ident.Tenant]forward.Meter // of tenants whose slot went to another
	refused  [forward.Drops]uint64          // control frames that the owner refused

	visits   chan ident.Relay // that the owner wants to be registered at
	lastConn atomic.Uint32
	carried  sync.WaitGroup // goroutines of carriers and their handshakes
	calm     calm
	sleepers sleepers
}

// New opens a relay's sockets.
func New(cfg Config) (*Server, error) {
	sockets := cfg.Sockets
	if err := cfg.fill(); err != nil {
		sockets.close()
		return nil, err
	}
	if sockets.none() {
		var err error
		if sockets, err = open(&cfg); err != nil {
			return nil, err
		}
	}
	s := &Server{
		toll: newToll(cfg.TenantRate),
		cfg:  cfg, sockets: sockets, clock: mono.NewClock(),
		table: forward.NewTable(cfg.Forward), carriers: map[uint32]*carrier{}, retired: map[ident.Tenant]forward.Meter{},
		visits: make(chan ident.Relay, forward.MaxNeighbours),
	}
	s.calm.tell, s.sleepers.at = cfg.Calm, map[netip.AddrPort]*overQUIC{}
	s.tls = cfg.TLS.Clone()
	s.tls.NextProtos, s.tls.MinVersion, s.tls.DynamicRecordSizingDisabled = []string{relay.ALPN}, tls.VersionTLS13, true
	s.tls.ClientAuth, s.tls.SessionTicketsDisabled = tls.NoClientCert, true
	s.doors.tcp, s.doors.quic = newDoor(cfg.Handshakes, cfg.PerSource), newDoor(cfg.Handshakes, cfg.PerSource)
	s.doors.open = newDoor(cfg.Connections, 0)
	s.owner = newOwner(s, forward.New(cfg.Forward, rand.Reader))
	for _, u := range sockets.UDP {
		s.workers = append(s.workers, newWorker(s, u, s.shelve(), false))
	}
	for range carrierShelves {
		s.shelve()
	}
	for _, u := range sockets.STUN {
		s.workers = append(s.workers, newWorker(s, u, s.books[0], true))
	}
	if len(sockets.UDP) > 0 && len(sockets.STUN) > 0 {
		for _, w := range s.workers {
			w.other = sockets.STUN[0]
			if w.stunOnly {
				w.other = sockets.UDP[0]
			}
		}
	}
	if sockets.QUIC != nil {
		if err := s.openQUIC(); err != nil {
			sockets.QUIC = nil // closed with the port
			sockets.close()
			return nil, err
		}
	}
	return s, nil
}

// carrierShelves is how many books the carriers share.
const carrierShelves = 2

// shelf is a book that several may use in turn, all under the read lock.
type shelf struct {
	sync.Mutex
	*forward.Book
}

func (s *Server) shelve() *shelf {
	b := &shelf{Book: forward.NewBook(s.cfg.NodeRate, s.toll)}
	s.books = append(s.books, b)
	return b
}

// Port is the port that the relay listens on, for UDP and TCP alike.
func (s *Server) Port() uint16 {
	switch {
	case len(s.sockets.UDP) > 0:
		return s.sockets.UDP[0].Port()
	case s.quic != nil:
		return s.quic.Addr().Port()
	case s.sockets.TCP != nil:
		return netip.MustParseAddrPort(s.sockets.TCP.Addr().String()).Port()
	}
	return 0
}

// Run serves until the context ends, which is no error, or a socket fails. When it returns, all goroutines have ended and the sockets are
// closed.
func (s *Server) Run(parent context.Context) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	var parts sync.WaitGroup
	part := func(run func(context.Context) error) {
		parts.Go(func() {
			if err := run(ctx); err != nil {
				cancel(err)
			}
		})
	}
	ownerCtx, stopOwner := context.WithCancel(context.Background())
	defer stopOwner()
	var ownerDone sync.WaitGroup
	ownerDone.Go(func() { s.owner.run(ownerCtx) })
	for _, w := range s.workers {
		part(w.run)
	}
	part(s.visit)
	part(s.sleepers.sweep)
	if s.sockets.TCP != nil {
		part(s.acceptTCP)
	}
	if s.quic != nil {
		part(s.acceptQUIC)
	}
	<-ctx.Done()
	if s.sockets.TCP != nil {
		s.sockets.TCP.Close()
	}
	s.cutAll()
	s.closeUDP()
	parts.Wait()
	s.carried.Wait()
	s.calm.stop()
	stopOwner()
	ownerDone.Wait()
	if err := context.Cause(ctx); parent.Err() == nil {
		return err
	}
	return nil
}

func (s *Server) closeUDP() {
	for _, w := range s.workers {
		w.sock.Close()
	}
	if s.quic != nil {
		s.quic.Close()
	}
}

// Revoke cuts a node off at once.
func (s *Server) Revoke(node ident.Node) {
	s.owner.call(func(m *forward.Machine, _ mono.Time, out *forward.Out) { m.Revoke(node, out) })
}

// RevokeTenant cuts all nodes of a tenant off at once.
func (s *Server) RevokeTenant(t ident.Tenant) {
	s.owner.call(func(m *forward.Machine, _ mono.Time, out *forward.Out) { m.RevokeTenant(t, out) })
}

// Drain lets nobody new in, tells the clients to go elsewhere, and returns when all have or the context ends. Flows go on meanwhile.
func (s *Server) Drain(ctx context.Context) error {
	t := time.NewTicker(100 * time.Millisecond)
	defer t.Stop()
	for {
		left := 0
		s.owner.call(func(m *forward.Machine, now mono.Time, _ *forward.Out) {
			m.Drain(now)
			left = m.Clients()
		})
		if left == 0 {
			return nil
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
