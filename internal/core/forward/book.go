package forward

import (
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/relay"
)

// Meter is what was forwarded, payload and header of this protocol, for one tenant.
type Meter struct{ Bytes, Packets uint64 }

// Add adds what another has metered.
func (m *Meter) Add(o Meter) {
	m.Bytes += o.Bytes
	m.Packets += o.Packets
}

func (m *Meter) count(n int) {
	m.Bytes += uint64(n)
	m.Packets++
}

// Book is one worker's: rates, shares, meters and reasons. It is not safe for concurrent use.
type Book struct {
	node       Rate
	toll       Toll
	nodes      slab[account]
	tenants    slab[ledger]
	shares     shares
	hearing    hearing
	dropped    [Drops]uint64
	went, came Meter // to neighbours, and from them
	notice     Pace
}

// ledger is what is counted for a tenant: 40 bytes.
type ledger struct {
	Meter
	use
	asked
}

// What one worker lets through to the owner, and says to strangers, in a second.
const (
	controlRate = 20_000
	noticeRate  = 1000
	callCost    = 128 // bytes of a Call's payload that cost as much as a control frame
	burst       = 100 * time.Millisecond
)

// NewBook makes an empty book. A node, whose frames come to one worker, is held to its rate here; its tenant at the toll, if there is one.
func NewBook(node Rate, toll Toll) *Book {
	return &Book{node: node.Filled(), toll: toll, shares: shares{share: unlimited}}
}

// Apply makes room for new clients and forgets what was counted for those whose slots they have.
func (b *Book) Apply(o *Out) {
	for i := range o.Seats {
		if s := &o.Seats[i]; s.Fresh && s.Seat.Tenant != noTenant {
			*b.nodes.grow(s.Slot) = account{}
			b.tenants.grow(s.Seat.Tenant)
			if b.toll != nil {
				b.toll.Room(s.Seat.Tenant)
			}
		}
	}
	b.shares.room(len(b.tenants.chunks) * slabSize)
}

// Turn is called once for each call of the system that brought frames; full says that it brought as much as it could.
func (b *Book) Turn(now mono.Time, full bool) { b.shares.turn(now, full, &b.tenants) }

// Decide says whether a Data frame that came from src goes on to the place in to, and counts it. The seats are those that the lane
// names; any of the three may be the zero value if there is none. On Sent the caller writes the header with Table.Readdress.
func (b *Book) Decide(now mono.Time, src *Place, frame []byte, lane *Lane, from, to *Seat) Drop {
	d := check(src, frame, lane, from, to)
	switch {
	case d != Sent:
	case from.Tenant == noTenant:
		d = b.receive(len(frame), to.Tenant)
	default:
		d = b.send(now, len(frame), lane.FromSlot, from.Tenant, to.Tenant)
	}
	b.dropped[d]++
	return d
}

// Call says whether the payload of a Call, a frame of n bytes now, goes on.
func (b *Book) Call(now mono.Time, c *Called, n int) Drop {
	to := c.Tenant
	if c.Abroad {
		to = noTenant
	}
	d := b.send(now, n, c.Seat, c.Tenant, to)
	b.dropped[d]++
	return d
}

// send charges and meters what a client sends.
func (b *Book) send(now mono.Time, n int, seat, tenant, to uint32) Drop {
	d := b.admit(now, n, seat, tenant)
	if d == Sent {
		b.tenants.at(tenant).count(n)
		if to == noTenant {
			b.went.count(n)
		}
	}
	return d
}

// receive counts what a neighbour sends on. Its sender has been charged and metered there, but the worker is shared here too.
func (b *Book) receive(n int, tenant uint32) Drop {
	all := b.tenants.at(tenant)
	if b.shares.over(tenant, &all.use, n) {
		return DropShare
	}
	b.shares.carry(&all.use, n)
	b.came.count(n)
	return Sent
}

// Region returns what went to neighbours, and what came from them.
func (b *Book) Region() (went, came Meter) { return b.went, b.came }

