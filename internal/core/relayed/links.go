package relayed

import (
	"encoding/binary"
	"io"
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/relay"
)

// Bounds.
const (
	MaxSlots    = 8    // links at a time; slots count from 1
	MaxRelays   = 256  // relays that are known
	MaxAddrs    = 4    // addresses of a relay
	MaxChannels = 4096 // of a link
	MaxLanes    = 4    // told of to one node
	MaxCalls    = 4    // datagrams that go with the Opens of one channel
)

// NATTimeout is for how long nearly every NAT keeps an idle UDP mapping.
const NATTimeout = 25 * time.Second

// Config says who we are. The zero value of every other field is useful.
type Config struct {
	Self ident.Node
	// Home is where the node was at home last time.
	Home ident.Relay
	// NATTimeout is for how long the NAT on the way keeps an idle UDP mapping; 0: that of all but few.
	NATTimeout time.Duration
}

// Relay is a relay of the map.
type Relay struct {
	ID       ident.Relay
	Addrs    []netip.AddrPort // where it takes UDP, most wanted first
	Region   string           // relays of a region forward to each other; empty: it is in none
	Draining bool             // it is about to stop
}

// Lane is an open channel to a node: what its datagrams need on their way out.
type Lane struct {
	Slot    uint8
	Carried bool           // on the link's connection, not by UDP
	Remote  netip.AddrPort // the relay
	Channel relay.Number
	Key     relay.Key
}

// Transmit is a frame to send.
type Transmit struct {
	Slot    uint8          // 0: a STUN question, to nobody's link
	Carried bool           // on the link's connection
	To      netip.AddrPort // by UDP, from the node's main socket
	Data    []byte
}

// Kind says what an Event tells.
type Kind uint8

// The kinds. All but LaneUp and Lost name a Slot and its Relay.
const (
	// Dial asks for a connection and registration. Its end is Registered or Failed, with the same Conn.
	Dial Kind = iota + 1
	// Hangup asks to close Conn, or to give up making it.
	Hangup
	// Up: frames reach the relay, on Conn or by UDP (Conn is 0). It is told again when that changes.
	Up
	// Down: they do not.
	Down
	// Vacant: the link has ended. Another relay may get its slot.
	Vacant
	// Home is where peers find the node from now on.
	Home
	// LaneUp: the lanes to Node have changed; Lane is the best now. See also Links.Lanes.
	LaneUp
	// Lost: no lane leads to Node any more, or none could be had, for Reason.
	Lost
	// Expect: what the relay at Addr delivers to Number under Tag is from Node. A later one with the same Number and Tag replaces it.
	Expect
	// Unexpect ends that.
	Unexpect
	// Seen: the relay sees the node's main socket at Addr.
	Seen
	// Confirmed: the relay sees Node at the address of Addr, whatever its port. It answers Confirm.
	Confirmed
	// Return: Data, which Call took for Node, was not sent on.
	Return
)

// Event is something that the owner has to do, or to know.
type Event struct {
	Kind   Kind
	Slot   uint8
	Conn   uint32
	Relay  ident.Relay
	Node   ident.Node
	Reason relay.Reason
	Lane   Lane
	Number relay.Number
	Tag    relay.Tag
	Addr   netip.AddrPort
	Data   []byte
}

// Out is what a call decided. The caller owns and reuses it; calls append.
type Out struct {
	Transmits []Transmit
	Events    []Event
}

// Reset empties an Out for the next call.
func (o *Out) Reset() { o.Transmits, o.Events = o.Transmits[:0], o.Events[:0] }

func (o *Out) tell(e Event) { o.Events = append(o.Events, e) }

// Links is a node's side of all its relays. It is not safe for concurrent use.
type Links struct {
	cfg    Config
	rnd    io.Reader
	relays []*known
	slots  [MaxSlots + 1]*link // slots[0] is nobody
	conns  uint32              // the last that was asked for

	peers  map[ident.Node]*peer
	order  []*peer // the same, in an order that does not depend on chance
	active []*peer // those that are wanted

	home, target, standby *known
	elections
	survey survey

	next      mono.Time // Tick has nothing to do before
	lanesNext mono.Time // nor with lanes before
	sweepAt   mono.Time // when channels are looked through next
}

// New makes the node's side of relays; rnd gives numbers that have to be hard to guess.
func New(cfg Config, rnd io.Reader) *Links {
	if cfg.NATTimeout <= 0 {
		cfg.NATTimeout = NATTimeout
	}
	return &Links{cfg: cfg, rnd: rnd, peers: make(map[ident.Node]*peer)}
}

// Deadline is when Tick has something to do, at the earliest.
func (l *Links) Deadline() mono.Time { return l.next }

// Tick does what is due. Early calls are harmless.
func (l *Links) Tick(now mono.Time, out *Out) {
	if l.next.IsNever() || now.Before(l.next) {
		return
	}
	l.next = mono.Never
	l.tickSurvey(now, out)
	for _, k := range l.slots {
		if k != nil {
			k.tick(now, out)
		}
	}
	l.tickLanes(now, out)
	l.elect(now, out)
}

// wake has Tick called at a time.
func (l *Links) wake(at mono.Time) { l.next = mono.Earlier(l.next, at) }

// random draws a number.
func (l *Links) random() uint64 {
	var b [8]byte
	_, _ = io.ReadFull(l.rnd, b[:]) // a source that has run dry makes numbers easy to guess, not wrong
	return binary.BigEndian.Uint64(b[:])
}

// between draws a time between two.
func (l *Links) between(from, to time.Duration) time.Duration {
	return from + time.Duration(l.random()%uint64(to-from))
}
