package path

import (
	"net/netip"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/disco"
)

// State says how it stands with one way.
type State uint8

// The states.
const (
	Untried State = iota
	Trying        // pings go out, nothing has come back
	Works
	Doubted // it worked, and lately it did not answer
	Dead    // it worked once and does not any more
	Absent  // the link to the relay is down
)

var states = [...]string{"untried", "trying", "works", "doubted", "dead", "absent"}

// String returns a word for people.
func (s State) String() string {
	if int(s) < len(states) {
		return states[s]
	}
	return ""
}

// Candidate is what Status tells about one way.
type Candidate struct {
	Way    Way
	Kind   disco.CandidateKind // 0: only heard from, or a relay
	State  State
	RTT    time.Duration // 0: not measured
	MTU    int           // of datagrams; 0: not measured
	Proven mono.Time     // the latest answer; Never: none
}

// Status is what is known about the ways to a peer.
type Status struct {
	Chosen     Way
	Why        Why
	Since      mono.Time
	Mapping    disco.Mapping // of the peer's NAT, as it says
	Hunts      int           // in a row without a direct way
	NextHunt   mono.Time
	Guessing   bool
	Keep       time.Duration // between the pings that keep a direct way open on which nothing else goes
	Worn       bool          // Keep is less than what was measured of our NAT suggests, because a way was lost
	Candidates []Candidate   // the chosen way first, then those that work
}

// Status tells what is known about the ways to a peer. A peer that nothing is wanted of has the candidates of the map only.
func (f *Finder) Status(id Peer) (Status, bool) {
	p := f.peers[id]
	if p == nil {
		return Status{}, false
	}
	s := p.search
	if s == nil {
		return Status{Candidates: f.asleep(p)}, true
	}
	st := Status{Chosen: s.chosen, Why: s.why, Since: s.chosenAt, Mapping: s.theirs, Hunts: s.hunt.n, Guessing: f.guesses.by == s,
		Keep: f.keeps(s.chosen), Worn: f.worn > 0 && f.keep == f.worn}
	if s.direct() == nil {
		st.NextHunt = s.hunt.at
	}
	for _, t := range s.tracks {
		st.Candidates = append(st.Candidates, Candidate{t.way, t.kind, f.state(t), t.rtt, t.carries.known, t.proven})
	}
	slices.SortStableFunc(st.Candidates, func(a, b Candidate) int { return order(&st, a) - order(&st, b) })
	return st, true
}

func order(st *Status, c Candidate) int {
	switch {
	case c.Way.same(st.Chosen):
		return 0
	case c.State == Works:
		return 1
	}
	return 2
}

func (f *Finder) state(t *track) State {
	switch {
	case t.way.Relay != 0 && !f.links[t.way.Relay]:
		return Absent
	case !t.failed.IsNever():
		return Dead
	case !t.doubt.IsNever():
		return Doubted
	case t.way.Relay != 0 || !t.proven.IsNever():
		return Works
	case !t.last.IsNever():
		return Trying
	}
	return Untried
}

func (f *Finder) asleep(p *peer) (all []Candidate) {
	for _, slot := range p.known.Relays {
		if slot != 0 && slot <= MaxSlots {
			c := Candidate{Way: Way{Relay: slot}, State: Absent}
			if f.links[slot] {
				c.State = Untried
			}
			all = append(all, c)
		}
	}
	for _, c := range p.known.Candidates[:min(len(p.known.Candidates), disco.MaxAddresses)] {
		if a := netip.AddrPortFrom(c.Addr.Addr().Unmap(), c.Addr.Port()); f.refuse.takes(a) {
			all = append(all, Candidate{Way: Way{Remote: a}, Kind: c.Kind})
		}
	}
	return all
}
