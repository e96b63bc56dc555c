package relayed

import (
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/relay"
)

// Times of a link.
const (
	dialLeast  = 500 * time.Millisecond // between two registrations, doubling
	dialMost   = 30 * time.Second
	dialTime   = 15 * time.Second // after which the owner has forgotten to answer
	anewEvery  = 5 * time.Second  // registrations because the relay has forgotten us
	hangupWait = time.Second      // what is still on its way on the connection arrives
	leaseLeast = 10 * time.Second // a link that nobody serves is not given up before
	leaseMost  = 5 * time.Minute  // nor kept for longer without use
)

// link is what leads to one relay.
type link struct {
	l    *Links
	k    *known
	slot uint8
	used mono.Time // a peer was wanted or reached through it

	dialing  uint32 // the connection that is being made; 0: none
	dialEnd  mono.Time
	dialAt   mono.Time // not again before
	dials    int       // in vain, in a row
	anewAt   mono.Time // not because of Unknown before
	conn     uint32    // the connection that carries, or has carried; 0: none
	hangupAt mono.Time

	registration
	told told
}

// registration is what ends when the node registers anew.
type registration struct {
	welcome  relay.Welcome // Client 0: not registered
	bound    bool          // UDP carries
	proving  mono.Time     // until then the relay has to say so; Never: it has
	remote   netip.AddrPort
	seen     netip.AddrPort
	cookie   [16]byte
	bye      mono.Time // the relay has said goodbye; Never: it has not
	calls    bool      // the relay takes Call
	offered  uint64    // transaction of its last offer
	tx       uint64
	binding  ladder
	pulse    pulse
	sent     questions
	channels map[ident.Node]*channel
	opens    map[uint64]ident.Node // by transaction
	numbers  map[relay.Number]ident.Node
}

// told is what the owner was told of a link last.
type told struct {
	up     bool
	conn   uint32
	number relay.Number
	remote netip.AddrPort
}

func (n *link) registered() bool { return n.welcome.Client != 0 }

// up reports whether frames reach the relay.
func (n *link) up() bool { return n.registered() && (n.bound || n.conn != 0) }

// serves reports whether the link is needed even if no peer is reached through it.
func (n *link) serves() bool {
	l := n.l
	return n.k == l.home || n.k == l.target || n.k == l.standby
}

// dial asks for a registration, now or as soon as one may be asked for again.
func (n *link) dial(now mono.Time, out *Out) {
	if n.dialing != 0 {
		return
	}
	if now.Before(n.dialAt) {
		n.l.wake(n.dialAt)
		return
	}
	n.l.conns++
	n.dialing, n.dialEnd = n.l.conns, now.Add(dialTime)
	n.dialAt = now.Add(n.backoff())
	n.l.wake(n.dialEnd)
	out.tell(Event{Kind: Dial, Slot: n.slot, Relay: n.k.id, Conn: n.dialing})
}

func (n *link) backoff() time.Duration {
	d := min(dialLeast<<min(n.dials, 10), dialMost)
	return n.l.between(d*3/4, d)
}

// linkOf finds whose connection is being made, or carries.
func (l *Links) linkOf(conn uint32) *link {
	for _, n := range l.slots {
		if n != nil && conn != 0 && (n.dialing == conn || n.conn == conn) {
			return n
		}
	}
	return nil
}

// Registered says that a connection is made and what the relay has answered; it carries frames from now on. took is how long an answer
// took, 0 if that is not known.
func (l *Links) Registered(now mono.Time, conn uint32, w relay.Welcome, took time.Duration, out *Out) {
	n := l.linkOf(conn)
	switch {
	case n == nil || n.dialing != conn:
		out.tell(Event{Kind: Hangup, Conn: conn})
		return
	case w.Reason != relay.NoReason || w.Client == 0 || w.Version != relay.Version:
		out.tell(Event{Kind: Hangup, Conn: conn, Slot: n.slot, Relay: n.k.id})
		l.Failed(now, conn, w.Reason, out)
		return
	}
	n.hangup(out)
	n.forget(out)
	n.dialing, n.dials, n.conn = 0, 0, conn
	n.k.failures, n.k.shunned, n.k.leaving = 0, mono.Never, false
	if took > 0 && n.k.rtt == 0 {
		n.k.measured(took)
	}
	w.Channels = max(1, min(w.Channels, MaxChannels))
	w.Idle = max(20, w.Idle)
	n.registration = registration{welcome: w, tx: l.random() >> 2, remote: n.k.choice(0), channels: make(map[ident.Node]*channel),
		opens: make(map[uint64]ident.Node), numbers: make(map[relay.Number]ident.Node)}
	n.pulse.answered(now)
	n.join(now, out)
	n.bind(now, out)
	n.tell(now, out)
	l.elect(now, out)
}

// choice is the address to try at the n-th time.
func (k *known) choice(n int) netip.AddrPort {
	switch {
	case len(k.addrs) == 0:
		return netip.AddrPort{}
	case n == 0 && k.answers.IsValid():
		return k.answers
	}
	return k.addrs[n%len(k.addrs)]
}

