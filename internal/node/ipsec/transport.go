package ipsec

import (
	"crypto/rand"
	"errors"
	"io"
	"log/slog"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/esp"
	"github.com/cvlan/cvlan/internal/node/tunnel"
)

// Config is what the protocol needs to know.
type Config struct {
	Keyer BuildKeyer
	// Random is what SPIs are drawn from; nil: the system's.
	Random io.Reader
	// Kernel carries packets where it may; nil: we do, all. Port is that of the tunnel's sockets.
	Kernel Kernel
	Port   uint16
	Log    *slog.Logger // of what the kernel refuses; nil: silent
}

// transport is core/esp's Machine and a Keyer, with peers by pointer.
type transport struct {
	tunnel.Host
	machine *esp.Machine
	keyer   Keyer
	peers   map[key.WGPublic]*tunnel.Peer // those that machine or keyer have
	esp     esp.Out
	out     *tunnel.Out // of the call that is under way
	kernel  *kernel     // nil: there is none
}

var (
	_ tunnel.Transport = (*transport)(nil)
	_ tunnel.Follower  = (*transport)(nil)
	_ Host             = (*transport)(nil)
)

// New returns what makes a tunnel speak IPsec. It belongs to tunnel.IKE.
func New(c Config) tunnel.Build {
	return func(h tunnel.Host) (tunnel.Transport, error) {
		if c.Keyer == nil {
			return nil, errors.New("ipsec: nobody makes keys: set Config.Keyer")
		}
		random := c.Random
		if random == nil {
			random = rand.Reader
		}
		t := &transport{Host: h, machine: esp.New(random), peers: map[key.WGPublic]*tunnel.Peer{}}
		if c.Kernel != nil {
			t.kernel = newKernel(t, c.Kernel, c.Port, c.Log)
		}
		var err error
		t.keyer, err = c.Keyer(t)
		return t, err
	}
}

// Control implements tunnel.Transport.
func (t *transport) Control(now mono.Time, from tunnel.Origin, message []byte, out *tunnel.Out) tunnel.Reason {
	if esp.KindOf(message) != esp.Message {
		return tunnel.Malformed
	}
	defer t.calls(now, out)()
	return t.keyer.Message(now, from, message[esp.MarkerSize:])
}

// Press implements tunnel.Transport.
func (t *transport) Press(now mono.Time) { t.keyer.Press(now) }

// Put implements tunnel.Transport.
func (t *transport) Put(now mono.Time, p *tunnel.Peer, out *tunnel.Out) error {
	defer t.calls(now, out)()
	if err := t.keyer.Put(now, p); err != nil {
		return err
	}
	t.know(p)
	return t.machine.Put(now, p.Key(), p.Keepalive(), &t.esp)
}

// Remove implements tunnel.Transport.
func (t *transport) Remove(p *tunnel.Peer, out *tunnel.Out) {
	now := t.Clock().Now()
	defer t.calls(now, out)()
	if t.kernel != nil {
		t.kernel.dismiss(now, p)
	}
	t.machine.Remove(p.Key(), &t.esp)
	t.pass(now)
	t.keyer.Remove(p)
	delete(t.peers, p.Key())
}

// Wake implements tunnel.Transport.
func (t *transport) Wake(now mono.Time, p *tunnel.Peer, out *tunnel.Out) {
	defer t.calls(now, out)()
	t.know(p)
	switch c := t.machine.Current(p.Key()); {
	case c != nil && c.Usable(now):
		if !c.SealingLent() { // else the kernel seals
			t.out.Events = append(t.out.Events, tunnel.Event{Kind: tunnel.Current, Peer: p, Session: session{c}})
			t.keyer.Doubt(now, p)
		}
	case !t.machine.Waiting(p.Key()): // else it seals in a moment
		t.keyer.Want(now, p)
	}
}

// Renew implements tunnel.Transport.
func (t *transport) Renew(now mono.Time, p *tunnel.Peer, out *tunnel.Out) {
	defer t.calls(now, out)()
	t.keyer.Renew(now, p)
}

