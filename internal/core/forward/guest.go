package forward

import (
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/relay"
)

// RegisterNeighbour makes a client of a relay of the region, as Register does of a node.
func (m *Machine) RegisterNeighbour(now mono.Time, id ident.Relay, expires mono.Time, conn uint32, out *Out) relay.Welcome {
	if m.neighbour(id) == nil || expires != mono.Never && expires <= now {
		return relay.Welcome{Reason: relay.NotPermitted, Version: relay.Version}
	}
	c := m.here(noTenant, ident.Node(id))
	if c != nil {
		m.detach(c, out)
		c.number = successor(c.number, m.slots.clientBits)
	} else {
		c = m.takeClient()
		c.live, c.tenant, c.node = true, noTenant, ident.Node(id)
		m.bySelf[owner{noTenant, c.node}] = c.slot
		m.guests++
	}
	return m.welcome(now, expires, c, conn, out)
}

// guest acts on what a neighbour says from its place. Nothing but Bind has to be newer than what came before: see the specification.
func (m *Machine) guest(now mono.Time, c *client, q *relay.Control, out *Out) Drop {
	m.touch(now, c)
	c.transaction = max(c.transaction, q.Transaction)
	switch q.Kind {
	case relay.Keepalive:
		m.seen(c, relay.Alive, q.Transaction, out)
	case relay.Ask:
		m.asked(now, c, q, out)
	case relay.See:
		m.asksWhether(c, q, out)
	case relay.Close:
		if l := m.lane(q.Channel); l != nil && l.from == c.slot {
			m.closeLane(c, l, out)
		}
	case relay.Bye:
		m.leave(c, out)
	default:
		return DropMalformed
	}
	return Sent
}

// asked opens a channel for a neighbour, to a node that is here. Never to one that is known to be elsewhere: a frame crosses the region once.
func (m *Machine) asked(now mono.Time, c *client, q *relay.Control, out *Out) {
	a := relay.Control{Kind: relay.Refused, Reason: relay.Absent, Client: c.number, Transaction: q.Transaction}
	if t, ok := m.tenants[q.Tenant]; ok {
		if to := m.here(t, q.Node); to != nil && q.From != q.Node && m.present(now, to) {
			if a.Channel, a.Reason = m.pass(c, to, q.From, out); a.Channel != 0 {
				a.Kind = relay.Opened
				m.offerAbroad(now, m.neighbour(ident.Relay(c.node)), to, q.From, out)
			}
		}
	}
	out.control(c.place, c.local, &a, &c.secret)
}

// pass finds or makes the channel for what a node sends through a neighbour to a client.
func (m *Machine) pass(c, to *client, sender ident.Node, out *Out) (relay.Number, relay.Reason) {
	if slot, ok := m.region.transit[transit{c.slot, to.slot, sender}]; ok {
		return m.lanes.at(slot).number, relay.NoReason
	}
	l, why := m.newLane(c, out)
	if l == nil {
		return 0, why
	}
	m.lead(l, to.slot, far{node: sender}, out)
	return l.number, relay.NoReason
}

// hangUp closes a neighbour's channel, and says so at once: the neighbour can look for the receiver before the next frame comes.
func (m *Machine) hangUp(l *lane, out *Out) {
	c := m.clients.at(l.from)
	m.closeLane(c, l, out)
	if c.place.Via != Nowhere {
		out.notice(c.place, c.local, &relay.Notice{Kind: relay.Closed, Reason: relay.Gone, Number: l.number}, &c.secret)
	}
}

// asksWhether says whether the receiver of a neighbour's channel is at an address, and no more.
func (m *Machine) asksWhether(c *client, q *relay.Control, out *Out) {
	a := relay.Control{Kind: relay.Refused, Reason: relay.Gone, Client: c.number, Transaction: q.Transaction}
	if l := m.lane(q.Channel); l != nil && l.from == c.slot && !l.gone {
		a.Kind, a.Reason, a.Channel = relay.Opened, relay.NoReason, l.number
		a.There = q.Claim.IsValid() && q.Claim.As16() == m.clients.at(l.to).place.IP
	}
	out.control(c.place, c.local, &a, &c.secret)
}
