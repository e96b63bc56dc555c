package forward

import (
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/relay"
)

// Admitted is who a certificate speaks for.
type Admitted struct {
	Tenant  ident.Tenant
	Node    ident.Node
	Expires mono.Time // Never: it does not
}

// Register makes a client of who has been admitted, in place of whom it was before. conn is the shell's number of the connection that
// it registered on, not zero.
func (m *Machine) Register(now mono.Time, who Admitted, conn uint32, out *Out) relay.Welcome {
	switch {
	case m.draining.on:
		return relay.Welcome{Reason: relay.Draining, Version: relay.Version}
	case who.Expires != mono.Never && who.Expires <= now:
		return relay.Welcome{Reason: relay.NotPermitted, Version: relay.Version}
	}
	c, why := m.seat(who, out)
	if c == nil {
		return relay.Welcome{Reason: why, Version: relay.Version}
	}
	return m.welcome(now, who.Expires, c, conn, out)
}

// welcome begins a registration of a client that has a slot.
func (m *Machine) welcome(now, expires mono.Time, c *client, conn uint32, out *Out) relay.Welcome {
	c.heard, c.expires, c.conn = now, expires, conn
	m.fill(c.secret[:])
	m.idle.push(m, c)
	m.expiry = mono.Earlier(m.expiry, expires)
	out.seat(c, true)
	m.follow(c, out)
	return relay.Welcome{Version: relay.Version, Client: c.number, Idle: uint16(m.cfg.Idle / time.Second), Channels: uint16(m.cfg.Channels), Secret: c.secret}
}

// seat gives a slot to a client: the one that it had, or a free one.
func (m *Machine) seat(who Admitted, out *Out) (*client, relay.Reason) {
	if t, ok := m.tenants[who.Tenant]; ok {
		if slot, ok := m.bySelf[owner{t, who.Node}]; ok {
			c := m.clients.at(slot)
			m.detach(c, out)
			c.number = successor(c.number, m.slots.clientBits)
			return c, relay.NoReason
		}
		if int(m.accounts[t].clients) >= m.cfg.TenantClients {
			return nil, relay.TooMany
		}
	}
	if m.live >= m.cfg.Clients {
		return nil, relay.Busy
	}
	t, ok := m.account(who.Tenant, out)
	if !ok {
		return nil, relay.Busy
	}
	c := m.takeClient()
	c.live, c.tenant, c.node = true, t, who.Node
	m.bySelf[owner{t, who.Node}] = c.slot
	m.accounts[t].clients++
	m.live++
	return c, relay.NoReason
}

// account finds a tenant's slot in Books, or one for it: a new one, or that of a tenant who is not here any more.
func (m *Machine) account(id ident.Tenant, out *Out) (uint32, bool) {
	if t, ok := m.tenants[id]; ok {
		return t, true
	}
	t := uint32(len(m.accounts))
	if int(t) < m.cfg.Tenants {
		m.accounts = append(m.accounts, tenant{id: id})
		m.tenants[id] = t
		return t, true
	}
	for t = range uint32(len(m.accounts)) {
		if old := &m.accounts[t]; old.clients == 0 {
			out.Vacated = append(out.Vacated, Vacated{t, old.id})
			delete(m.tenants, old.id)
			old.id = id
			m.tenants[id] = t
			return t, true
		}
	}
	return 0, false
}

// Tenants calls f with each tenant and its slot in Books.
func (m *Machine) Tenants(f func(slot uint32, id ident.Tenant, clients int)) {
	for i := range m.accounts {
		f(uint32(i), m.accounts[i].id, int(m.accounts[i].clients))
	}
}

// Bound calls f for each client with the way that it is reached.
func (m *Machine) Bound(f func(Via)) {
	for slot := range m.made {
		if c := m.clients.at(slot); c.live && c.tenant != noTenant {
			f(c.place.Via)
		}
	}
}

// Revoke cuts a node off at once, whichever tenant's it is.
func (m *Machine) Revoke(node ident.Node, out *Out) {
	m.evict(func(c *client) bool { return c.node == node && c.tenant != noTenant }, out)
}

// RevokeTenant cuts all nodes of a tenant off at once.
func (m *Machine) RevokeTenant(id ident.Tenant, out *Out) {
	if t, ok := m.tenants[id]; ok {
		m.evict(func(c *client) bool { return c.tenant == t }, out)
	}
}

func (m *Machine) evict(who func(*client) bool, out *Out) {
	for slot := range m.made {
		if c := m.clients.at(slot); c.live && who(c) {
			m.leave(c, out)
		}
	}
}

// Ended tells that a connection is no more. A client that was bound to it is bound to nothing until it binds again.
func (m *Machine) Ended(n relay.Number, conn uint32, out *Out) {
	c := m.client(n)
	if c == nil || c.conn != conn {
		return
	}
	c.conn = 0
	if c.place.Conn == conn {
		c.place = Place{}
		out.seat(c, false)
	}
}
