package wg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.zx2c4.com/wireguard/device"
	"golang.zx2c4.com/wireguard/tun"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/logx"
)

// Config is what a tunnel is made of.
type Config struct {
	Private key.WGPrivate
	Port    uint16       // UDP; 0: DefaultPort if it is free, else any
	TUN     tun.Device   // the tunnel's from now on: it closes it, also if New fails
	Log     *slog.Logger // nil: silent
}

// stock is a Tunnel on the library's device.
//
// What it costs, measured: some 40 KB and two goroutines a peer, busy or not. Under load the library's queues are unbounded and it
// takes a buffer of 64 KB a packet; it offers no knob for either on Linux.
type stock struct {
	dev    *device.Device
	bind   *bind
	guard  *guard
	public key.WGPublic
	log    *slog.Logger

	done    chan struct{} // closed when the device has ended by itself
	watched sync.WaitGroup
	closing atomic.Bool

	mu    sync.Mutex // configuration, one change at a time
	peers map[key.WGPublic]Peer
	owner map[netip.Prefix]key.WGPublic // of each allowed range: the library gives it to the last who asked
	asked *time.Timer                   // Wake's second question
}

var (
	_ Tunnel      = (*stock)(nil)
	_ SourceGuard = (*stock)(nil)
)

// New starts a tunnel.
func New(c Config) (Tunnel, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Private.IsZero() {
		c.TUN.Close()
		return nil, errors.New("start the tunnel: no private key")
	}
	s := &stock{
		bind: newBind(c.Port, c.Log), guard: newGuard(c.TUN), public: c.Private.Public(), log: c.Log,
		done: make(chan struct{}), peers: map[key.WGPublic]Peer{}, owner: map[netip.Prefix]key.WGPublic{},
	}
	s.asked = time.AfterFunc(device.RekeyTimeout, s.askAgain)
	s.asked.Stop()
	s.dev = device.NewDevice(s.guard, s.bind, logger(c.Log))
	s.watched.Go(s.watch)
	err := s.dev.IpcSet("private_key=" + c.Private.Hex() + "\n")
	if err == nil {
		err = s.dev.Up()
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		err = fmt.Errorf("UDP port %d is taken; choose another, or 0 for any: %w", c.Port, err)
	}
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("start the tunnel: %w", err)
	}
	return s, nil
}

// logger passes the library's complaints on at Debug: they have addresses of peers in them, and come by the packet. What it says
// besides is left unsaid.
func logger(log *slog.Logger) *device.Logger {
	return &device.Logger{
		Verbosef: device.DiscardLogf,
		Errorf: func(format string, args ...any) {
			if log.Enabled(context.Background(), slog.LevelDebug) {
				log.Debug("the tunnel complains", logx.Err, fmt.Sprintf(format, args...))
			}
		},
	}
}

// watch waits for the device's end and tells it if nobody asked for it.
func (s *stock) watch() {
	<-s.dev.Wait()
	if !s.closing.Load() {
		close(s.done)
	}
}

// SetPeer implements Tunnel.
func (s *stock) SetPeer(p Peer) error {
	p, err := p.clean(s.public)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old, known := s.peers[p.Key]
	if !known && len(s.peers) == MaxPeers {
		return fmt.Errorf("set the peer %s: %d peers already", p.Key.Short(), MaxPeers)
	}
	text := newPeerText(p)
	if known {
		text = changeText(p.Key, old.Allowed, p.Allowed)
	}
	s.bind.add(p.Key)
	if !known || !slices.Equal(old.Candidates, p.Candidates) {
		s.bind.setCandidates(p.Key, p.Candidates)
	}
	if text != "" {
		if err := s.dev.IpcSet(text); err != nil {
			if !known {
				s.bind.remove(p.Key)
			}
			return fmt.Errorf("set the peer %s: %w", p.Key.Short(), err)
		}
	}
	s.own(p, old.Allowed)
	return nil
}

// own keeps the books as the library does: a range belongs to the last peer that was given it.
func (s *stock) own(p Peer, before []netip.Prefix) {
	for _, a := range before {
		if s.owner[a] == p.Key {
			delete(s.owner, a)
		}
	}
	for _, a := range p.Allowed {
		if other, taken := s.owner[a]; taken && other != p.Key {
			o := s.peers[other]
			o.Allowed = slices.DeleteFunc(slices.Clone(o.Allowed), func(x netip.Prefix) bool { return x == a })
			s.peers[other] = o
		}
		s.owner[a] = p.Key
	}
	s.peers[p.Key] = p
}

// RemovePeer implements Tunnel.
func (s *stock) RemovePeer(k key.WGPublic) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, known := s.peers[k]
	if !known {
		return
	}
	if err := s.dev.IpcSet(removeText(k)); err != nil {
		s.log.Error("peer not removed", logx.Peer, k.Short(), logx.Err, err)
	}
	s.bind.remove(k)
	for _, a := range p.Allowed {
		delete(s.owner, a)
	}
	delete(s.peers, k)
}

// Wake implements Tunnel. A peer with a living session is asked at once; any other is tried everywhere when there is something to
// send. The library keeps five seconds between two handshakes with a peer, and says nothing if it was too early, so that who has
// not answered by then is asked once more.
func (s *stock) Wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.states()
	for _, p := range all {
		s.bind.wake(p.Key, p.Endpoint)
	}
	if err := s.dev.IpcSet(doubtText(all)); err != nil { // what is a target already becomes it again
		s.log.Error("tunnel not woken", logx.Err, err)
		return
	}
	s.ask(all)
	s.asked.Reset(device.RekeyTimeout)
}

// askAgain asks the peers that Wake left in doubt.
func (s *stock) askAgain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closing.Load() {
		s.ask(s.states())
	}
}

// ask begins a handshake with every peer that has a living session and is in doubt.
func (s *stock) ask(all []PeerState) {
	for _, p := range all {
		if time.Since(p.LastHandshake) >= device.RejectAfterTime || !s.bind.doubted(p.Key) {
			continue
		}
		if peer := s.dev.LookupPeer(device.NoisePublicKey(p.Key)); peer != nil {
			peer.SendHandshakeInitiation(false) // it logs its own errors
		}
	}
}

// Peers implements Tunnel.
func (s *stock) Peers() []PeerState { return s.states() }

func (s *stock) states() []PeerState {
	text, err := s.dev.IpcGet()
	var all []PeerState
	if err == nil {
		all, err = parseStates(text)
	}
	if err != nil {
		s.log.Error("peers' state not known", logx.Err, err)
	}
	return all
}

// Port implements Tunnel.
func (s *stock) Port() uint16 { return uint16(s.bind.port.Load()) }

// Done implements Tunnel.
func (s *stock) Done() <-chan struct{} { return s.done }

// Close implements Tunnel; it may be called again, and after the tunnel has ended by itself.
func (s *stock) Close() error {
	s.closing.Store(true)
	s.asked.Stop()
	s.dev.Close()
	s.watched.Wait()
	return nil
}

// SetSources implements SourceGuard.
func (s *stock) SetSources(own []netip.Addr) {
	own = slices.Clone(own)
	s.guard.sources.Store(&own)
}

// ForeignSources implements SourceGuard.
func (s *stock) ForeignSources() uint64 { return s.guard.foreign.Load() }
