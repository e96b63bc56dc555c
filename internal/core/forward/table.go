package forward

import "github.com/cvlan/cvlan/proto/relay"

// Place is where a client is bound: an address, or a connection that the shell numbers.
type Place struct {
	IP   [16]byte // IPv4 is mapped; for a connection its number
	Port uint16
	Via  Via
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

// Seat is a client as workers see it.
type Seat struct {
	Number relay.Number // zero: nobody sits here
	Tenant uint32       // the tenant's slot in Books
	Place  Place
}

// Lane is a channel as workers see it.
type Lane struct {
	Number           relay.Number // zero: closed
	FromSlot, ToSlot uint32       // seats
	From, To         relay.Number // who must sit there
	Key              relay.Key
	Tag              relay.Tag // of the sender under the receiver's secret
}
