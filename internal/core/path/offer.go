package path

import (
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/disco"
)

// offered takes an offer of the peer: where it may be, and when it starts.
func (f *Finder) offered(now mono.Time, s *search, w Way, m disco.Message, out *Decisions) {
	if m.ID <= s.offer && now.Sub(s.offerAt) < offerMemory && !s.offerAt.IsNever() {
		return
	}
	if f.arrived(now, s, w) == nil {
		return
	}
	s.offer, s.offerAt, s.touched = m.ID, now, now
	s.told(m.Mapping)
	if n := len(m.Candidates); n > 0 {
		s.lastNamed = m.Candidates[n-1].Addr
	}
	f.replace(now, s, m.Candidates)
	h := &s.hunt
	switch {
	case m.StartIn < answers:
		f.meet(now, s, time.Duration(m.StartIn)*time.Millisecond, out)
	case h.phase == offering && !h.blind || h.phase == opening:
		h.answered = true
	case m.StartIn == answers:
	case s.direct() == nil && (h.phase == resting || h.blind || now.Sub(h.start) >= tellEvery):
		f.attempt(now, s, true, out)
	case h.offered.IsNever() || now.Sub(h.offered) >= tellEvery:
		f.send(now, s, answers, out)
	}
}

// meet starts together with the peer, which has sent a countdown.
func (f *Finder) meet(now mono.Time, s *search, in time.Duration, out *Decisions) {
	h := &s.hunt
	if h.phase == punching && !h.blind && now.Sub(h.start) < max(time.Second, 2*h.rtt) {
		return // both agreed at once
	}
	travelled := in
	for _, t := range s.tracks {
		if t.way.Relay != 0 && t.rtt > 0 && h.rtt > 0 {
			travelled = h.rtt / 2
		}
	}
	f.start(now, now.Add(max(0, min(in-travelled, time.Second))), s, out)
}

// replace puts the addresses of a new offer in the place of those of the last one.
func (f *Finder) replace(now mono.Time, s *search, all []disco.Candidate) {
	for _, t := range s.tracks {
		if t.way.Direct() && t.offered {
			t.stale, t.offered = true, false
		}
	}
	f.learn(s, s.peer.known.Candidates)
	f.learn(s, all)
	for _, c := range all {
		for _, t := range s.tracks {
			if t.way.Remote != c.Addr {
				continue
			}
			t.offered, t.stale = true, false
			if s.hunt.phase == punching && t.from.IsNever() && t.proven.IsNever() {
				t.from, t.tries = now, 0
			}
		}
	}
}
