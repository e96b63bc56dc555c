package stun

import (
	"io"
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// Times of a Trial.
const (
	trialGreetings = 3                       // exchanges before the silence: routers keep longer what has gone both ways for some seconds
	trialEvery     = 2500 * time.Millisecond // between them
	trialWait      = 500 * time.Millisecond  // for an answer
	trialTimes     = 4
)

// Verdict is what a Trial has found out.
type Verdict uint8

// The verdicts.
const (
	Undecided Verdict = iota // it is not over
	Lives                    // the mapping was there after that time
	Dies                     // it was not
	Unclear                  // the server does not answer, or sees us elsewhere: nothing is known
	Unable                   // the server does not send where it is asked to
)

// Trial is one: see the package comment. It is not safe for concurrent use.
type Trial struct {
	server netip.AddrPort
	idle   time.Duration
	rnd    io.Reader

	verdict   Verdict
	mapped    netip.AddrPort // the spare socket's
	greetings int            // answered
	tx        TxID           // of the greeting, then of what the spare socket is to get
	control   TxID           // of what only shows that the server answers
	answers   bool           // it does, and sees the same IP address
	sent      int
	last      mono.Time // when the spare socket sent last
	next      mono.Time
}

// NewTrial makes one of a server and a time. rnd gives the transaction numbers.
func NewTrial(server netip.AddrPort, idle time.Duration, rnd io.Reader) *Trial {
	return &Trial{server: netip.AddrPortFrom(server.Addr().Unmap(), server.Port()), idle: idle, rnd: rnd}
}

// Verdict is what has been found out so far.
func (t *Trial) Verdict() Verdict { return t.verdict }

// Deadline is when Tick has something to do; Never once it is over.
func (t *Trial) Deadline() mono.Time {
	if t.verdict != Undecided {
		return mono.Never
	}
	return t.next
}

// Start begins it. What is to be sent goes to spare or main, by the socket that it leaves from.
func (t *Trial) Start(now mono.Time, spare *Out) {
	t.greet(now, spare)
}

// Tick does what is due. Early calls are harmless.
func (t *Trial) Tick(now mono.Time, spare, main *Out) {
	switch {
	case t.verdict != Undecided || now.Before(t.next):
	case t.greetings < trialGreetings && t.sent >= trialTimes:
		t.verdict = Unclear
	case t.greetings < trialGreetings && t.sent > 0:
		t.repeat(now, spare)
	case t.greetings < trialGreetings:
		t.greet(now, spare)
	case t.sent < trialTimes:
		t.ask(now, main)
	case t.answers:
		t.verdict = Dies
	default:
		t.verdict = Unclear
	}
}

func (t *Trial) greet(now mono.Time, spare *Out) {
	if !t.draw(&t.tx) {
		return
	}
	t.repeat(now, spare)
}

func (t *Trial) repeat(now mono.Time, spare *Out) {
	spare.Transmits = append(spare.Transmits, Transmit{t.server, AppendRequest(nil, t.tx, 0)})
	t.sent, t.last, t.next = t.sent+1, now, now.Add(trialWait)
}

// ask has the server send to the spare socket, and beside that answer the main one.
func (t *Trial) ask(now mono.Time, main *Out) {
	if t.sent == 0 && !(t.draw(&t.tx) && t.draw(&t.control)) {
		return
	}
	t.sent++
	main.Transmits = append(main.Transmits, Transmit{t.server, AppendRequestTo(nil, t.tx, t.mapped.Port())}, Transmit{t.server, AppendRequest(nil, t.control, 0)})
	t.next = now.Add(trialWait)
}

// draw takes a transaction number; without one the trial is over.
func (t *Trial) draw(tx *TxID) bool {
	if _, err := io.ReadFull(t.rnd, tx[:]); err != nil {
		t.verdict = Unclear
	}
	return t.verdict == Undecided
}

// Datagram takes what arrived at the spare socket, or the main one, from an address, and reports whether it was an answer to this trial. Anything else changes
// nothing.
func (t *Trial) Datagram(now mono.Time, spare bool, from netip.AddrPort, b []byte) bool {
	m, err := Parse(b)
	if err != nil || t.verdict != Undecided || t.sent == 0 || m.Type != TypeSuccess && m.Type != TypeError {
		return false
	}
	if netip.AddrPortFrom(from.Addr().Unmap(), from.Port()) != t.server || m.Type == TypeSuccess && !possible(m.Mapped) {
		return false
	}
	if t.greetings < trialGreetings {
		return spare && m.Tx == t.tx && t.greeted(now, &m)
	}
	switch {
	case m.Tx == t.tx && spare && m.Type == TypeSuccess:
		t.verdict = Lives
	case m.Tx == t.tx && !spare:
		t.verdict = Unable
	case m.Tx == t.control && !spare && m.Type == TypeSuccess:
		t.answers = t.answers || m.Mapped.Addr() == t.mapped.Addr()
	default:
		return false
	}
	return true
}

// greeted takes the answer to a greeting. After the last one nothing leaves the spare socket for the time of the trial.
func (t *Trial) greeted(now mono.Time, m *Message) bool {
	if m.Type != TypeSuccess || t.mapped.IsValid() && m.Mapped != t.mapped {
		t.verdict = Unclear
		return true
	}
	t.mapped, t.sent = m.Mapped, 0
	t.greetings++
	t.next = now.Add(trialEvery)
	if t.greetings == trialGreetings {
		t.next = t.last.Add(t.idle)
	}
	return true
}
