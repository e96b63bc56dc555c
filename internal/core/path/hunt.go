package path

import (
	"net/netip"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/disco"
)

// Times of hunts.
const (
	huntFor     = 3 * time.Second // from the first pings on
	offerEvery  = 250 * time.Millisecond
	offerTimes  = 3
	offerWait   = time.Second // then we start without the peer
	socketWait  = time.Second
	socketIdle  = keepMost + 5*time.Second // and the peer does not use a socket: longer than there is between its keepalives
	tellEvery   = 500 * time.Millisecond
	offerMemory = 10 * time.Minute // of the peer's generation, should its clock have been wrong
	restunEvery = 5 * time.Second
	punchEvery  = 5 * time.Second
	ownFresh    = 30 * time.Second // for so long our outside addresses count as known
)

// backoff is how long a peer without a direct way waits for the next hunt.
var backoff = [...]time.Duration{time.Second, 3 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute}

// leads are by how much one side begins earlier than agreed in each of a row of hunts (if negative, the other): relays may be slower in
// one direction.
var leads = [...]time.Duration{0, 0, 150 * time.Millisecond, -150 * time.Millisecond, 40 * time.Millisecond, -40 * time.Millisecond}

// Countdowns of offers that are none.
const (
	asks    = 65535 // when to start is not agreed yet: answer with an offer
	answers = 65534 // not agreed yet, and this is the answer
)

type phase uint8

const (
	resting phase = iota
	opening       // a fresh socket was asked for
	offering
	punching
)

// hunt is an attempt to find a direct way: both sides tell their addresses, agree when to start, and ping each other.
type hunt struct {
	phase    phase
	n        int       // attempts since a direct way worked, or our network changed
	at       mono.Time // when the next one may begin
	since    mono.Time // this phase
	offered  mono.Time // our latest offer
	tried    mono.Time // likewise, also if nothing led to the peer
	times    int       // offers of this hunt
	joined   bool      // the peer asked
	blind    bool      // no relay leads to the peer: nothing is agreed
	answered bool      // the peer's offer is here
	rtt      time.Duration
	start    mono.Time
	until    mono.Time
	socket   uint16 // of this hunt; 0: the main socket only
	mapped   netip.AddrPort
	open     []uint16  // all sockets that were opened for this peer
	sweepAt  mono.Time // when some of them may be of no use any more
	awaits   int       // sockets asked for and not yet there
	punchAt  mono.Time
}

// end leaves off an attempt.
func (h *hunt) end() {
	h.phase, h.joined, h.answered, h.blind, h.times, h.awaits, h.rtt = resting, false, false, false, 0, 0, 0
}

func (h *hunt) enter(now mono.Time, p phase) { h.phase, h.since = p, now }

func (h *hunt) deadline(now mono.Time, s *search) mono.Time {
	switch h.phase {
	case opening:
		return h.since.Add(socketWait)
	case offering:
		if h.times < offerTimes {
			return h.tried.Add(offerEvery)
		}
		return h.since.Add(offerWait)
	case punching:
		return h.until
	}
	at := h.sweepAt
	if s.flows(now, active) && s.direct() == nil {
		at = mono.Earlier(at, max(h.at, now))
	}
	return at
}

// sockets returns those that the candidates of the peer are probed from.
func (s *search) sockets() []uint16 {
	if s.hunt.socket != 0 {
		return []uint16{0, s.hunt.socket}
	}
	return []uint16{0}
}

func (s *search) awaitsSocket() bool { return s.hunt.awaits > 0 }