// Control says whether a control frame that came from src is worth the owner's time: seat is the one in its number's slot.
func (b *Book) Control(now mono.Time, src *Place, frame []byte, seat *Seat) (d Drop) {
	kind, _ := relay.KindOf(frame)
	switch {
	case !relay.IsControl(frame):
		d = DropMalformed
	case seat.Number == 0 || seat.Number != relay.NumberOf(frame):
		d = DropUnknown
	case kind != relay.Bind && src.Via == UDP && seat.Place != *src: // a connection's Bind may have come just before, and is the owner's to judge
		d = DropElsewhere
	case !b.hearing.pass(now, b.asks(seat.Tenant), 1+(len(frame)-relay.ControlSize)/callCost):
		d = DropBusy
	default:
		return Sent // counted when the owner has acted
	}
	b.dropped[d]++
	return d
}

// Answer says whether what a neighbour answers is worth the owner's time.
func (b *Book) Answer(now mono.Time) Drop {
	if !b.hearing.pass(now, &b.hearing.relays, 1) {
		b.dropped[DropBusy]++
		return DropBusy
	}
	return Sent
}

// asks finds what a tenant, or the relays of the region, have asked.
func (b *Book) asks(tenant uint32) *asked {
	if tenant == noTenant {
		return &b.hearing.relays
	}
	return &b.tenants.at(tenant).asked
}

// Notice reports whether one more notice may be sent.
func (b *Book) Notice(now mono.Time) bool {
	if !b.notice.Open(now, burst) {
		return false
	}
	b.notice.Charge(now, 1, noticeRate)
	return true
}

// Refuse counts a frame that the shell dropped behind Decide, such as DropQueueFull. It stays metered: it was carried as far as its receiver let it.
func (b *Book) Refuse(d Drop) { b.dropped[d]++ }

// Counted returns how many frames met the end d.
func (b *Book) Counted(d Drop) uint64 { return b.dropped[d] }

// Metered returns what a tenant has sent through this worker since its slot was settled.
func (b *Book) Metered(tenant uint32) (m Meter) {
	if l := b.tenants.at(tenant); l != nil {
		m = l.Meter
	}
	return m
}

// Settle returns what a tenant has sent through this worker, and forgets it, when its slot goes to another.
func (b *Book) Settle(tenant uint32) (m Meter) {
	if l := b.tenants.at(tenant); l != nil {
		m, l.Meter = l.Meter, Meter{}
		if b.toll != nil {
			b.toll.Forget(tenant)
		}
	}
	return m
}

// admit charges all accounts or none, so that what the tenant's rate refuses does not cost the node.
func (b *Book) admit(now mono.Time, n int, seat, tenant uint32) Drop {
	node, all := b.nodes.at(seat), b.tenants.at(tenant)
	switch {
	case !node.open(now, &b.node):
		return DropNodePaced
	case b.toll != nil && !b.toll.Open(now, tenant):
		return DropTenantPaced
	case b.shares.over(tenant, &all.use, n):
		return DropShare
	}
	node.charge(now, n, &b.node)
	if b.toll != nil {
		b.toll.Charge(now, tenant, n)
	}
	b.shares.carry(&all.use, n)
	return Sent
}

// reaches reports whether what one sends may go to another: inside a tenant, or to a relay or from one, but never from relay to relay.
func reaches(from, to uint32) bool {
	return (from == to) != (from == noTenant || to == noTenant)
}

func check(src *Place, frame []byte, lane *Lane, from, to *Seat) Drop {
	switch {
	case !relay.IsData(frame):
		return DropMalformed
	case lane.Number == 0 || lane.Number != relay.NumberOf(frame):
		return DropUnknown
	case from.Number == 0 || from.Number != lane.From || from.Place.Via == Nowhere:
		return DropUnbound
	case from.Place != *src:
		return DropElsewhere
	case src.Via == UDP && !relay.Authentic(frame, lane.Key):
		return DropForged
	case to.Number == 0 || to.Number != lane.To || !reaches(from.Tenant, to.Tenant):
		return DropGone
	case to.Place.Via == Nowhere:
		return DropUnreachable
	}
	return Sent
}
