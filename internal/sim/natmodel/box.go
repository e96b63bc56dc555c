package natmodel

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// maxMappings bounds a box's table, as a router's memory does.
const maxMappings = 60_000

// Box is one router. It is not safe for concurrent use.
type Box struct {
	config  Config
	outside netip.Addr
	rnd     *rand.Rand
	next    uint16 // the port that Sequential gives out next

	byInside map[flow]*mapping
	byPort   map[uint16]*mapping
	taken    map[remote]mono.Time // OpenInput: pairs of outside port and remote that a stranger took, and until when
}

// flow is what a mapping belongs to: an inside socket and as much of the remote as the mapping rule tells apart.
type flow struct{ inside, remote netip.AddrPort }

// remote is an outside port and somebody outside.
type remote struct {
	port uint16
	who  netip.AddrPort
}

type mapping struct {
	flow  flow
	port  uint16
	until mono.Time
	spoke map[netip.AddrPort]mono.Time // who was spoken to, as the filtering rule tells apart; until when they may answer
	split map[netip.AddrPort]bool      // OpenInput: remotes that see another mapping, because a stranger took this one's port
}

// New makes a box with an outside address. A routed box has none of its own.
func New(c Config, outside netip.Addr, rnd *rand.Rand) *Box {
	if c.Lifetime == 0 {
		c.Lifetime = defaultLifetime
	}
	b := &Box{config: c, outside: outside, rnd: rnd, next: uint16(20000 + rnd.IntN(20000))}
	b.Reboot()
	return b
}

// Config returns what the box does.
func (b *Box) Config() Config { return b.config }

// Outside returns the box's outside address.
func (b *Box) Outside() netip.Addr { return b.outside }

// Reboot forgets all mappings.
func (b *Box) Reboot() {
	b.byInside, b.byPort, b.taken = map[flow]*mapping{}, map[uint16]*mapping{}, map[remote]mono.Time{}
}

// Renumber gives the box another outside address and forgets all mappings.
func (b *Box) Renumber(outside netip.Addr) {
	b.outside = outside
	b.Reboot()
}

// part is as much of a remote as a rule tells apart.
func part(r Rule, a netip.AddrPort) netip.AddrPort {
	switch r {
	case Endpoint:
		return netip.AddrPort{}
	case Address:
		return netip.AddrPortFrom(a.Addr(), 0)
	}
	return a
}

// Out passes a datagram from an inside socket towards a remote, and returns the outside address that the remote sees; false: it is
// dropped.
func (b *Box) Out(now mono.Time, from, to netip.AddrPort) (netip.AddrPort, bool) {
	if b.config.NoUDP {
		return netip.AddrPort{}, false
	}
	key := flow{from, part(b.config.Mapping, to)}
	if b.config.Routed {
		key.remote = netip.AddrPort{}
	}
	m := b.live(now, key)
	if m != nil && m.split[to] || m == nil && b.stolen(now, from.Port(), to) {
		key = flow{from, to} // a tuple of its own, because its port is taken
		m = b.live(now, key)
	}
	if m == nil {
		if m = b.add(now, key, to); m == nil {
			return netip.AddrPort{}, false
		}
	}
	m.until = now.Add(b.config.Lifetime)
	m.spoke[part(b.config.Filtering, to)] = m.until
	if b.config.Routed {
		return from, true
	}
	return netip.AddrPortFrom(b.outside, m.port), true
}

// stolen reports whether a stranger's datagram took a pair of outside port and remote.
func (b *Box) stolen(now mono.Time, port uint16, to netip.AddrPort) bool {
	until, found := b.taken[remote{port, to}]
	return found && now.Before(until)
}

// live returns a mapping that has not died.
func (b *Box) live(now mono.Time, key flow) *mapping {
	m := b.byInside[key]
	if m != nil && !now.Before(m.until) {
		b.remove(m)
		return nil
	}
	return m
}

func (b *Box) remove(m *mapping) {
	delete(b.byInside, m.flow)
	if b.byPort[m.port] == m {
		delete(b.byPort, m.port)
	}
}

func (b *Box) add(now mono.Time, key flow, to netip.AddrPort) *mapping {
	if len(b.byInside) >= maxMappings {
		b.sweep(now)
		if len(b.byInside) >= maxMappings {
			return nil
		}
	}
	m := &mapping{flow: key, until: now.Add(b.config.Lifetime), spoke: map[netip.AddrPort]mono.Time{}}
	if !b.config.Routed {
		port, ok := b.choose(now, key.inside.Port(), to)
		if !ok {
			return nil
		}
		m.port = port
		b.byPort[port] = m
	}
	b.byInside[key] = m
	return m
}

func (b *Box) sweep(now mono.Time) {
	for _, m := range b.byInside {
		if !now.Before(m.until) {
			b.remove(m)
		}
	}
}

// choose finds a free outside port.
func (b *Box) choose(now mono.Time, inside uint16, to netip.AddrPort) (uint16, bool) {
	free := func(p uint16) bool {
		m := b.byPort[p]
		if m != nil && !now.Before(m.until) {
			b.remove(m)
			m = nil
		}
		return m == nil && !b.stolen(now, p, to)
	}
	if b.config.Ports == Preserve && free(inside) {
		return inside, true
	}
	for range 1 << 17 {
		p := uint16(1024 + b.rnd.IntN(65536-1024))
		if b.config.Ports == Sequential {
			p, b.next = b.next, max(1024, b.next+1)
		}
		if free(p) {
			return p, true
		}
	}
	return 0, false
}

// In passes a datagram that came from outside, and returns the inside socket that gets it; false: it is dropped. For a routed box to
// is the inside socket itself.
func (b *Box) In(now mono.Time, from, to netip.AddrPort) (netip.AddrPort, bool) {
	if b.config.NoUDP {
		return netip.AddrPort{}, false
	}
	if b.config.Routed {
		m := b.live(now, flow{to, netip.AddrPort{}})
		return to, b.config.Filtering == Endpoint || m != nil && b.heard(now, m, from)
	}
	m := b.byPort[to.Port()]
	if m == nil || !now.Before(m.until) || !b.heard(now, m, from) {
		b.steal(now, m, from, to.Port())
		return netip.AddrPort{}, false
	}
	return m.flow.inside, true
}

// heard reports whether a remote may use a mapping, which its datagram keeps alive.
func (b *Box) heard(now mono.Time, m *mapping, from netip.AddrPort) bool {
	key := part(b.config.Filtering, from)
	if until, found := m.spoke[key]; b.config.Filtering != Endpoint && (!found || !now.Before(until)) {
		return false
	}
	m.until = now.Add(b.config.Lifetime)
	m.spoke[key] = m.until
	return true
}

// steal lets a router that answers strangers lose a port to them.
func (b *Box) steal(now mono.Time, m *mapping, from netip.AddrPort, port uint16) {
	if !b.config.OpenInput || len(b.taken) >= maxMappings {
		return
	}
	b.taken[remote{port, from}] = now.Add(max(b.config.Lifetime, time.Second))
	if m == nil {
		return
	}
	if m.split == nil {
		m.split = map[netip.AddrPort]bool{}
	}
	if len(m.split) < maxMappings {
		m.split[from] = true
	}
}