// advance goes on with the hunt for a direct way, or begins one.
func (f *Finder) advance(now mono.Time, s *search, out *Decisions) {
	h := &s.hunt
	f.tell(now, s, out)
	switch h.phase {
	case resting:
		if !h.sweepAt.IsNever() && !now.Before(h.sweepAt) {
			f.closeSockets(now, s, out)
		}
		if s.flows(now, active) && s.direct() == nil && !now.Before(h.at) {
			f.attempt(now, s, false, out)
		}
	case opening:
		if now.Sub(h.since) >= socketWait {
			h.awaits = 0
			f.offer(now, s, out)
		}
	case offering:
		switch {
		case h.blind && !s.peer.known.Coming, now.Sub(h.since) >= offerWait:
			f.alone(now, s, out)
		case h.answered && h.rtt > 0 && !h.joined:
			f.agree(now, s, out)
		case h.times < offerTimes && now.Sub(h.tried) >= offerEvery:
			f.send(now, s, f.countdown(s), out)
			f.pingRelay(now, s, out)
		}
	case punching:
		if !now.Before(h.until) {
			f.rest(now, s, out)
		}
	}
	if f.restunWanted {
		f.askRestun(now, out)
	}
}

// see begins a blind hunt anew, now that a relay leads to the peer: as a rule the relay comes some milliseconds after the wish.
func (f *Finder) see(now mono.Time, s *search) {
	h := &s.hunt
	if h.blind && (h.phase == punching || h.phase == offering) && s.direct() == nil && f.bestRelay(s) != nil {
		h.end()
		h.n--
		h.at = now
	}
}

func (f *Finder) countdown(s *search) uint16 {
	if s.hunt.joined {
		return answers
	}
	return asks
}

// attempt begins a hunt. All but each fourth use a fresh socket after the first has failed, because a NAT may have spoiled the mapping of
// the one before.
func (f *Finder) attempt(now mono.Time, s *search, joined bool, out *Decisions) {
	h := &s.hunt
	h.end()
	h.n++
	h.joined, h.answered = joined, joined
	f.closeSockets(now, s, out)
	if now.Sub(f.ownAt) >= ownFresh {
		f.askRestun(now, out)
	}
	if h.n%4 != 1 && f.own.Mapping != disco.MappingNone && f.own.Mapping != disco.MappingUnknown {
		h.awaits = 1
		h.enter(now, opening)
		out.Events = append(out.Events, Event{Kind: OpenSockets, Peer: s.id, Count: 1})
		return
	}
	f.offer(now, s, out)
}

// offer tells the peer our addresses, through a relay, and pings at once what needs no agreement.
func (f *Finder) offer(now mono.Time, s *search, out *Decisions) {
	h := &s.hunt
	for _, t := range s.tracks {
		if t.way.Direct() && t.proven.IsNever() && !t.stale && f.near(t.way) {
			t.from, t.tries = now, 0
		}
	}
	h.enter(now, offering)
	if h.blind = f.bestRelay(s) == nil; h.blind {
		h.tried = now
		if !s.peer.known.Coming {
			f.alone(now, s, out)
		}
		return
	}
	f.pingRelay(now, s, out)
	f.send(now, s, f.countdown(s), out)
}

// alone starts without an agreement. Where no relay leads to the peer, the controller may have it start as well.
func (f *Finder) alone(now mono.Time, s *search, out *Decisions) {
	h := &s.hunt
	h.blind = f.bestRelay(s) == nil
	if h.blind && (h.punchAt.IsNever() || now.Sub(h.punchAt) >= punchEvery) {
		h.punchAt = now
		out.Events = append(out.Events, Event{Kind: AskPunch, Peer: s.id})
	}
	f.start(now, now, s, out)
}

func (f *Finder) pingRelay(now mono.Time, s *search, out *Decisions) {
	if t := f.bestRelay(s); t != nil {
		f.ping(now, s, t, 0, out)
	}
}

