package forward

import (
	"net/netip"

	"github.com/cvlan/cvlan/proto/relay"
)

// Place is where a client is bound: an address, or a connection.
type Place struct {
	IP   [16]byte // IPv4 is mapped; of a connection, where it comes from
	Port uint16
	Via  Via
	Conn uint32 // the shell's number of a connection; zero for UDP
}

// At returns the place of a UDP address.
func At(a netip.AddrPort) Place { return Place{IP: a.Addr().As16(), Port: a.Port(), Via: UDP} }

// AddrPort returns the address, IPv4 in its own form.
func (p *Place) AddrPort() netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(p.IP).Unmap(), p.Port)
}

// Via is how a client is reached.
type Via uint8

// The ways to a client. Streams and QUIC datagrams authenticate by themselves.
const (
	Nowhere Via = iota
	UDP
	Stream
	Datagram
)

// Seat is a client as workers see it, or a neighbour.
type Seat struct {
	Number relay.Number // zero: nobody sits here
	Tenant uint32       // the tenant's slot in Books; noTenant: a relay
	Place  Place
	Local  [16]byte // the relay's address that the client uses; zero: whichever
}

// Lane is a channel as workers see it.
type Lane struct {
	Number           relay.Number // zero: closed
	FromSlot, ToSlot uint32       // seats
	From, To         relay.Number // who must sit there
	Key              relay.Key
	Tag              relay.Tag // of the sender under the receiver's secret; if it leads to a neighbour, the number of its channel there
}

// abroad marks the slot of a neighbour's seat: what a lane leads to that leads to another relay of the region.
const abroad = 1 << 31

// noTenant is the tenant of relays.
const noTenant = 1<<32 - 1

// next is a neighbour as workers see it.
type next struct {
	Seat
	key relay.Key
}

// Table is what workers look up. See the package comment for who may use it when.
type Table struct {
	seats  slab[Seat]
	lanes  slab[Lane]
	region [MaxNeighbours]next
	slots  slots
}

// NewTable makes the table that the changes of a Machine with the same bounds go to.
func NewTable(c Config) *Table { return &Table{slots: c.slots()} }

var (
	noSeat Seat
	noLane Lane
)

// Lane finds a channel's; the zero Lane if there is none in its slot. The number must be compared.
func (t *Table) Lane(n relay.Number) *Lane {
	if l := t.lanes.at(t.slots.lane(n)); l != nil {
		return l
	}
	return &noLane
}

// Seat returns the one in a slot, or the zero Seat.
func (t *Table) Seat(slot uint32) *Seat {
	if n := slot &^ abroad; n != slot && n < MaxNeighbours {
		return &t.region[n].Seat
	}
	if s := t.seats.at(slot); s != nil {
		return s
	}
	return &noSeat
}

// SeatOf finds a client's slot and seat; the zero Seat if that slot is empty. The number must be compared.
func (t *Table) SeatOf(n relay.Number) (slot uint32, s *Seat) {
	slot = t.slots.client(n)
	return slot, t.Seat(slot)
}

// Neighbour reports whether a relay of the region, whose client we are, is at a place.
func (t *Table) Neighbour(at *Place) bool {
	for i := range t.region {
		if n := &t.region[i]; n.Number != 0 && n.Place == *at {
			return true
		}
	}
	return false
}

// Readdress writes the header with which a frame goes on to where its lane leads.
func (t *Table) Readdress(frame []byte, l *Lane, to *Seat) {
	if n := l.ToSlot &^ abroad; n != l.ToSlot {
		relay.PutData(frame, relay.Number(l.Tag), t.region[n].key)
		return
	}
	relay.PutDeliver(frame, to.Number, l.Tag)
}

// Apply takes over what has changed.
func (t *Table) Apply(o *Out) {
	for i := range o.Neighbours {
		n := &o.Neighbours[i]
		t.region[n.Slot] = next{n.Seat, n.Key}
	}
	for i := range o.Seats {
		*t.seats.grow(o.Seats[i].Slot) = o.Seats[i].Seat
	}
	for i := range o.Lanes {
		*t.lanes.grow(o.Lanes[i].Slot) = o.Lanes[i].Lane
	}
}
