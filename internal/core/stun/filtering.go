package stun

import (
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// Filtering is whom a NAT or firewall lets answer a socket (RFC 4787, section 5).
type Filtering uint8

// The filterings, from the most open.
const (
	FilteringUnknown     Filtering = iota // no server answered, or it has no second place to answer from
	FilteringIndependent                  // anybody
	FilteringAddress                      // any port of a machine that the socket has sent to; or more, if the server has one IP address only
	FilteringPort                         // only exactly whom the socket has sent to
)

// String returns the word for people and logs.
func (f Filtering) String() string {
	switch f {
	case FilteringIndependent:
		return "independent"
	case FilteringAddress:
		return "address"
	case FilteringPort:
		return "address and port"
	default:
		return "unknown"
	}
}

// Times of a Filter's questions, which are asked at 0, 250 and 500 ms and given up at 1.5 s.
const (
	filterWait  = 250 * time.Millisecond
	filterLast  = time.Second
	filterTimes = 3
)

// The questions of a Filter.
const (
	fromThere = iota // from where it was asked: says whether the server answers, and where else it is
	fromPort         // from another port
	fromIP           // from another IP address
	questions
)

var changes = [questions]Change{0, ChangePort, ChangeIP | ChangePort}

// Filter asks one server to answer from elsewhere. It is not safe for concurrent use.
type Filter struct {
	server netip.AddrPort
	rnd    io.Reader
	other  netip.AddrPort // what the server says of itself
	asked  [questions]change
}

// change is one question and what became of it.
type change struct {
	tx              TxID
	sent            int
	next            mono.Time // repeat, or give up; Never while not asked and once settled
	came, cannot    bool      // answered from where it was wanted; refused, or nowhere to answer from
	begun, finished bool
}

// NewFilter makes a Filter. rnd gives the transaction numbers.
func NewFilter(server netip.AddrPort, rnd io.Reader) *Filter {
	return &Filter{server: netip.AddrPortFrom(server.Addr().Unmap(), server.Port()), rnd: rnd}
}

// Start asks the first question. It fails only if rnd does, and then nothing is asked.
func (f *Filter) Start(now mono.Time, out *Out) error {
	if !possible(f.server) {
		return fmt.Errorf("asking a STUN server failed: %v is no address of one", f.server)
	}
	f.asked = [questions]change{}
	for i := range f.asked {
		if _, err := io.ReadFull(f.rnd, f.asked[i].tx[:]); err != nil {
			return fmt.Errorf("asking a STUN server failed: no random numbers: %w", err)
		}
	}
	f.ask(fromThere, now, out)
	return nil
}

// Datagram takes what arrived at the socket, and reports whether it was an answer to a question.
func (f *Filter) Datagram(now mono.Time, from netip.AddrPort, b []byte, out *Out) bool {
	m, err := Parse(b)
	if err != nil || m.Type != TypeSuccess && m.Type != TypeError {
		return false
	}
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	for i := range f.asked {
		q := &f.asked[i]
		if !q.begun || q.finished || q.tx != m.Tx || !f.fits(i, m.Type, from) {
			continue
		}
		q.came, q.cannot = m.Type == TypeSuccess, m.Type == TypeError
		q.finished, q.next = true, mono.Never
		if i == fromThere && q.came {
			f.other = m.Other
			f.ask(fromPort, now, out)
			if f.hasOther() {
				f.ask(fromIP, now, out)
			}
		}
		f.tellEnd(out)
		return true
	}
	return false
}

// fits reports whether an answer comes from where it may. Refusals come from where the question went; an answer that comes from there
// though it was wanted from elsewhere says that the server did not heed the wish.
func (f *Filter) fits(question int, kind uint16, from netip.AddrPort) bool {
	switch {
	case kind == TypeError || question == fromThere:
		return from == f.server
	case question == fromPort:
		return from.Addr() == f.server.Addr() && from.Port() != f.server.Port()
	default:
		return from == f.other
	}
}

// hasOther reports whether the server has another IP address of the same family.
func (f *Filter) hasOther() bool {
	return possible(f.other) && f.other.Addr() != f.server.Addr() && f.other.Addr().Is4() == f.server.Addr().Is4()
}

func (f *Filter) ask(i int, now mono.Time, out *Out) {
	f.asked[i].begun = true
	f.transmit(i, now, out)
}

func (f *Filter) transmit(i int, now mono.Time, out *Out) {
	q := &f.asked[i]
	q.sent++
	q.next = now.Add(filterWait)
	if q.sent == filterTimes {
		q.next = now.Add(filterLast)
	}
	out.Transmits = append(out.Transmits, Transmit{f.server, AppendRequest(nil, q.tx, changes[i])})
}

// Deadline is when Tick has something to do; Never before Start and after the end.
func (f *Filter) Deadline() mono.Time {
	at := mono.Never
	for i := range f.asked {
		at = mono.Earlier(at, f.asked[i].next)
	}
	return at
}

// Tick repeats and gives up what is due. Early calls are harmless.
func (f *Filter) Tick(now mono.Time, out *Out) {
	for i := range f.asked {
		q := &f.asked[i]
		switch {
		case q.next.IsNever() || now.Before(q.next):
		case q.sent < filterTimes:
			f.transmit(i, now, out)
		default:
			q.finished, q.next = true, mono.Never
			f.tellEnd(out)
		}
	}
}

func (f *Filter) tellEnd(out *Out) {
	for _, q := range f.asked {
		if q.begun && !q.finished {
			return
		}
	}
	out.Events = append(out.Events, Event{Kind: Done})
}

// Filtering is what is known, once Done has been told.
func (f *Filter) Filtering() Filtering {
	port, ip := &f.asked[fromPort], &f.asked[fromIP]
	switch {
	case !f.asked[fromThere].came:
		return FilteringUnknown
	case ip.came:
		return FilteringIndependent
	case port.came:
		return FilteringAddress
	case port.cannot:
		return FilteringUnknown
	default:
		return FilteringPort
	}
}