// Attend implements tunnel.Transport.
func (t *transport) Attend(now mono.Time, s tunnel.Session, out *tunnel.Out) {
	defer t.calls(now, out)()
	t.machine.Attend(now, s.(session).Pair, &t.esp)
	if t.kernel != nil {
		t.kernel.strayed(now, s.(session).Pair)
	}
}

// Moved implements tunnel.Follower.
func (t *transport) Moved(now mono.Time, p *tunnel.Peer, out *tunnel.Out) {
	if t.kernel != nil {
		defer t.calls(now, out)()
		t.kernel.review(now, p)
	}
}

// Deadline implements tunnel.Transport.
func (t *transport) Deadline() mono.Time {
	at := mono.Earlier(t.machine.Deadline(), t.keyer.Deadline())
	if t.kernel != nil {
		at = mono.Earlier(at, t.kernel.lookAt)
	}
	return at
}

// Tick implements tunnel.Transport.
func (t *transport) Tick(now mono.Time, out *tunnel.Out) {
	defer t.calls(now, out)()
	if d := t.keyer.Deadline(); !d.IsNever() && d <= now {
		t.keyer.Tick(now)
	}
	t.machine.Tick(now, &t.esp)
	if t.kernel != nil && !t.kernel.lookAt.IsNever() && t.kernel.lookAt <= now {
		t.kernel.look(now)
	}
}

// Status implements tunnel.Transport.
func (t *transport) Status(p *tunnel.Peer) (s tunnel.Status) {
	s.Handshake, s.Attempting = t.keyer.Status(p)
	if pair := t.machine.Current(p.Key()); pair != nil {
		s.Born, s.Cipher = pair.Born(), pair.Suite().String()
	}
	return s
}

// calls lets the Keyer act until the function is called that it returns.
func (t *transport) calls(now mono.Time, out *tunnel.Out) (done func()) {
	t.out = out
	return func() {
		t.pass(now)
		t.out = nil
	}
}

// know takes note of a peer, and tells the tunnel if it was a stranger.
func (t *transport) know(p *tunnel.Peer) {
	if t.peers[p.Key()] == nil {
		t.peers[p.Key()] = p
		t.out.Events = append(t.out.Events, tunnel.Event{Kind: tunnel.Known, Peer: p, Protocol: tunnel.IKE})
	}
}

// pass tells tunnel and Keyer what has happened to pairs; what the Keyer makes of it is passed as well. Datagrams stay where they are until
// the next call.
func (t *transport) pass(now mono.Time) {
	for i := 0; i < len(t.esp.Events); i++ {
		t.event(now, t.esp.Events[i])
	}
	for _, m := range t.esp.Transmits {
		t.out.Transmits = append(t.out.Transmits, tunnel.Transmit{Peer: t.peers[m.Peer], Data: m.Data})
	}
	t.esp.Reset()
}

var kinds = [...]tunnel.EventKind{
	esp.EventInstalled: tunnel.Installed, esp.EventCurrent: tunnel.Current, esp.EventRetired: tunnel.Retired, esp.EventHeard: tunnel.Heard,
	esp.EventSilent: tunnel.Silent,
}

func (t *transport) event(now mono.Time, e esp.Event) {
	p := t.peers[e.Peer]
	switch e.Kind {
	case esp.EventDue:
		t.keyer.Due(now, p, e.Pair.Local())
		return
	case esp.EventExpired:
		t.keyer.Expired(now, p, e.Pair.Local())
		return
	case esp.EventSilent:
		t.keyer.Silent(now, p)
	}
	v := tunnel.Event{Kind: kinds[e.Kind], Peer: p, Source: tunnel.Source(e.Source)}
	if e.Pair != nil {
		v.Session = session{e.Pair}
	}
	t.out.Events = append(t.out.Events, v)
	if t.kernel == nil {
		return
	}
	switch e.Kind {
	case esp.EventInstalled, esp.EventCurrent:
		t.kernel.review(now, p)
	case esp.EventRetired:
		t.kernel.retire(now, e.Pair)
	}
}
