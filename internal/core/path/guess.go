package path

import (
	"net/netip"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/disco"
)

// Bounds of guessing. The side behind the NAT that gives another port for each destination opens that many sockets and sends one ping
// from each to the peer; the other side pings random ports of its address, each once. With 256 of 64,512 ports open, 2,048 probes hit
// one in 99.97 % of tries.
const (
	guessSockets = 256
	guessProbes  = 2048
	guessPace    = 10 * time.Millisecond
	guessBurst   = 10
	guessAfter   = 300 * time.Millisecond // of the start, or of the round trip and half as much: plain pings may do
	guessLead    = 900 * time.Millisecond // the probes begin that much before the sockets open
	guessEvery   = time.Minute            // at most, a peer, and an address that has not answered
	maxGuessed   = 64                     // addresses that are remembered for that long; then no further one is guessed
	firstPort    = 1024
	ports        = 1<<16 - firstPort
	seenFor      = 10 * time.Minute
	maxVouched   = 4
)

// vouched is an address at which a relay or STUN server of ours saw the peer.
type vouched struct {
	addr netip.AddrPort
	at   mono.Time
}

// guess is the guessing of one peer.
type guess struct {
	at     mono.Time // when it may begin in this hunt
	last   mono.Time // when it began last
	next   mono.Time // the next probes, or the opening of sockets
	target netip.AddrPort
	opens  bool // we open sockets; else we probe ports

	// What one does alone comes to nothing and costs its minute, and then the two miss each other for minutes. So who may not guess yet says so.
	waits, awaited bool // we, the peer
}

// guesses are the probes of the one guess that there is at a time.
type guesses struct {
	by     *search
	count  int
	step   uint32 // the order of ports is start + i*step modulo their number
	start  uint32
	probes [guessProbes]guessed
	lately []target // those whose minute is not over
}

// target is an address that was guessed.
type target struct {
	addr netip.Addr
	at   mono.Time
}

// spares reports whether an address was guessed less than a minute ago, for whichever peer. One where a peer answered is its, and others may
// be behind the same NAT; one that did not may be a bystander's, whom many peers name.
func (g *guesses) spares(now mono.Time, a netip.Addr) bool {
	g.lately = slices.DeleteFunc(g.lately, func(t target) bool { return now.Sub(t.at) >= guessEvery })
	return len(g.lately) == maxGuessed || slices.ContainsFunc(g.lately, func(t target) bool { return t.addr == a })
}

// answered lets an address be guessed again, for another peer.
func (g *guesses) answered(a netip.Addr) {
	g.lately = slices.DeleteFunc(g.lately, func(t target) bool { return t.addr == a })
}

// guessed is a probe: its transaction, and the port that it went to or the socket that it went from; 0: it was answered.
type guessed struct {
	id uint64
	at mono.Time
	to uint16
}

func (g *guesses) end() { g.by, g.count = nil, 0 }

// Seen tells that a relay or STUN server of ours saw a peer that is talked with at an address. Without that no ports of it are guessed.
func (f *Finder) Seen(now mono.Time, id Peer, at netip.AddrPort) {
	p := f.peers[id]
	at = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
	if p == nil || p.search == nil || !f.refuse.takes(at) {
		return
	}
	s := p.search
	for i, v := range s.vouched {
		if v.addr == at {
			s.vouched[i].at = now
			return
		}
	}
	if len(s.vouched) == maxVouched {
		s.vouched = append(s.vouched[:0], s.vouched[1:]...)
	}
	s.vouched = append(s.vouched, vouched{at, now})
}

func hard(m disco.Mapping) bool {
	return m == disco.MappingAddressDependent || m == disco.MappingAddressPortDependent
}

func easy(m disco.Mapping) bool {
	return m == disco.MappingNone || m == disco.MappingEndpointIndependent
}

// guessing guesses ports if that is what remains to be done, and returns when it wants to go on.
func (f *Finder) guessing(now mono.Time, s *search, out *Decisions) mono.Time {
	g := &s.guess
	running := f.guesses.by == s
	if s.hunt.phase != punching || s.direct() != nil {
		if running {
			f.guesses.end()
			f.closeSockets(now, s, out)
		}
		return mono.Never
	}
	if !running {
		if !f.guess || !f.fits(s) || g.waits || g.awaited {
			return mono.Never
		}
		if now.Before(g.at) {
			return g.at
		}
		if !f.beginGuess(now, s) {
			return mono.Never
		}
	}
	if now.Before(g.next) {
		return g.next
	}
	if g.opens {
		return f.openMany(now, s, out)
	}
	return f.probePorts(now, s, out)
}

// askSeen has the relays asked about what will be guessed, should plain pings not do.
func (f *Finder) askSeen(now mono.Time, s *search, out *Decisions) {
	if !f.guess || !f.fits(s) || f.target(now, s).IsValid() {
		return
	}
	for _, t := range s.tracks {
		a := t.way.Remote.Addr()
		if t.way.Direct() && a.Is4() && !a.IsPrivate() && t.offered && t.kind != disco.PortMapped {
			out.Events = append(out.Events, Event{Kind: AskSeen, Peer: s.id, Way: Way{Remote: t.way.Remote}})
			return
		}
	}
}

// fits reports whether one of the two NATs, and one only, takes another port for each destination.
func (f *Finder) fits(s *search) bool {
	return hard(f.own.Mapping) && easy(s.theirs) || easy(f.own.Mapping) && hard(s.theirs)
}

