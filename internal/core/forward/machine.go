package forward

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/relay"
)

// Config bounds a relay. Zero fields mean the defaults.
type Config struct {
	Clients       int           // at a time; 100,000
	Tenants       int           // that Books count for; 4,096. Absent ones give way to new ones
	TenantClients int           // of one tenant at a time; as many as Clients
	Lanes         int           // channels in all; 1,000,000
	Channels      int           // of one client; 1,024
	Transit       int           // channels of one neighbour; a quarter of Lanes
	Idle          time.Duration // after which a silent client is forgotten; 2 min
}

// MaxClients and MaxLanes bound what Config can ask for: some bits of a number tell successive owners of a slot apart.
const (
	MaxClients = 1 << 22
	MaxLanes   = 1 << 25
)

// Filled returns c with the defaults in place.
func (c Config) Filled() Config {
	fill := func(field *int, value int) {
		if *field == 0 {
			*field = value
		}
	}
	fill(&c.Clients, 100_000)
	fill(&c.Tenants, 4096)
	fill(&c.TenantClients, c.Clients)
	fill(&c.Lanes, 1_000_000)
	fill(&c.Channels, 1024)
	fill(&c.Transit, max(1, c.Lanes/4))
	if c.Idle == 0 {
		c.Idle = 2 * time.Minute
	}
	return c
}

// Validate tells everything that is wrong with a configuration.
func (c Config) Validate() error {
	c = c.Filled()
	var errs []error
	within := func(what string, n, most int) {
		if n < 1 || n > most {
			errs = append(errs, fmt.Errorf("relay: %s is %d; it may be 1 to %d", what, n, most))
		}
	}
	within("the bound of clients", c.Clients, MaxClients)
	within("the bound of tenants", c.Tenants, MaxClients)
	within("the bound of a tenant's clients", c.TenantClients, MaxClients)
	within("the bound of channels", c.Lanes, MaxLanes)
	within("the bound of a client's channels", c.Channels, 1<<16-1)
	within("the bound of a neighbour's channels", c.Transit, MaxLanes)
	within("the idle time in seconds", int(c.Idle/time.Second), 1<<16-1)
	return errors.Join(errs...)
}

func (c Config) slots() slots {
	c = c.Filled()
	return slots{room(c.Clients), room(c.Lanes)}
}

// Machine knows a relay's clients and their channels. It has one owner.
type Machine struct {
	cfg      Config
	slots    slots
	rnd      io.Reader
	jar      jar
	epoch    relay.Number // where numbers begin, so that those from before a restart are unknown
	draining drain

	clients  slab[client]
	idle     list             // of clients, the longest unheard first
	free     uint32           // first of the clients' slots that are free, as slot + 1
	made     uint32           // slots that there are
	live     int              // clients that are nodes
	guests   int              // clients that are neighbours
	bySelf   map[owner]uint32 // slots
	expiry   mono.Time        // of the first certificate that expires; Never: none does
	tenants  map[ident.Tenant]uint32
	accounts []tenant

	lanes    slab[lane]
	freeLane uint32 // likewise
	laneMade uint32
	laneLive int
	offers   uint64          // made so far
	byPair   map[pair]uint32 // lanes' slots

	region region
}

// New makes a relay without clients. rnd is where secrets come from.
func New(cfg Config, rnd io.Reader) *Machine {
	cfg = cfg.Filled()
	m := &Machine{
		cfg: cfg, slots: cfg.slots(), rnd: rnd,
		bySelf: map[owner]uint32{}, tenants: map[ident.Tenant]uint32{}, byPair: map[pair]uint32{}, region: newRegion(),
	}
	var seed [32]byte
	m.fill(seed[:])
	m.epoch = relay.Number(rand.New(rand.NewChaCha8(seed)).Uint32())
	m.fill(m.jar.secret[:])
	m.fill(seed[:8])
	m.region.transaction = binary.BigEndian.Uint64(seed[:]) >> 2
	return m
}

// fill reads randomness. Without it there is no secret, and nothing to go on with.
func (m *Machine) fill(b []byte) {
	if _, err := io.ReadFull(m.rnd, b); err != nil {
		panic("relay: no randomness: " + err.Error())
	}
}

// Clients is how many are registered.
func (m *Machine) Clients() int { return m.live }

// Channels is how many are open.
func (m *Machine) Channels() int { return m.laneLive }

// Deadline is when Tick is due.
func (m *Machine) Deadline() mono.Time {
	d := mono.Earlier(m.draining.next, m.expiry)
	if c := m.first(); c != nil {
		d = mono.Earlier(d, c.heard.Add(m.cfg.Idle))
	}
	return mono.Earlier(d, m.regionDeadline())
}

// Tick forgets who is silent or expired, goes on telling clients that the relay drains, and looks after the region.
func (m *Machine) Tick(now mono.Time, out *Out) {
	for c := m.first(); c != nil && now.Sub(c.heard) >= m.cfg.Idle; c = m.first() {
		m.depart(now, c, out)
	}
	if m.expiry != mono.Never && m.expiry <= now {
		m.expire(now, out)
	}
	m.sayBye(now, out)
	m.tickRegion(now, out)
}

// expire evicts whose certificate is no longer good.
func (m *Machine) expire(now mono.Time, out *Out) {
	m.expiry = mono.Never
	for slot := range m.made {
		c := m.clients.at(slot)
		if !c.live || c.expires == mono.Never {
			continue
		}
		if c.expires <= now {
			m.leave(c, out)
		} else {
			m.expiry = mono.Earlier(m.expiry, c.expires)
		}
	}
}
