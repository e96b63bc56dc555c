package tunnel

import (
	"net/netip"

	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/path"
	"github.com/cvlan/cvlan/proto/relay"
)

// Guide knows where guided peers are (PeerConfig.Guided): it speaks with them, and with relays, on the tunnel's sockets, and decides which
// way their datagrams take. A peer without a guide is wherever it was heard from last, as in plain WireGuard.
//
// The tunnel's owner calls a Guide, and a Guide calls its GuideHost only from within these calls.
type Guide interface {
	// Message takes a message of class Disco, STUN or Relay. It keeps no part of it.
	Message(now mono.Time, c Class, from Origin, message []byte) Reason
	// Put tells that a guided peer is new.
	Put(now mono.Time, p *Peer)
	// Remove forgets a peer.
	Remove(now mono.Time, p *Peer)
	// Wanted says that a handshake with a peer is wanted. It reports whether that may begin now; if not, GuideHost.Begin follows when it
	// may, or GuideHost.Forsake if it never will.
	Wanted(now mono.Time, p *Peer) bool
	// Heard says that an authentic message of the peer came from another place than the last.
	Heard(now mono.Time, p *Peer, from Origin)
	// Flow tells, every PulseEvery while packets flow, how many bytes of them went to the peer since, whether any came, and where the last came from.
	Flow(now mono.Time, p *Peer, sent int, received bool, from Origin)
	// Mismatch says that a handshake with a peer failed because the two sides mix in different preshared keys.
	Mismatch(now mono.Time, p *Peer)
	// Carry takes a message to a peer through a relay in which there is no lane to it yet.
	Carry(now mono.Time, p *Peer, slot uint8, message []byte)
	// Wake says that the host's network has changed, or that the machine slept.
	Wake(now mono.Time, why path.Cause)
	// Rebound says that datagrams leave from another port; relays: those to relays too, from now on.
	Rebound(now mono.Time, relays bool)
	// Deadline is when Tick wants to be called; Never: not before the next input.
	Deadline() mono.Time
	Tick(now mono.Time)
}

// BuildGuide makes a Guide for a tunnel.
type BuildGuide func(GuideHost) (Guide, error)

// GuideHost is what a Guide may ask of its tunnel.
type GuideHost interface {
	Host
	// Transmit sends one datagram on a way before the owner rests again. What the system refuses is counted by the socket.
	Transmit(data []byte, to *Path)
	// OpenSocket opens a socket on a port of its own and returns its number, CloseSocket closes one, SocketPort tells its port (0: that of
	// the tunnel's own). A Path that uses a socket does not keep it open.
	OpenSocket() (number uint16, err error)
	CloseSocket(number uint16)
	SocketPort(number uint16) uint16
	// Use has a peer's datagrams take a way from now on; nil: there is none. What waited for a way leaves at once.
	Use(now mono.Time, p *Peer, to *Path)
	// Limit tells how large a datagram may be that passes a peer's way whole, without IP, UDP and relay headers, in bytes.
	Limit(p *Peer, bytes int)
	// Connected reports whether there is a session with a peer.
	Connected(p *Peer) bool
	// Begin makes the handshake that Wanted put off.
	Begin(now mono.Time, p *Peer)
	// Forsake drops what waits for a peer.
	Forsake(p *Peer)
	// Share sets the pair's symmetric keys, which handshakes from now on mix in: the one that we use, and the one before, which the peer may
	// still use. Zero: none.
	Share(now mono.Time, p *Peer, current, previous [32]byte)
	// Direct is the way to an address, from one of ours or, if local is invalid, from that which the system chooses, and from a spare
	// socket unless its number is 0.
	Direct(remote netip.AddrPort, local netip.Addr, socket uint16) *Path
	// Relay is the way to a relay itself, Through the way in its lane.
	Relay(remote netip.AddrPort) *Path
	Through(p *Peer, slot uint8, lane Lane) *Path
	// Expect names the peer whose datagrams a relay delivers under a tag; they are taken from that relay only.
	Expect(slot uint8, relay netip.AddrPort, number relay.Number, tag relay.Tag, p *Peer)
	// Unexpect forgets it.
	Unexpect(number relay.Number, tag relay.Tag)
	// Carried brings frames in that come from a relay on a connection of its own.
	Carried(slot uint8) *Carried
	// Post has the owner call f soon, from any goroutine; false: the tunnel is closed.
	Post(f func()) bool
}

