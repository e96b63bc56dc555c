package forward

import (
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/relay"
)

// Meter is what was forwarded, payload and header of this protocol, for one tenant.
type Meter struct{ Bytes, Packets uint64 }

// Book is one worker's: rates, meters and reasons. It is not safe for concurrent use.
type Book struct {
	node, tenant Rate
	nodes        []account
	tenants      []account
	meters       []Meter
	dropped      [drops]uint64
}

// NewBook makes a book for as many seats and tenants as the relay may have, 16 and 32 bytes each.
func NewBook(seats, tenants int, node, tenant Rate) *Book {
	return &Book{node: node, tenant: tenant, nodes: make([]account, seats), tenants: make([]account, tenants), meters: make([]Meter, tenants)}
}

// Decide says whether a Data frame that came from src goes on to the place in to, and counts it. The seats are those that the lane
// names; any of the three may be the zero value if there is none. On Sent the caller writes the header with relay.PutDeliver(frame, to.Number, lane.Tag).
func (b *Book) Decide(now mono.Time, src Place, frame []byte, lane *Lane, from, to *Seat) Drop {
	d := check(src, frame, lane, from, to)
	if d == Sent {
		d = b.admit(now, len(frame), lane.FromSlot, from.Tenant)
	}
	if d == Sent {
		b.meters[from.Tenant].Bytes += uint64(len(frame))
		b.meters[from.Tenant].Packets++
	}
	b.dropped[d]++
	return d
}

// Refuse counts a frame that the shell dropped behind Decide, such as DropQueueFull.
func (b *Book) Refuse(d Drop) { b.dropped[d]++ }

// Counted returns how many frames met the end d.
func (b *Book) Counted(d Drop) uint64 { return b.dropped[d] }

// Metered returns what a tenant has sent through this worker since its slot was vacated.
func (b *Book) Metered(tenant uint32) Meter { return b.meters[tenant] }

// Vacate forgets a client's rates when its slot goes to another.
func (b *Book) Vacate(seat uint32) { b.nodes[seat] = account{} }

// admit charges both accounts or none, so that what the tenant's rate refuses does not cost the node.
func (b *Book) admit(now mono.Time, n int, seat, tenant uint32) Drop {
	node, all := &b.nodes[seat], &b.tenants[tenant]
	switch {
	case !node.open(now, &b.node):
		return DropNodePaced
	case !all.open(now, &b.tenant):
		return DropTenantPaced
	}
	node.charge(now, n, &b.node)
	all.charge(now, n, &b.tenant)
	return Sent
}

func check(src Place, frame []byte, lane *Lane, from, to *Seat) Drop {
	switch {
	case !relay.IsData(frame):
		return DropMalformed
	case lane.Number == 0 || lane.Number != relay.NumberOf(frame):
		return DropUnknown
	case from.Number == 0 || from.Number != lane.From || from.Place.Via == Nowhere:
		return DropUnbound
	case from.Place != src:
		return DropElsewhere
	case src.Via == UDP && !relay.Authentic(frame, lane.Key):
		return DropForged
	case to.Number == 0 || to.Number != lane.To || to.Tenant != from.Tenant:
		return DropGone
	case to.Place.Via == Nowhere:
		return DropUnreachable
	}
	return Sent
}
