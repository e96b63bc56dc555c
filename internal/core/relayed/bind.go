package relayed

import (
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/relay"
)

// ladder is a row of Binds that have not been answered.
type ladder struct {
	tries   int
	cookies int // that came since the last try
	next    mono.Time
}

// bindWaits are the times between Binds; then it is binder.rest.
var bindWaits = [...]time.Duration{100 * time.Millisecond, 150 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second}

// Bounds of the time between Binds when many have been in vain, and how many cookies are answered between two.
const (
	bindRest    = 30 * time.Second
	bindRestMax = 60 * time.Second
	bindCookies = 2
	proveLeast  = 250 * time.Millisecond
	proveMost   = time.Second
)

// bind tries UDP if it does not carry, and it is time.
func (n *link) bind(now mono.Time, out *Out) {
	if !n.registered() || len(n.k.addrs) == 0 {
		return
	}
	if n.bound {
		n.prove(now, out)
		return
	}
	b := &n.binding
	if now.Before(b.next) {
		n.l.wake(b.next)
		return
	}
	wait := n.l.between(bindRest, bindRestMax)
	if b.tries < len(bindWaits) {
		wait = bindWaits[b.tries]
	}
	n.sendBind(now, n.k.choice(b.tries), out)
	b.tries, b.cookies, b.next = b.tries+1, 0, now.Add(wait)
	n.l.wake(b.next)
}

// join has the relay send what it has for us on the connection.
func (n *link) join(now mono.Time, out *Out) {
	n.send(now, relay.Control{Kind: relay.Bind}, netip.AddrPort{}, out)
}

// trust has UDP carry when a cookie has come, before the Bind that it goes into is answered: the relay takes nothing from the connection any more
// once it has acted on that Bind, and a round trip of packets would be lost.
func (n *link) trust(now mono.Time, from netip.AddrPort, out *Out) {
	n.bound, n.remote = true, from
	n.proving = now.Add(max(proveLeast, min(3*n.k.rtt, proveMost)))
	n.binding.next = now.Add(bindWaits[0])
	n.l.wake(n.binding.next)
	n.tell(now, out)
}

// prove repeats the Bind that UDP hangs on, and goes back to the connection when it stays without answer.
func (n *link) prove(now mono.Time, out *Out) {
	switch {
	case n.proving.IsNever():
		return
	case due(now, n.proving):
		n.bound, n.proving = false, mono.Never
		n.binding.next = now.Add(bindWaits[min(n.binding.tries, len(bindWaits)-1)])
		n.join(now, out)
		n.tell(now, out)
		n.l.wake(n.binding.next)
		return
	case due(now, n.binding.next):
		n.sendBind(now, n.remote, out)
		n.binding.next = now.Add(bindWaits[0])
	}
	n.l.wake(mono.Earlier(n.binding.next, n.proving))
}

// sendBind asks the relay to take our address from this frame.
func (n *link) sendBind(now mono.Time, to netip.AddrPort, out *Out) {
	n.send(now, relay.Control{Kind: relay.Bind, Cookie: n.cookie}, to, out)
}

// send seals a question and sends it by UDP to an address, or on the connection if there is none.
func (n *link) send(now mono.Time, c relay.Control, to netip.AddrPort, out *Out) uint64 {
	return n.sendWith(now, c, to, nil, out)
}

// sendWith is send for a Call, whose payload goes with it.
func (n *link) sendWith(now mono.Time, c relay.Control, to netip.AddrPort, payload []byte, out *Out) uint64 {
	n.tx++
	c.Client, c.Transaction = n.welcome.Client, n.tx
	n.sent.put(question{n.tx, c.Kind, now})
	out.Transmits = append(out.Transmits, Transmit{Slot: n.slot, Carried: !to.IsValid(), To: to, Data: append(c.Append(nil, &n.welcome.Secret), payload...)})
	return n.tx
}

// way is where frames go now: an address, or none, which is the connection.
func (n *link) way() netip.AddrPort {
	if n.bound {
		return n.remote
	}
	return netip.AddrPort{}
}

// question is a control frame that was sent.
type question struct {
	tx   uint64
	kind relay.Kind
	at   mono.Time
}

// questions are the latest.
type questions struct {
	ring [32]question
	next int
}

func (q *questions) put(x question) {
	q.ring[q.next%len(q.ring)] = x
	q.next++
}

// find looks for one of the last ten seconds.
func (q *questions) find(now mono.Time, tx uint64) (*question, bool) {
	for i := range q.ring {
		x := &q.ring[i]
		if x.tx == tx && x.kind != 0 && now.Sub(x.at) <= 10*time.Second {
			return x, true
		}
	}
	return nil, false
}

// take finds one of a kind and lets it be answered once only.
func (q *questions) take(now mono.Time, tx uint64, kind relay.Kind) (question, bool) {
	x, ok := q.find(now, tx)
	if !ok || x.kind != kind {
		return question{}, false
	}
	was := *x
	*x = question{}
	return was, true
}

// Frame takes what a relay says: by UDP from an address to the node's main socket, or, if slot is not 0, on the connection of that link. It reports whether it
// was for us to take; what was not has changed nothing.
func (l *Links) Frame(now mono.Time, from netip.AddrPort, slot uint8, frame []byte, out *Out) bool {
	kind, ok := relay.KindOf(frame)
	if !ok {
		return false
	}
	from = plain(from)
	for _, n := range l.slots {
		if n == nil || !n.registered() || !n.at(from, slot) {
			continue
		}
		if kind == relay.Closed || kind == relay.Unknown {
			if n.notice(now, frame, out) {
				return true
			}
			continue
		}
		if relay.IsControl(frame) && relay.NumberOf(frame) == n.welcome.Client {
			c, ok := relay.ReadControl(frame, &n.welcome.Secret)
			return ok && n.control(now, &c, from, slot != 0, out)
		}
	}
	return false
}

