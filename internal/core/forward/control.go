package forward

import (
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/relay"
)

// Control acts on a control frame that came from src to one of the relay's addresses, and says what became of it.
func (m *Machine) Control(now mono.Time, src Place, local [16]byte, frame []byte, out *Out) Drop {
	if !relay.IsControl(frame) {
		return DropMalformed
	}
	c := m.client(relay.NumberOf(frame))
	if c == nil {
		return DropUnknown
	}
	if src.Via != UDP && src.Conn != c.conn {
		return DropElsewhere // a connection speaks for who registered on it
	}
	q, ok := relay.ReadControl(frame, &c.secret)
	if !ok {
		return DropForged
	}
	if q.Kind == relay.Bind {
		return m.bind(now, c, src, local, &q, out)
	}
	if c.place != src {
		return DropElsewhere
	}
	if c.tenant == noTenant {
		return m.guest(now, c, &q, out)
	}
	return m.bound(now, c, &q, relay.Called(frame), out)
}

// bind moves a client to where its frame came from, once that is proven.
func (m *Machine) bind(now mono.Time, c *client, src Place, local [16]byte, q *relay.Control, out *Out) Drop {
	if src.Via == UDP && q.Cookie == [16]byte{} {
		out.control(src, local, &relay.Control{Kind: relay.Cookie, Client: c.number, Transaction: q.Transaction, Cookie: m.jar.bake(now, c.number, &src)}, &c.secret)
		return Sent
	}
	switch {
	case q.Transaction <= c.transaction:
		return DropReplayed
	case src.Via == UDP && !m.jar.good(now, c.number, &src, q.Cookie):
		return DropForged
	}
	c.transaction = q.Transaction
	if c.place != src || c.local != local {
		c.place, c.local = src, local
		out.seat(c, false)
	}
	m.touch(now, c)
	m.seen(c, relay.Bound, q.Transaction, out)
	return Sent
}

// seen answers with the address that the client is bound to.
func (m *Machine) seen(c *client, kind relay.Kind, transaction uint64, out *Out) {
	a := relay.Control{Kind: kind, Client: c.number, Transaction: transaction, Seen: c.place.AddrPort(), Idle: uint16(m.cfg.Idle / time.Second), Calls: true}
	out.control(c.place, c.local, &a, &c.secret)
}

// bound acts on what a client says from its place. The payload is that of a Call.
func (m *Machine) bound(now mono.Time, c *client, q *relay.Control, payload []byte, out *Out) Drop {
	if q.Kind == relay.Keepalive {
		m.touch(now, c)
		m.seen(c, relay.Alive, q.Transaction, out)
		return Sent
	}
	if q.Transaction <= c.transaction {
		return DropReplayed
	}
	switch q.Kind {
	case relay.Open, relay.Call:
		c.transaction = q.Transaction
		m.touch(now, c)
		m.open(now, c, &opening{q.Node, q.Transaction, q.Claim, payload}, out)
	case relay.Close:
		c.transaction = q.Transaction
		m.touch(now, c)
		if l := m.lane(q.Channel); l != nil && l.from == c.slot {
			m.closeLane(c, l, out)
		}
	case relay.Bye:
		m.depart(now, c, out)
	default:
		return DropMalformed // an answer, or a question that only neighbours ask
	}
	return Sent
}

// opening is what an Open or a Call asks for.
type opening struct {
	node        ident.Node
	transaction uint64
	claim       netip.Addr
	payload     []byte // nil: it is no Call
}

// open opens a channel to a node that is here, or has the region asked for it.
func (m *Machine) open(now mono.Time, c *client, q *opening, out *Out) {
	to := m.here(c.tenant, q.node)
	if to == c || to != nil && m.present(now, to) || !m.openAbroad(now, c, q, out) {
		m.openHere(c, to, q, out)
	}
}

// here finds a node that is registered; nil: it is not.
func (m *Machine) here(tenant uint32, node ident.Node) *client {
	if slot, ok := m.bySelf[owner{tenant, node}]; ok {
		return m.clients.at(slot)
	}
	return nil
}

// present reports whether a client surely is still there: it keeps alive at least every quarter of the idle time.
func (m *Machine) present(now mono.Time, c *client) bool {
	return c.place.Via != Nowhere && now.Sub(c.heard) < m.cfg.Idle/2
}

// openHere answers an Open with a channel to a client; to may be nil.
func (m *Machine) openHere(c, to *client, q *opening, out *Out) {
	if to == nil || to == c {
		m.refuseOpen(c, q.transaction, relay.Absent, out)
		return
	}
	l, made, why := m.openLane(c, to, out)
	if l == nil {
		m.refuseOpen(c, q.transaction, why, out)
		return
	}
	if made {
		m.offer(to, c, out) // before what it will want to answer
	}
	a := relay.Control{Kind: relay.Opened, Transaction: q.transaction, Channel: l.number, Took: m.sendOn(c, l, q.payload, out)}
	a.There = q.claim.IsValid() && q.claim.As16() == to.place.IP
	m.reply(c, &a, out)
}

func (m *Machine) refuseOpen(c *client, transaction uint64, why relay.Reason, out *Out) {
	m.reply(c, &relay.Control{Kind: relay.Refused, Reason: why, Transaction: transaction}, out)
}

// reply says something to a client, where it is bound.
func (m *Machine) reply(c *client, a *relay.Control, out *Out) {
	a.Client = c.number
	out.control(c.place, c.local, a, &c.secret)
}

// Fault answers a Data frame that a Book dropped as DropGone, and whose header this is: it tells the sender that its channel leads nowhere.
func (m *Machine) Fault(src Place, header []byte, out *Out) {
	l := m.lane(relay.NumberOf(header))
	if l == nil || !l.gone {
		return
	}
	if c := m.clients.at(l.from); c.place == src {
		n, ok := relay.NoticeOf(header, relay.Closed, relay.Gone)
		if ok {
			out.notice(src, c.local, &n, &c.secret)
		}
	}
}

// drain is the state of a relay that tells its clients to go.
type drain struct {
	on   bool
	next mono.Time // when more are told; Never: it does not drain
	slot uint32    // who is next
}

const (
	byes     = 256                    // clients that are told at a time
	byeEvery = 100 * time.Millisecond // and how often
	byeAgain = 5 * time.Second        // after which those that stay are told again
)

// Drain lets nobody new in, and tells the clients to go: those bound now, and whoever is left every few seconds. It cannot be taken back.
func (m *Machine) Drain(now mono.Time) {
	if !m.draining.on {
		m.draining = drain{on: true, next: now}
	}
}

// Draining reports whether the relay drains.
func (m *Machine) Draining() bool { return m.draining.on }

func (m *Machine) sayBye(now mono.Time, out *Out) {
	d := &m.draining
	if !d.on || now < d.next {
		return
	}
	d.next = now.Add(byeEvery)
	for told := 0; told < byes; d.slot++ {
		if d.slot >= m.made {
			d.slot, d.next = 0, now.Add(byeAgain)
			return
		}
		if c := m.clients.at(d.slot); c.live && c.place.Via != Nowhere && c.tenant != noTenant {
			out.control(c.place, c.local, &relay.Control{Kind: relay.Bye, Reason: relay.Draining, Client: c.number}, &c.secret)
			told++
		}
	}
}
