package stun

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// MaxServers bounds the servers that a Client asks.
const MaxServers = 8

// Times of a question: see the package comment.
const (
	firstWait     = 250 * time.Millisecond
	lastWait      = time.Second
	transmissions = 4
)

// Kind says what an Event tells.
type Kind uint8

// The kinds.
const (
	Mapped  Kind = iota + 1 // Server sees this socket at Addr; the answer took RTT, measured from the last transmission
	Refused                 // Server answered with an error of Code
	Silent                  // Server did not answer
	Done                    // the round is over; Mapping and Mapping6 are up to date
)

// Event is something that the owner may want to act upon or log.
type Event struct {
	Kind   Kind
	Server netip.AddrPort
	Addr   netip.AddrPort
	Other  netip.AddrPort // the server's alternate address, as it says: a hint from a server, not to be sent to unasked
	RTT    time.Duration
	Code   int
}

// Transmit is a question to send from the Client's socket.
type Transmit struct {
	To   netip.AddrPort
	Data []byte
}

// Out is what a call decided. The caller owns and reuses it; calls append. Data is valid until Reset.
type Out struct {
	Transmits []Transmit
	Events    []Event
}

// Reset empties an Out for the next call.
func (o *Out) Reset() { o.Transmits, o.Events = o.Transmits[:0], o.Events[:0] }

// Client asks servers where one local socket appears. It is not safe for concurrent use.
type Client struct {
	servers []netip.AddrPort
	rnd     io.Reader
	asked   []question
	open    int // questions that wait
}

// question is what one server was asked in this round.
type question struct {
	server netip.AddrPort
	tx     TxID
	sent   int // transmissions
	last   mono.Time
	next   mono.Time // repeat, or give up; Never once answered
	addr   netip.AddrPort
}

// NewClient makes a Client of up to MaxServers servers: further ones, and what is no address of a server, are left out. rnd gives
// the transaction numbers, which have to be hard to guess.
func NewClient(servers []netip.AddrPort, rnd io.Reader) *Client {
	c := &Client{rnd: rnd}
	for _, s := range servers {
		s = netip.AddrPortFrom(s.Addr().Unmap(), s.Port())
		if len(c.servers) < MaxServers && possible(s) && !slices.Contains(c.servers, s) {
			c.servers = append(c.servers, s)
		}
	}
	return c
}

// Start begins a round: every server is asked at once. Whatever is left of the round before is forgotten. It fails only if rnd does,
// and then nothing is asked.
func (c *Client) Start(now mono.Time, out *Out) error {
	c.asked, c.open = c.asked[:0], 0
	for _, s := range c.servers {
		q := question{server: s}
		if _, err := io.ReadFull(c.rnd, q.tx[:]); err != nil {
			c.asked = c.asked[:0]
			return fmt.Errorf("asking STUN servers failed: no random numbers: %w", err)
		}
		c.asked = append(c.asked, q)
	}
	c.open = len(c.asked)
	for i := range c.asked {
		c.asked[i].transmit(now, out)
	}
	if c.open == 0 {
		out.Events = append(out.Events, Event{Kind: Done})
	}
	return nil
}

// Datagram takes what arrived at the socket from an address, and reports whether it was an answer to a question of this round.
// Anything else changes nothing.
func (c *Client) Datagram(now mono.Time, from netip.AddrPort, b []byte, out *Out) bool {
	m, err := Parse(b)
	if err != nil || m.Type != TypeSuccess && m.Type != TypeError {
		return false
	}
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	i := slices.IndexFunc(c.asked, func(q question) bool { return q.server == from && q.tx == m.Tx && !q.next.IsNever() })
	if i < 0 {
		return false
	}
	q := &c.asked[i]
	switch {
	case m.Type == TypeError:
		out.Events = append(out.Events, Event{Kind: Refused, Server: from, Code: m.Code})
	case len(m.Unknown) > 0 || !possible(m.Mapped) || m.Mapped.Addr().Is4() != from.Addr().Is4():
		return false // RFC 8489, section 6.3.3; and what nobody can have seen as our address
	default:
		q.addr = m.Mapped
		out.Events = append(out.Events, Event{Kind: Mapped, Server: from, Addr: q.addr, Other: m.Other, RTT: now.Sub(q.last)})
	}
	c.close(q, out)
	return true
}

// Deadline is when Tick has something to do; Never outside a round.
func (c *Client) Deadline() mono.Time {
	at := mono.Never
	for i := range c.asked {
		at = mono.Earlier(at, c.asked[i].next)
	}
	return at
}

// Tick repeats and gives up what is due. Early calls are harmless.
func (c *Client) Tick(now mono.Time, out *Out) {
	for i := range c.asked {
		q := &c.asked[i]
		switch {
		case q.next.IsNever() || now.Before(q.next):
		case q.sent < transmissions:
			q.transmit(now, out)
		default:
			out.Events = append(out.Events, Event{Kind: Silent, Server: q.server})
			c.close(q, out)
		}
	}
}

func (c *Client) close(q *question, out *Out) {
	q.next = mono.Never
	if c.open--; c.open == 0 {
		out.Events = append(out.Events, Event{Kind: Done})
	}
}

func (q *question) transmit(now mono.Time, out *Out) {
	out.Transmits = append(out.Transmits, Transmit{q.server, AppendRequest(nil, q.tx, 0)})
	q.last, q.next = now, now.Add(min(firstWait<<q.sent, lastWait))
	q.sent++
}