// Lane is a channel of a relay.
type Lane struct {
	Remote  netip.AddrPort // the relay
	Channel relay.Number
	Key     relay.Key
	Carrier Carrier // nil: the tunnel's own sockets
}

// Carrier takes frames to a relay on a connection of its own.
type Carrier interface {
	// Carry takes a copy of the frame, or drops it if too many wait. It does not block.
	Carry(frame []byte)
}

// guided reports whether the tunnel's guide looks after a peer.
func (o *owner) guided(p *Peer) bool { return p != nil && p.guided && o.guide != nil }

// Transmit implements GuideHost.
func (o *owner) Transmit(data []byte, to *Path) { o.send(data, to.place) }

// Use implements GuideHost.
func (o *owner) Use(now mono.Time, p *Peer, to *Path) {
	before := p.path.Load()
	if before != nil && to != nil && before.id == to.id && before.lane == to.lane {
		return // what is known of it stays known
	}
	p.path.Store(to)
	if to == nil {
		o.moved(p)
		return
	}
	if to.spare != nil {
		to.spare.used.Store(true)
	}
	o.measure(p)
	if p.opening != nil {
		p.tx.add(1, len(p.opening))
		o.send(p.opening, to.place)
	}
	if s := p.sealer.Load(); s != nil && p.waiting.len() > 0 {
		_ = o.t.release(now, p, s, o.batch) // it fails only when the tunnel is being closed
	}
}

// Limit implements GuideHost.
func (o *owner) Limit(p *Peer, bytes int) {
	if to := p.path.Load(); to != nil {
		to.probed = bytes
		o.measure(p)
	}
}

// Connected implements GuideHost.
func (o *owner) Connected(p *Peer) bool { return p.sealer.Load() != nil }

// Begin implements GuideHost.
func (o *owner) Begin(now mono.Time, p *Peer) { o.after(func() { o.begin(now, p) }) }

// Forsake implements GuideHost.
func (o *owner) Forsake(p *Peer) { o.t.forsake(p, NoSession) }

// Share implements GuideHost.
func (o *owner) Share(now mono.Time, p *Peer, current, previous [32]byte) {
	if !p.share(current, previous) {
		return
	}
	o.after(func() { // IKE has no use for them: it agrees on its own
		if p.knows(WireGuard) {
			if err := o.transports[WireGuard].Put(now, p, &o.out); err != nil {
				o.t.log.Warn("preshared key not taken", logx.Peer, p.key.Short(), logx.Err, err)
			}
			o.act(now)
		}
	})
}

// Direct implements GuideHost.
func (o *owner) Direct(remote netip.AddrPort, local netip.Addr, socket uint16) *Path {
	return &Path{place: o.t.placeOf(remote, local, o.spares[socket])}
}

// Relay implements GuideHost.
func (o *owner) Relay(remote netip.AddrPort) *Path {
	at := o.t.placeOf(remote, netip.Addr{}, nil)
	at.relay = true
	return &Path{place: at}
}

// Through implements GuideHost.
func (o *owner) Through(p *Peer, slot uint8, lane Lane) *Path {
	at := o.t.relayed(p, slot)
	at.remote, at.lane = lane.Remote, &lane
	return &Path{place: at}
}

// Expect implements GuideHost.
func (o *owner) Expect(slot uint8, from netip.AddrPort, number relay.Number, tag relay.Tag, p *Peer) {
	o.t.expected.put(address{uint64(number), uint64(tag)}, &expected{from, p, slot})
}

// Unexpect implements GuideHost.
func (o *owner) Unexpect(number relay.Number, tag relay.Tag) {
	o.t.expected.remove(address{uint64(number), uint64(tag)})
}

// Post implements GuideHost.
func (o *owner) Post(f func()) bool {
	select {
	case o.asks <- f:
		return true
	case <-o.closed:
		return false
	}
}
