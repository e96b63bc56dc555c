package path

import (
	"net/netip"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/disco"
)

// Bounds and times. Everything is per peer.
const (
	maxTracks = 40               // ways, relays included
	idleAfter = 2 * time.Minute  // without traffic: nothing is kept open any more, and the search forgotten
	active    = 10 * time.Second // after the last traffic: ways are compared and dead ones tried again
	keepEvery = 25 * time.Second // between keepalives, unless more is known of our NAT
	keepLeast = 8 * time.Second
	keepMost  = 100 * time.Second // less than idleAfter, so that a way that rests is asked once at least
)

// search is the state of a peer that traffic wants, or that wants us.
type search struct {
	id     Peer
	peer   *peer
	at     mono.Time // when it is stepped, and its place in the queue
	index  int
	tracks []*track

	chosen   Way
	chosenAt mono.Time
	why      Why

	sent, heard mono.Time // the latest data
	long        mono.Time // the latest that may have been in long datagrams
	touched     mono.Time // the latest sign that the peer wants us
	unanswered  mono.Time // since when data goes out on the chosen way and nothing comes back; Never: it does
	elsewhere   Way       // on which the peer speaks, if not on the one in use
	apart       mono.Time // since when it does, directly, though both work; Never: it does not
	hunt        hunt
	tellAt      mono.Time // our addresses changed and the peer does not know
	theirs      disco.Mapping
	offer       uint64 // generation of the peer's latest
	offerAt     mono.Time
	lastNamed   netip.AddrPort // the last address in it
	guess       guess
	vouched     []vouched
}

// search returns the state of a peer, made if need be; nil for a peer that the map does not know.
func (f *Finder) search(now mono.Time, id Peer) *search {
	p := f.peers[id]
	if p == nil {
		return nil
	}
	if p.search == nil {
		s := &search{id: id, peer: p, at: now, touched: now}
		p.search = s
		f.queue.add(s)
		s.mapRelays()
		f.learn(s, p.known.Candidates)
	}
	return p.search
}

// mapRelays makes tracks of the relays through which the map says that the peer can be reached.
func (s *search) mapRelays() {
	for _, slot := range s.peer.known.Relays {
		if slot != 0 && slot <= MaxSlots {
			s.track(Way{Relay: slot})
		}
	}
}

// flows reports whether there was traffic within a time.
func (s *search) flows(now mono.Time, within time.Duration) bool {
	last := max(s.sent, s.heard)
	return !last.IsNever() && now.Sub(last) < within
}

// direct returns the way past all relays that is in use, or the best that is proven; nil if there is none.
func (s *search) direct() *track {
	for _, t := range s.tracks {
		if t.way.Direct() && !t.proven.IsNever() {
			return t
		}
	}
	return nil
}

// begin makes sure that a peer with traffic has a way, and that better ones are looked for.
func (f *Finder) begin(now mono.Time, s *search, out *Decisions) {
	f.choose(now, s, out)
	f.wake(now, s, now)
}

// wake has a search stepped no later than at a time.
func (f *Finder) wake(now mono.Time, s *search, at mono.Time) {
	if at < s.at {
		f.queue.move(s, at)
	}
}

// step does what is due for one peer.
func (f *Finder) step(now mono.Time, s *search, out *Decisions) {
	if !s.flows(now, idleAfter) && now.Sub(s.touched) >= idleAfter {
		f.sleep(now, s, out)
		return
	}
	f.advance(now, s, out)
	for _, t := range s.tracks {
		f.check(now, s, t)
	}
	f.choose(now, s, out)
	next := s.hunt.deadline(now, s)
	if t := s.find(s.chosen); t != nil && !t.doubt.IsNever() && now.Before(t.doubt.Add(t.grace())) {
		next = mono.Earlier(next, t.doubt.Add(t.grace()))
	}
	for _, t := range s.tracks {
		at := f.nextPing(now, s, t)
		if !at.IsNever() && !now.Before(at) {
			f.ping(now, s, t, 0, out)
			at = f.nextPing(now, s, t)
		}
		next = mono.Earlier(next, at)
	}
	next = mono.Earlier(next, f.measure(now, s, out))
	next = mono.Earlier(next, f.guessing(now, s, out))
	next = mono.Earlier(next, max(s.sent, s.heard, s.touched).Add(idleAfter))
	f.queue.move(s, max(next, now+1))
}

// sleep forgets a search. Data that comes later takes the relay until a way is proven again, because the holes in NATs close.
func (f *Finder) sleep(now mono.Time, s *search, out *Decisions) {
	if s.chosen.Direct() {
		if t := f.bestRelay(s); t != nil {
			out.Events = append(out.Events, Event{Kind: Chosen, Peer: s.id, Way: t.way, Why: Idle})
		}
	}
	f.drop(s, out)
}

// drop forgets a search and closes its sockets.
func (f *Finder) drop(s *search, out *Decisions) {
	for _, socket := range slices.Clone(s.hunt.open) {
		f.shut(s, socket, out)
	}
	if f.guesses.by == s {
		f.guesses.end()
	}
	f.queue.remove(s)
	s.peer.search = nil
}

// doubtAll has every direct way prove itself again.
func (s *search) doubtAll(now mono.Time) {
	for _, t := range s.tracks {
		if t.way.Direct() {
			if !t.proven.IsNever() {
				t.failed = now
			}
			t.proven, t.from, t.tries, t.lost, t.doubt = mono.Never, now, 0, 0, mono.Never
		} else {
			t.failed, t.doubt = mono.Never, mono.Never
		}
	}
	s.hunt.n, s.hunt.at, s.unanswered = 0, now, mono.Never
	s.hunt.end()
}
