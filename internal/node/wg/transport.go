package wg

import (
	"crypto/rand"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/wg"
	"github.com/cvlan/cvlan/internal/node/tunnel"
)

// Config is what the protocol needs to know.
type Config struct {
	Private key.WGPrivate
	// Now is the time of day that handshakes carry: peers refuse one that is not later than the last. nil: time.Now.
	Now func() time.Time
	// HandshakesPerSecond is the rate beyond which strangers must prove their address; 0: the protocol's default.
	HandshakesPerSecond int
}

// transport is core/wg's Machine, with peers by pointer. A peer is the machine's only once it has spoken or is to be spoken to.
type transport struct {
	machine *wg.Machine
	host    tunnel.Host
	peers   map[key.WGPublic]*tunnel.Peer // those that the machine has
	out     wg.Out
}

var _ tunnel.Transport = (*transport)(nil)

// New returns what makes a tunnel speak WireGuard.
func New(c Config) tunnel.Build {
	return func(h tunnel.Host) (tunnel.Transport, error) {
		t := &transport{host: h, peers: map[key.WGPublic]*tunnel.Peer{}}
		now := c.Now
		if now == nil {
			now = time.Now
		}
		m, err := wg.New(wg.Config{
			Private: c.Private, Lookup: t.lookup, Epoch: now().Add(-time.Duration(h.Clock().Now())),
			MaxPeers: tunnel.MaxPeers, HandshakesPerSecond: c.HandshakesPerSecond,
		}, rand.Reader)
		if err != nil {
			return nil, err
		}
		t.machine = m
		return t, nil
	}
}

// lookup finds a stranger among the tunnel's peers that have not spoken yet.
func (t *transport) lookup(k key.WGPublic) (wg.Peer, bool) {
	p := t.host.Find(k)
	if p == nil {
		return wg.Peer{}, false
	}
	return config(p), true
}

func config(p *tunnel.Peer) wg.Peer {
	return wg.Peer{
		Public: p.Key(), Preshared: key.RawPreshared(p.Preshared()), Other: key.RawPreshared(p.Previous()), Guarded: p.Guided(),
		Keepalive: p.Keepalive(),
	}
}

// Control implements tunnel.Transport.
func (t *transport) Control(now mono.Time, from tunnel.Origin, message []byte, out *tunnel.Out) tunnel.Reason {
	defer t.pass(out)
	return reasonOf(t.machine.Handshake(now, wg.Origin{Source: wg.Source(from.Source), Addr: from.Addr}, message, &t.out))
}

// Press implements tunnel.Transport.
func (t *transport) Press(now mono.Time) { t.machine.Press(now) }

// Put implements tunnel.Transport.
func (t *transport) Put(now mono.Time, p *tunnel.Peer, out *tunnel.Out) error {
	defer t.pass(out)
	t.peers[p.Key()] = p
	err := t.machine.Put(now, config(p), &t.out)
	if err != nil {
		if _, has := t.machine.Status(p.Key()); !has {
			delete(t.peers, p.Key())
		}
	}
	return err
}

// Remove implements tunnel.Transport.
func (t *transport) Remove(p *tunnel.Peer, out *tunnel.Out) {
	t.machine.Remove(p.Key(), &t.out)
	t.pass(out)
	delete(t.peers, p.Key())
}

// Wake implements tunnel.Transport.
func (t *transport) Wake(now mono.Time, p *tunnel.Peer, out *tunnel.Out) {
	t.machine.Wake(now, p.Key(), &t.out)
	t.pass(out)
}

// Renew implements tunnel.Transport.
func (t *transport) Renew(now mono.Time, p *tunnel.Peer, out *tunnel.Out) {
	t.machine.Renew(now, p.Key(), &t.out)
	t.pass(out)
}

// Attend implements tunnel.Transport.
func (t *transport) Attend(now mono.Time, s tunnel.Session, out *tunnel.Out) {
	t.machine.Attend(now, s.(session).Session, &t.out)
	t.pass(out)
}

// Deadline implements tunnel.Transport.
func (t *transport) Deadline() mono.Time { return t.machine.Deadline() }

// Tick implements tunnel.Transport.
func (t *transport) Tick(now mono.Time, out *tunnel.Out) {
	t.machine.Tick(now, &t.out)
	t.pass(out)
}

// Status implements tunnel.Transport.
func (t *transport) Status(p *tunnel.Peer) (out tunnel.Status) {
	s, ok := t.machine.Status(p.Key())
	if !ok {
		return out
	}
	out.Handshake, out.Attempting = s.Handshake, s.Attempting
	if s.Current != nil {
		out.Born = s.Current.Born()
	}
	return out
}

// pass tells the tunnel what the machine wants done. The datagrams stay where they are until the next call.
func (t *transport) pass(out *tunnel.Out) {
	for i := range t.out.Events {
		e := &t.out.Events[i]
		if e.Kind == wg.EventPeerAdded {
			t.peers[e.Peer] = t.host.Find(e.Peer)
		}
		v := tunnel.Event{Kind: kinds[e.Kind], Peer: t.peers[e.Peer], Source: tunnel.Source(e.Source), Protocol: tunnel.WireGuard}
		if e.Session != nil {
			v.Session = session{e.Session}
		}
		out.Events = append(out.Events, v)
	}
	for i := range t.out.Transmits {
		m := &t.out.Transmits[i]
		out.Transmits = append(out.Transmits, tunnel.Transmit{
			Peer: t.peers[m.Peer], To: tunnel.Source(m.To), Opening: wg.KindOf(m.Data) == wg.KindInitiation, Data: m.Data,
		})
	}
	t.out.Reset()
}

var kinds = [...]tunnel.EventKind{
	wg.EventPeerAdded: tunnel.Known, wg.EventInstalled: tunnel.Installed, wg.EventCurrent: tunnel.Current, wg.EventRetired: tunnel.Retired,
	wg.EventHeard: tunnel.Heard, wg.EventSilent: tunnel.Silent, wg.EventGaveUp: tunnel.GaveUp, wg.EventMismatch: tunnel.Mismatched,
}