// at reports whether the link's relay may speak from there.
func (n *link) at(from netip.AddrPort, slot uint8) bool {
	if slot != 0 {
		return slot == n.slot && n.conn != 0
	}
	for _, a := range n.k.addrs {
		if a == from {
			return true
		}
	}
	return n.bound && n.remote == from
}

// control takes an authentic control frame.
func (n *link) control(now mono.Time, c *relay.Control, from netip.AddrPort, carried bool, out *Out) bool {
	switch c.Kind {
	case relay.Cookie:
		_, ok := n.sent.take(now, c.Transaction, relay.Bind)
		if !ok || carried || n.binding.cookies >= bindCookies {
			return false
		}
		n.binding.cookies++
		n.cookie = c.Cookie
		n.sendBind(now, from, out)
		if n.conn != 0 && !n.bound {
			n.trust(now, from, out)
		}
		return true
	case relay.Bound:
		q, ok := n.sent.take(now, c.Transaction, relay.Bind)
		if ok {
			n.calls = c.Calls
		}
		switch {
		case ok && carried:
			n.alive(now, q, out)
		case ok:
			n.isBound(now, q, c, from, out)
		}
		return ok
	case relay.Alive:
		q, ok := n.sent.take(now, c.Transaction, relay.Keepalive)
		if ok {
			n.alive(now, q, out)
			if !carried {
				n.sees(c.Seen, out)
			}
		}
		return ok
	case relay.Opened, relay.Refused:
		node, ok := n.opens[c.Transaction]
		if ok {
			n.answered(now, node, c, out)
		}
		return ok
	case relay.Offered:
		return n.offer(now, c, out)
	case relay.Bye:
		n.leaves(now, out)
		return true
	}
	return false
}

// isBound has UDP carry.
func (n *link) isBound(now mono.Time, q question, c *relay.Control, from netip.AddrPort, out *Out) {
	n.bound, n.remote, n.proving = true, from, mono.Never
	n.binding = ladder{}
	if n.conn != 0 && n.hangupAt.IsNever() {
		n.hangupAt = now.Add(hangupWait)
		n.l.wake(n.hangupAt)
	}
	if c.Idle > 0 {
		n.welcome.Idle = max(20, c.Idle)
	}
	n.alive(now, q, out)
	n.sees(c.Seen, out)
	n.tell(now, out)
	n.l.elect(now, out)
}

// alive takes an answer.
func (n *link) alive(now mono.Time, q question, out *Out) {
	n.k.measured(now.Sub(q.at))
	doubted := n.pulse.doubtful()
	n.pulse.answered(now)
	n.k.failures, n.k.shunned = 0, mono.Never
	n.l.wake(now.Add(stillAfter))
	if doubted {
		if n.bound && n.dialing != 0 { // UDP passes after all
			out.tell(Event{Kind: Hangup, Slot: n.slot, Relay: n.k.id, Conn: n.dialing})
			n.dialing, n.dialAt = 0, now
		}
		n.l.settleAll(now, out)
	}
}

// sees takes where the relay sees us.
func (n *link) sees(at netip.AddrPort, out *Out) {
	at = plain(at)
	if at == n.seen || !at.IsValid() || at.Port() == 0 || at.Addr().IsUnspecified() {
		return
	}
	n.seen = at
	out.tell(Event{Kind: Seen, Slot: n.slot, Relay: n.k.id, Addr: at})
}

// leaves takes a relay's goodbye: it goes on until we have found another. If there is none it is asked often, so that an idle link is made anew as soon as it
// has started again, and not with the first packet, which would be lost.
func (n *link) leaves(now mono.Time, out *Out) {
	n.k.leaving = true
	if n.bye.IsNever() {
		n.bye = now
	}
	n.l.wake(now)
	n.l.elect(now, out)
}

// notice takes Closed or Unknown.
func (n *link) notice(now mono.Time, frame []byte, out *Out) bool {
	x, ok := relay.ReadNotice(frame, &n.welcome.Secret)
	if !ok {
		return false
	}
	node, mine := n.numbers[x.Number]
	if x.Kind == relay.Closed {
		if mine {
			n.closed(now, node, x.Reason, out)
		}
		return mine
	}
	if !mine && x.Number != n.welcome.Client {
		return false
	}
	if _, asked := n.sent.find(now, x.Echo); !asked {
		n.suspect(now, out)
		return true
	}
	n.anew(now, out)
	return true
}

// suspect asks the relay whether it knows us.
func (n *link) suspect(now mono.Time, out *Out) {
	if n.up() && n.pulse.doubt.IsNever() && now.Sub(n.pulse.asked) >= time.Second {
		n.ask(now, out)
	}
}

// anew registers again, because the relay has forgotten us.
func (n *link) anew(now mono.Time, out *Out) {
	if now.Before(n.anewAt) {
		return
	}
	n.anewAt = now.Add(anewEvery)
	n.hangup(out)
	n.forget(out)
	n.dialAt = now
	n.dial(now, out)
	n.tell(now, out)
}

// nodes of a link in the order of its peers, so that chance has no part in it.
func (n *link) nodes() (all []ident.Node) {
	for _, p := range n.l.order {
		if n.channels[p.node] != nil {
			all = append(all, p.node)
		}
	}
	return all
}
