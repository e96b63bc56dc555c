package forward

import (
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/proto/relay"
)

// Out is what the shell has to do, in the order of the fields. The caller owns and reuses it; Data is good until Reset.
type Out struct {
	Seats      []SeatAt      // for Table.Apply and each Book.Apply
	Neighbours []NeighbourAt // for Table.Apply
	Lanes      []LaneAt      // for Table.Apply
	Vacated    []Vacated     // for each Book.Settle, before anything is applied
	Called     []Called      // for one Book.Call each
	Transmits  []Transmit    // frames to send
	Cut        []uint32      // connections to end
	Visits     []ident.Relay // neighbours to register at: Visited or Unvisited answers
	bytes      []byte
}

// SeatAt is a changed seat. Fresh says that the slot has a new client: what Books count for it begins anew.
type SeatAt struct {
	Slot  uint32
	Fresh bool
	Seat  Seat
}

// LaneAt is a changed lane.
type LaneAt struct {
	Slot uint32
	Lane Lane
}

// NeighbourAt is a changed neighbour.
type NeighbourAt struct {
	Slot uint32
	Seat Seat
	Key  relay.Key
}

// Vacated is a tenant's slot in Books that is about to become another's.
type Vacated struct {
	Slot   uint32
	Tenant ident.Tenant
}

// Called is a frame among Transmits that is the payload of a Call: a Book decides whether its sender may have it sent.
type Called struct {
	Seat, Tenant uint32
	Abroad       bool // it goes to a neighbour
	Transmit     int
}

// Transmit is a frame to send to a place, from an address of the relay's.
type Transmit struct {
	To    Place
	Local [16]byte
	Data  []byte
}

// Reset empties o and keeps its memory.
func (o *Out) Reset() {
	o.Seats, o.Lanes, o.Vacated, o.Transmits, o.Cut, o.bytes = o.Seats[:0], o.Lanes[:0], o.Vacated[:0], o.Transmits[:0], o.Cut[:0], o.bytes[:0]
	o.Neighbours, o.Visits, o.Called = o.Neighbours[:0], o.Visits[:0], o.Called[:0]
}

// control adds a control frame.
func (o *Out) control(to Place, local [16]byte, q *relay.Control, s *relay.Secret) {
	at := len(o.bytes)
	o.bytes = q.Append(o.bytes, s)
	o.Transmits = append(o.Transmits, Transmit{to, local, o.bytes[at:]})
}

// notice adds a notice.
func (o *Out) notice(to Place, local [16]byte, n *relay.Notice, s *relay.Secret) {
	at := len(o.bytes)
	o.bytes = n.Append(o.bytes, s)
	o.Transmits = append(o.Transmits, Transmit{to, local, o.bytes[at:]})
}