// agree tells the peer when we start: when the message arrives there, as far as the round trip tells. It may tell wrong, if one
// direction takes longer than the other; later hunts therefore have one side begin earlier than agreed, then the other.
func (f *Finder) agree(now mono.Time, s *search, out *Decisions) {
	half := s.hunt.rtt / 2
	ours, theirs := half, half
	lead := leads[(max(s.hunt.n, 1)-1)%len(leads)]
	if f.outranks(s) {
		lead = -lead
	}
	ours, theirs = ours+max(0, lead), theirs+max(0, -lead)
	f.send(now, s, uint16(min(theirs.Milliseconds(), answers-1)), out)
	f.start(now, now.Add(ours), s, out)
	s.hunt.since = now
}

// outranks decides between us and the peer, so that both come to the same result: the last address of an offer is its sender's alone.
func (f *Finder) outranks(s *search) bool {
	all := f.candidates(s)
	return len(all) > 0 && all[len(all)-1].Addr.Compare(s.lastNamed) > 0
}

// send sends an offer through a relay, or on a direct way that is proven.
func (f *Finder) send(now mono.Time, s *search, startIn uint16, out *Decisions) {
	s.hunt.tried = now
	t := f.bestRelay(s)
	if t == nil {
		t = f.bestDirect(s)
	}
	if t == nil {
		return
	}
	f.offers++
	s.hunt.offered = now
	s.hunt.times++
	m := disco.Message{Kind: disco.Offer, ID: f.offers, Candidates: f.candidates(s), Mapping: f.tells(now, s), StartIn: startIn}
	out.Sends = append(out.Sends, Send{Peer: s.id, Way: t.way, Message: m})
}

// candidates are our addresses, that of the hunt's own socket first.
func (f *Finder) candidates(s *search) []disco.Candidate {
	all := f.own.Candidates
	if s.hunt.socket != 0 && s.hunt.mapped.IsValid() {
		all = slices.Concat([]disco.Candidate{{Addr: s.hunt.mapped, Kind: disco.ServerReflexive}}, all)
	}
	return all[:min(len(all), disco.MaxAddresses)]
}

// start has the pings to all addresses of the peer begin at a time.
func (f *Finder) start(now, at mono.Time, s *search, out *Decisions) {
	h := &s.hunt
	h.enter(at, punching)
	h.start, h.until = at, at.Add(huntFor)
	for _, t := range s.tracks {
		running := !t.from.IsNever() && t.tries < len(ladder) && f.near(t.way)
		if t.way.Direct() && t.proven.IsNever() && !t.stale && !running {
			t.from, t.tries = at, 0
		}
	}
	s.guess.at = at.Add(max(guessAfter, h.rtt+guessAfter/2))
	f.askSeen(now, s, out)
}

// rest ends a hunt. Without a direct way the next one follows later and later.
func (f *Finder) rest(now mono.Time, s *search, out *Decisions) {
	h := &s.hunt
	h.end()
	f.closeSockets(now, s, out)
	if s.direct() != nil {
		h.n = 0
		return
	}
	h.at = now.Add(backoff[min(max(h.n, 1), len(backoff))-1])
	if s.guess.waits && f.fits(s) { // until both may guess
		h.at = mono.Earlier(h.at, max(f.spent(now, s), now))
	}
	if h.n == 1 {
		f.askRestun(now, out)
	}
}

// tell tells the peer that our addresses changed.
func (f *Finder) tell(now mono.Time, s *search, out *Decisions) {
	if s.tellAt.IsNever() {
		return
	}
	s.tellAt = mono.Never
	h := &s.hunt
	switch {
	case !s.flows(now, active):
	case s.direct() != nil || h.phase == offering || h.phase == punching:
		f.send(now, s, asks, out)
	case h.phase == resting:
		h.n, h.at = 0, now
	}
}

// askRestun has our outside address looked up again, not too often.
func (f *Finder) askRestun(now mono.Time, out *Decisions) {
	f.restunWanted = false
	if f.restun.IsNever() || now.Sub(f.restun) >= restunEvery || f.restun < f.changed {
		f.restun = now
		out.Events = append(out.Events, Event{Kind: Restun})
	}
}