// spent returns when the minute is over in which ports of the peer, or of the address that we would guess, are not guessed again; it may be past.
func (f *Finder) spent(now mono.Time, s *search) (until mono.Time) {
	if !s.guess.last.IsNever() {
		until = s.guess.last.Add(guessEvery)
	}
	a := f.target(now, s).Addr()
	running := f.guesses.by != nil && f.guesses.by.guess.target.Addr() == a // it may be answered yet
	for _, t := range f.guesses.lately {
		if t.addr == a && !running {
			until = max(until, t.at.Add(guessEvery))
		}
	}
	return until
}

// tells is what the peer is told of our NAT: nothing, if ports cannot be guessed in this hunt. While the holes are open that our probes of the minute have
// left the peer may well open its sockets.
func (f *Finder) tells(now mono.Time, s *search) disco.Mapping {
	holes := !hard(f.own.Mapping) && !s.guess.last.IsNever() && now.Sub(s.guess.last) < keepEvery
	if s.guess.waits = f.guess && !holes && now.Before(f.spent(now, s)); s.guess.waits {
		return disco.MappingUnknown
	}
	return f.own.Mapping
}

// told takes what the peer says of its NAT. Who has told it before, and does not now, waits for its minute to be over.
func (s *search) told(m disco.Mapping) {
	if s.guess.awaited = m == disco.MappingUnknown; !s.guess.awaited {
		s.theirs = m
	}
}

// beginGuess reports whether ports of the peer may be guessed now.
func (f *Finder) beginGuess(now mono.Time, s *search) bool {
	g := &s.guess
	if f.guesses.by != nil || !g.last.IsNever() && now.Sub(g.last) < guessEvery {
		return false
	}
	g.opens = hard(f.own.Mapping)
	if g.target = f.target(now, s); !g.target.IsValid() || f.guesses.spares(now, g.target.Addr()) {
		return false
	}
	f.guesses.lately = append(f.guesses.lately, target{g.target.Addr(), now})
	f.guesses.by, f.guesses.count = s, 0
	r := f.random()
	f.guesses.start, f.guesses.step = uint32(r>>32)%ports, coprime(uint32(r))
	g.last, g.next = now, now
	if g.opens {
		g.next = now.Add(guessLead)
	}
	s.hunt.until = max(s.hunt.until, now.Add(guessLead+huntFor/2))
	return true
}

// coprime makes a step that reaches every port: the number of ports is 2^10·3^2·7.
func coprime(r uint32) uint32 {
	for r = r%ports | 1; r%3 == 0 || r%7 == 0; r += 2 {
	}
	return r
}

// target is the address that probes go to, or the address whose ports are guessed: one that was seen, and that the peer names.
func (f *Finder) target(now mono.Time, s *search) netip.AddrPort {
	for _, v := range s.vouched {
		if now.Sub(v.at) >= seenFor || !v.addr.Addr().Is4() {
			continue
		}
		for _, t := range s.tracks {
			if t.way.Direct() && t.way.Remote.Addr() == v.addr.Addr() && !t.stale && t.kind != 0 {
				return t.way.Remote
			}
		}
	}
	return netip.AddrPort{}
}

// openMany asks for the sockets.
func (f *Finder) openMany(now mono.Time, s *search, out *Decisions) mono.Time {
	s.hunt.awaits = guessSockets
	out.Events = append(out.Events, Event{Kind: OpenSockets, Peer: s.id, Count: guessSockets})
	s.guess.next = now.Add(time.Hour)
	return mono.Never
}

// opener sends the one ping of a socket that was opened for guessing.
func (f *Finder) opener(now mono.Time, s *search, socket uint16, out *Decisions) {
	if f.guesses.by != s || !s.guess.opens {
		s.forgetSocket(socket)
		f.shut(s, socket, out)
		return
	}
	f.probe(now, s, Way{Socket: socket, Remote: s.guess.target}, socket, out)
}

// probePorts pings the next ports.
func (f *Finder) probePorts(now mono.Time, s *search, out *Decisions) mono.Time {
	q := &f.guesses
	for range guessBurst {
		if q.count == guessProbes {
			return mono.Never
		}
		port := uint16(firstPort + (uint64(q.start)+uint64(q.count)*uint64(q.step))%ports)
		f.probe(now, s, Way{Remote: netip.AddrPortFrom(s.guess.target.Addr(), port)}, port, out)
	}
	s.guess.next = now.Add(guessPace)
	return s.guess.next
}

func (f *Finder) probe(now mono.Time, s *search, w Way, to uint16, out *Decisions) {
	q := &f.guesses
	if q.count == guessProbes {
		return
	}
	q.probes[q.count] = guessed{f.random(), now, to}
	m := disco.Message{Kind: disco.Ping, ID: q.probes[q.count].id, Size: disco.MinPing}
	q.count++
	out.Sends = append(out.Sends, Send{Peer: s.id, Way: w, Message: m})
}

// guessed returns the track that a probe's answer proves, which came on a way; ok is false if it is none.
func (f *Finder) guessed(s *search, w Way, id uint64) (t *track, p ping, ok bool) {
	q := &f.guesses
	if q.by != s || w.Relay != 0 || w.Remote.Addr() != s.guess.target.Addr() {
		return nil, p, false
	}
	to := w.Remote.Port()
	if s.guess.opens {
		to = w.Socket
	}
	for i, g := range q.probes[:q.count] {
		if g.id != id || g.to == 0 || g.to != to || s.guess.opens && w.Remote != s.guess.target || !s.guess.opens && w.Socket != 0 {
			continue
		}
		q.probes[i].to = 0
		q.answered(w.Remote.Addr())
		t = s.track(w)
		return t, ping{id: id, at: g.at}, t != nil
	}
	return nil, p, false
}
