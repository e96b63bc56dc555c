package forward

import (
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/relay"
)

// client is what the owner knows of one: 152 bytes.
type client struct {
	number      relay.Number
	slot        uint32
	tenant      uint32 // slot
	conn        uint32 // that it registered on; zero: ended
	node        ident.Node
	transaction uint64 // the last that was acted upon
	heard       mono.Time
	expires     mono.Time
	secret      relay.Secret
	place       Place
	local       [16]byte
	older       uint32 // neighbours in the list of idle ones, as slot + 1
	newer       uint32 // of a free slot: the next free one
	from, to    uint32 // first of the lanes that it has opened, and that lead to it, as slot + 1
	channels    uint32 // that it has opened
	live        bool
	held        uint8 // payloads that wait for an answer of the region
	searches    Pace  // for nodes that are not here
}

type owner struct {
	tenant uint32
	node   ident.Node
}

// tenant is an account in Books.
type tenant struct {
	id      ident.Tenant
	clients uint32
}

// client finds one by its number.
func (m *Machine) client(n relay.Number) *client {
	c := m.clients.at(m.slots.client(n))
	if c == nil || !c.live || c.number != n || n == 0 {
		return nil
	}
	return c
}

func (m *Machine) takeClient() *client {
	if m.free != 0 {
		c := m.clients.at(m.free - 1)
		m.free = c.newer
		*c = client{slot: c.slot, number: successor(c.number, m.slots.clientBits)}
		return c
	}
	c := m.clients.grow(m.made)
	*c = client{slot: m.made, number: successor(m.epoch<<m.slots.clientBits|relay.Number(m.made), m.slots.clientBits)}
	m.made++
	return c
}

// leave forgets a client, its channels and its connection. Channels that lead to it stay and lead nowhere, so that their owners can be told why.
func (m *Machine) leave(c *client, out *Out) {
	m.detach(c, out)
	for c.to != 0 {
		if l := m.lanes.at(c.to - 1); m.clients.at(l.from).tenant == noTenant {
			m.hangUp(l, out)
		} else {
			m.lost(l, out)
		}
	}
	delete(m.bySelf, owner{c.tenant, c.node})
	if c.tenant == noTenant {
		m.guests--
	} else {
		m.accounts[c.tenant].clients--
		m.live--
	}
	c.live, c.secret = false, relay.Secret{}
	c.newer, m.free = m.free, c.slot+1
	out.Seats = append(out.Seats, SeatAt{Slot: c.slot})
}

// detach ends what belongs to a registration: the channels that it has opened, its place and its connection.
func (m *Machine) detach(c *client, out *Out) {
	for c.from != 0 {
		m.closeLane(c, m.lanes.at(c.from-1), out)
	}
	m.idle.remove(m, c)
	if c.conn != 0 {
		out.Cut = append(out.Cut, c.conn)
	}
	c.conn, c.transaction, c.place, c.local, c.held = 0, 0, Place{}, [16]byte{}, 0
}

func (o *Out) seat(c *client, fresh bool) {
	o.Seats = append(o.Seats, SeatAt{c.slot, fresh, Seat{c.number, c.tenant, c.place, c.local}})
}

// list is a list of clients: first and last, as slot + 1.
type list struct{ oldest, newest uint32 }

func (m *Machine) first() *client {
	if m.idle.oldest == 0 {
		return nil
	}
	return m.clients.at(m.idle.oldest - 1)
}

// push appends a client that is in no list.
func (l *list) push(m *Machine, c *client) {
	c.older, c.newer = l.newest, 0
	if l.newest != 0 {
		m.clients.at(l.newest - 1).newer = c.slot + 1
	} else {
		l.oldest = c.slot + 1
	}
	l.newest = c.slot + 1
}

// remove takes a client out; one that is in no list is left alone.
func (l *list) remove(m *Machine, c *client) {
	if c.older == 0 && l.oldest != c.slot+1 {
		return
	}
	if c.older != 0 {
		m.clients.at(c.older - 1).newer = c.newer
	} else {
		l.oldest = c.newer
	}
	if c.newer != 0 {
		m.clients.at(c.newer - 1).older = c.older
	} else {
		l.newest = c.older
	}
	c.older, c.newer = 0, 0
}

// touch notes that a client is alive.
func (m *Machine) touch(now mono.Time, c *client) {
	c.heard = now
	m.idle.remove(m, c)
	m.idle.push(m, c)
}