// Failed says that no registration could be had: the relay has refused it, or, without a reason, could not be reached.
func (l *Links) Failed(now mono.Time, conn uint32, why relay.Reason, out *Out) {
	n := l.linkOf(conn)
	if n == nil || n.dialing != conn {
		return
	}
	n.dialing = 0
	n.dials++
	n.dialAt = now.Add(n.backoff())
	n.l.wake(n.dialAt)
	if n.up() {
		return
	}
	if why == relay.Draining {
		n.k.leaving = true
	}
	n.k.failed(now, 0)
	l.elect(now, out)
	l.pursueAll(now, out)
	l.settleAll(now, out)
}

// Ended says that a connection has ended that had registered us.
func (l *Links) Ended(now mono.Time, conn uint32, out *Out) {
	n := l.linkOf(conn)
	if n == nil || n.conn != conn {
		return
	}
	n.conn, n.hangupAt = 0, mono.Never
	if !n.bound {
		n.lose(now, out)
		return
	}
	n.tell(now, out)
}

// hangup has the connection closed.
func (n *link) hangup(out *Out) {
	if n.conn != 0 {
		out.tell(Event{Kind: Hangup, Slot: n.slot, Relay: n.k.id, Conn: n.conn})
	}
	n.conn, n.hangupAt = 0, mono.Never
}

// lose has the link down: neither UDP nor a connection carries.
func (n *link) lose(now mono.Time, out *Out) {
	n.hangup(out)
	n.bound, n.proving = false, mono.Never
	n.pulse = pulse{}
	n.binding = ladder{}
	n.k.failed(now, 0)
	n.tell(now, out)
	n.dial(now, out)
	n.bind(now, out)
	n.l.elect(now, out)
}

// tell says what has changed for the owner, and finds other lanes.
func (n *link) tell(now mono.Time, out *Out) {
	is := told{up: n.up(), number: n.welcome.Client, remote: n.remote}
	if !n.bound {
		is.conn = n.conn
	}
	was := n.told
	if is == was {
		return
	}
	n.told = is
	if is.up && (is.number != was.number || is.remote != was.remote) {
		for _, p := range n.l.order {
			n.expect(p, out)
		}
	}
	switch {
	case is.up:
		out.tell(Event{Kind: Up, Slot: n.slot, Relay: n.k.id, Conn: is.conn})
	case was.up:
		out.tell(Event{Kind: Down, Slot: n.slot, Relay: n.k.id})
	}
	n.l.pursueAll(now, out)
	n.l.settleAll(now, out)
}

// expect says under which tag the relay delivers what a peer sends.
func (n *link) expect(p *peer, out *Out) {
	out.tell(Event{Kind: Expect, Slot: n.slot, Relay: n.k.id, Node: p.node, Number: n.welcome.Client, Tag: relay.TagOf(&n.welcome.Secret, p.node), Addr: n.remote})
}

func (n *link) unexpect(p *peer, out *Out) {
	out.tell(Event{Kind: Unexpect, Slot: n.slot, Relay: n.k.id, Node: p.node, Number: n.told.number, Tag: relay.TagOf(&n.welcome.Secret, p.node)})
}

// forget ends the registration.
func (n *link) forget(out *Out) {
	if n.told.number != 0 {
		for _, p := range n.l.order {
			n.unexpect(p, out)
		}
	}
	n.told.number = 0
	n.registration = registration{}
}

// leave ends the link.
func (n *link) leave(now mono.Time, out *Out) {
	if n.up() {
		n.send(now, relay.Control{Kind: relay.Bye}, n.way(), out)
	}
	if n.dialing != 0 {
		out.tell(Event{Kind: Hangup, Slot: n.slot, Relay: n.k.id, Conn: n.dialing})
		n.dialing = 0
	}
	n.hangup(out)
	n.forget(out)
	n.k.link, n.l.slots[n.slot] = nil, nil
	if n.told.up {
		out.tell(Event{Kind: Down, Slot: n.slot, Relay: n.k.id})
	}
	out.tell(Event{Kind: Vacant, Slot: n.slot, Relay: n.k.id})
	n.l.settleAll(now, out)
}

// tick does what is due on a link.
func (n *link) tick(now mono.Time, out *Out) {
	if n.dialing != 0 && !now.Before(n.dialEnd) {
		out.tell(Event{Kind: Hangup, Slot: n.slot, Relay: n.k.id, Conn: n.dialing})
		n.l.Failed(now, n.dialing, relay.NoReason, out)
	}
	if due(now, n.hangupAt) && n.bound {
		n.hangup(out)
		n.tell(now, out)
	}
	if !n.serves() && now.Sub(n.used) >= n.lease(now) {
		n.leave(now, out)
		return
	}
	n.beat(now, out)
	if !n.up() {
		n.dial(now, out)
	}
	n.bind(now, out)
	n.l.wake(n.dialEndIf())
	n.l.wake(n.hangupAt)
	if !n.serves() {
		n.l.wake(max(n.used.Add(n.lease(now)), now.Add(time.Millisecond)))
	}
}

// lease is for how long a link is kept without use. One to a relay that drains ends soon after peers could learn of the new home: it waits for that.
func (n *link) lease(now mono.Time) time.Duration {
	l := n.l
	if !n.k.leaving || l.home != l.target || l.homeUp.IsNever() {
		return leaseMost
	}
	return max(leaseLeast, l.homeUp.Add(leaseLeast).Sub(n.used))
}

func (n *link) dialEndIf() mono.Time {
	if n.dialing == 0 {
		return mono.Never
	}
	return n.dialEnd
}

func due(now, at mono.Time) bool { return !at.IsNever() && !now.Before(at) }
