package path

import (
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/disco"
)

// track is what is known about one way to one peer.
type track struct {
	way     Way
	kind    disco.CandidateKind // 0: only heard from
	offered bool                // the peer says so itself, not only the map
	stale   bool                // nobody says any more that the peer is there

	pings   [8]ping // the latest, a ring
	next    int
	last    mono.Time      // when the last ping went
	hold    mono.Time      // no ping before that
	lost    int            // pings since the last pong
	tries   int            // pings of this hunt, an index of the ladder
	from    mono.Time      // when this hunt's pings begin; Never: it has none
	proven  mono.Time      // the latest pong; Never: not proven, or not any more
	heard   mono.Time      // authentic data came this way
	asked   mono.Time      // the peer's latest ping came this way
	ours    netip.AddrPort // where the peer sees us on it, as its latest pong says
	doubt   mono.Time      // when it began to look as if this way did not work any more
	failed  mono.Time      // when that turned out to be so; Never once it works again
	spared  bool           // it was spared since the last pong
	back    uint8          // the relay through which the last pong came, to a ping that went through one
	rtt     time.Duration
	carries sizes
}

// ping is a probe that may still be answered.
type ping struct {
	id   uint64
	at   mono.Time // Never: answered, or none
	size int       // of the datagram; 0: the shortest
}

// pongFor returns the ping that a transaction belongs to. It answers only once.
func (t *track) pongFor(id uint64) (ping, bool) {
	for i, p := range t.pings {
		if p.id == id && !p.at.IsNever() {
			t.pings[i].at = mono.Never
			return p, true
		}
	}
	return ping{}, false
}

// crossed returns the relay that a ping went through, and the ping that a transaction belongs to. Where relays of a region forward to each other an answer may
// come through another one than the ping took: each end is reached at the relay that its peer's relay has found it at.
func (s *search) crossed(id uint64) (*track, ping, bool) {
	for _, t := range s.tracks {
		if t.way.Relay == 0 {
			continue
		}
		if p, ok := t.pongFor(id); ok {
			return t, p, true
		}
	}
	return nil, ping{}, false
}

// answersBy reports whether what comes through a relay answers what goes out on the way in use, as the last pong did.
func (s *search) answersBy(relay uint8) bool {
	t := s.find(s.chosen)
	return relay != 0 && t != nil && t.back == relay
}

// usable reports whether data may take this way.
func (t *track) usable(f *Finder) bool {
	if t.way.Relay != 0 {
		return f.links[t.way.Relay]
	}
	return !t.proven.IsNever()
}

// patience is for how long a ping may stay unanswered, and how many there are, before the way counts as dead.
func (t *track) patience() time.Duration { return max(failAfter, 2*t.rtt+failAfter/2) }

// fail tells that the way does not work.
func (t *track) fail(now mono.Time) {
	t.proven, t.doubt, t.failed, t.lost = mono.Never, mono.Never, now, 0
	t.carries = sizes{}
}

// spare takes a relay out of doubt that has just brought a word of the peer: what stayed without answer may be from before the peer came
// there. That is believed once, until a pong proves the way; a relay that brings and does not take is no use. It reports whether the way is to
// be pinged.
func (t *track) spare(now mono.Time) bool {
	if t.way.Relay == 0 || t.spared || t.doubt.IsNever() && t.failed.IsNever() {
		return false
	}
	t.spared, t.failed, t.lost = true, mono.Never, 0
	if !t.doubt.IsNever() {
		t.doubt = now
	}
	return true
}

// find returns the track of a way, or nil.
func (s *search) find(w Way) *track {
	for _, t := range s.tracks {
		if t.way.same(w) {
			return t
		}
	}
	return nil
}

// track returns the track of a way, which it makes if there is room. The way is one that a peer may be at.
func (s *search) track(w Way) *track {
	if t := s.find(w); t != nil {
		return t
	}
	if len(s.tracks) >= maxTracks && !s.evict() {
		return nil
	}
	t := &track{way: w}
	s.tracks = append(s.tracks, t)
	return t
}

// evict makes room: a way that is not proven goes, first one that nobody offers any more, then one that was only heard from.
func (s *search) evict() bool {
	for _, worth := range []func(*track) bool{
		func(t *track) bool { return t.stale },
		func(t *track) bool { return t.kind == 0 },
	} {
		for i, t := range s.tracks {
			if t.way.Relay == 0 && t.proven.IsNever() && !t.way.same(s.chosen) && worth(t) {
				s.tracks = append(s.tracks[:i], s.tracks[i+1:]...)
				return true
			}
		}
	}
	return false
}

// arrived returns the track of a way on which something authentic came, new if need be.
func (f *Finder) arrived(now mono.Time, s *search, w Way) *track {
	if w.Relay == 0 && !f.refuse.takes(w.Remote) || w.Relay > MaxSlots || !w.IsValid() {
		return nil
	}
	known := s.find(w)
	t := s.track(w)
	if t == nil || known != nil {
		return t
	}
	if w.Relay == 0 {
		t.from, t.way.Local = now, w.Local
	}
	return t
}

// learn makes tracks of what the map or the peer names, from every socket that this hunt uses.
func (f *Finder) learn(s *search, all []disco.Candidate) {
	for _, c := range all[:min(len(all), disco.MaxAddresses)] {
		a := netip.AddrPortFrom(c.Addr.Addr().Unmap(), c.Addr.Port())
		if c.Kind == 0 || c.Kind > disco.Guessable || !f.refuse.takes(a) {
			continue
		}
		for _, socket := range s.sockets() {
			if t := s.track(Way{Socket: socket, Remote: a}); t != nil {
				t.kind, t.stale = c.Kind, false
			}
		}
	}
}

// near reports whether a way needs no hole in a NAT: it may be probed before the peer does the same.
func (f *Finder) near(w Way) bool {
	a := w.Remote.Addr()
	return a.Is6() || a.IsPrivate() || f.refuse.isNear(a)
}
