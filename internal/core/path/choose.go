package path

import (
	"cmp"
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// Hysteresis: a way replaces one that works only if it is that much better, and not at once.
const (
	betterBy = 10 * time.Millisecond
	settle   = 3 * time.Second

	leftAfter = 250 * time.Millisecond // without anything on the way in use, while the peer speaks on another
	leftGrace = 50 * time.Millisecond

	concedeAfter = time.Second // of hearing the peer on another way that is as good
	insistFor    = 3 * time.Second
)

// rank is how much a proven direct way is wanted: the first field that differs decides, and less is better.
type rank struct {
	narrow bool // it does not carry what every IPv6 path carries
	bucket int  // of its round-trip time
	far    bool // not in a network of ours
	four   bool // IPv4: the hole in a NAT may close
	stray  bool // only heard from: a NAT may have more to say about it
}

// buckets are the upper bounds of round-trip times that count as equal.
var buckets = [...]time.Duration{
	3 * time.Millisecond, 10 * time.Millisecond, 30 * time.Millisecond, 60 * time.Millisecond,
	100 * time.Millisecond, 180 * time.Millisecond, 300 * time.Millisecond, 500 * time.Millisecond,
}

func (f *Finder) rank(t *track) rank {
	r := rank{narrow: t.carries.known > 0 && t.carries.known < leastSize, far: !f.refuse.isNear(t.way.Remote.Addr())}
	for r.bucket < len(buckets) && t.rtt >= buckets[r.bucket] {
		r.bucket++
	}
	r.four, r.stray = t.way.Remote.Addr().Is4(), t.kind == 0
	return r
}

// less reports whether r is better than o.
func (r rank) less(o rank) bool {
	switch {
	case r.narrow != o.narrow:
		return o.narrow
	case r.bucket != o.bucket:
		return r.bucket < o.bucket
	case r.far != o.far:
		return o.far
	case r.four != o.four:
		return o.four
	}
	return !r.stray && o.stray
}

// better reports whether a way should replace one that works.
func (f *Finder) better(t, old *track) bool {
	a, b := f.rank(t), f.rank(old)
	if a.narrow == b.narrow && a.bucket != b.bucket {
		gain := old.rtt - t.rtt
		return gain >= betterBy && gain >= old.rtt/5
	}
	return a.less(b)
}

// bestDirect returns the most wanted of the proven direct ways, nil if there is none.
func (f *Finder) bestDirect(s *search) (best *track) {
	for _, t := range s.tracks {
		if t.way.Direct() && !t.proven.IsNever() && (best == nil || f.rank(t).less(f.rank(best))) {
			best = t
		}
	}
	return best
}

// bestRelay returns the relay that data takes: in the order of the map, then one that the peer uses to us. One that failed comes last,
// that which failed longest ago first.
func (f *Finder) bestRelay(s *search) (best *track) {
	order := func(t *track) int {
		for i, slot := range s.peer.known.Relays {
			if slot == t.way.Relay {
				return i
			}
		}
		return len(s.peer.known.Relays)
	}
	for _, t := range s.tracks {
		switch {
		case t.way.Relay == 0 || !f.links[t.way.Relay]:
		case best == nil, t.failed < best.failed, t.failed == best.failed && order(t) < order(best):
			best = t
		}
	}
	return best
}

// choose decides which way the peer's datagrams take.
func (f *Finder) choose(now mono.Time, s *search, out *Decisions) {
	old := s.find(s.chosen)
	if old != nil && !old.usable(f) {
		old = nil
	}
	if old != nil && (f.follow(now, s, old, out) || f.concede(now, s, old, out)) {
		return
	}
	direct := f.bestDirect(s)
	switch {
	case direct == nil:
		f.chooseRelay(now, s, old, out)
	case old == nil || old.way.Relay != 0:
		f.take(now, s, direct, Proven, out)
	case direct == old:
	case old.overdue(now) && direct.proven > old.doubt:
		f.take(now, s, direct, Silent, out)
	case now.Sub(s.chosenAt) >= settle && f.better(direct, old):
		f.take(now, s, direct, Better, out)
	}
}

// chooseRelay is for when nothing direct is proven. A relay that works stays until it fails or one that the map prefers is there; one that has
// not answered yet makes room for one that has.
func (f *Finder) chooseRelay(now mono.Time, s *search, old *track, out *Decisions) {
	t := f.bestRelay(s)
	switch {
	case t == nil:
		if s.chosen.IsValid() && old == nil {
			out.Events = append(out.Events, Event{Kind: Lost, Peer: s.id, Way: s.chosen, Why: f.reason(now, s)})
			s.chosen, s.chosenAt, s.why = Way{}, now, f.reason(now, s)
		}
	case t == old:
	case old != nil && old.failed.IsNever() && now.Sub(s.chosenAt) < settle && (old.proven > s.chosenAt || t.proven <= s.chosenAt):
	default:
		f.take(now, s, t, f.reason(now, s), out)
	}
}

// reason is why the way in use is left for a relay.
func (f *Finder) reason(now mono.Time, s *search) Why {
	old := s.find(s.chosen)
	switch {
	case !s.chosen.IsValid():
		return First
	case old == nil:
		return Stale
	case old.way.Relay != 0 && !f.links[old.way.Relay]:
		return RelayLost
	case old.way.Direct() && now == f.changed:
		return Moved
	case old.way.Relay != 0 && old.failed.IsNever():
		return Better
	}
	return Silent
}

// heardElsewhere takes data that came on another way than that in use. If the peer spoke on ours until now, it has left it, and may know why:
// our way must answer at once.
func (f *Finder) heardElsewhere(now mono.Time, s *search, t *track) {
	old := s.find(s.chosen)
	if old == nil || !old.way.Direct() || now.Sub(max(old.heard, old.proven, s.chosenAt)) < leftAfter {
		return
	}
	if !t.way.Direct() {
		s.apart = mono.Never
	} else if s.apart.IsNever() || !t.way.same(s.elsewhere) {
		s.apart = now
	}
	s.elsewhere = t.way
	if old.doubt.IsNever() && t.usable(f) {
		old.doubt, old.lost = now, 0
	}
}

// grace is the patience with a direct way in doubt when another one is at hand.
func (t *track) grace() time.Duration { return 2*t.rtt + leftGrace }

// overdue reports whether a way in doubt has been asked and should have answered by now.
func (t *track) overdue(now mono.Time) bool {
	return !t.doubt.IsNever() && t.lost > 0 && now.Sub(t.doubt) >= t.grace()
}

// follow takes the way on which the peer speaks now, if that in use has not answered since; it reports whether it did.
func (f *Finder) follow(now mono.Time, s *search, old *track, out *Decisions) bool {
	if !old.way.Direct() || !old.overdue(now) {
		return false
	}
	t := s.find(s.elsewhere)
	if t == nil || t == old || !t.usable(f) || t.heard.Before(old.doubt.Add(-leftAfter)) {
		return false
	}
	old.fail(now)
	old.from, old.tries, t.failed = now, 0, mono.Never
	f.take(now, s, t, Silent, out)
	return true
}

// concede takes the way on which the peer speaks though both work and ours is not better, so that the two ends come to one; it reports
// whether it did. That happens when both have guessed ports and each keeps what it has found first. Of two ways the one with the lesser
// name stays, and both ends know the names. Who is on the greater insists for longer, in which time the peer moves, unless that finds its own way better.
func (f *Finder) concede(now mono.Time, s *search, old *track, out *Decisions) bool {
	t := s.find(s.elsewhere)
	if s.apart.IsNever() || t == nil || t == old || !t.usable(f) || !old.way.Direct() || f.better(old, t) {
		return false
	}
	patience := concedeAfter
	if old.name().Compare(t.name()) < 0 {
		patience = insistFor
	}
	if t.heard.Sub(s.apart) < patience {
		return false
	}
	f.take(now, s, t, Agreed, out)
	return true
}

// name is what both ends call a way: each knows where the other sees it.
func (t *track) name() name {
	if t.ours.Compare(t.way.Remote) < 0 {
		return name{t.ours, t.way.Remote}
	}
	return name{t.way.Remote, t.ours}
}

// name is the two addresses of a way as each end sees the other, the lesser first.
type name [2]netip.AddrPort

// Compare orders names.
func (n name) Compare(o name) int { return cmp.Or(n[0].Compare(o[0]), n[1].Compare(o[1])) }

func (f *Finder) take(now mono.Time, s *search, t *track, why Why, out *Decisions) {
	if s.chosen.IsValid() && s.chosen == t.way {
		return
	}
	s.chosen, s.chosenAt, s.why, s.unanswered, s.apart = t.way, now, why, mono.Never, mono.Never
	out.Events = append(out.Events, Event{Kind: Chosen, Peer: s.id, Way: t.way, Why: why})
	t.carries.told = 0 // the owner knows nothing of a way that is taken anew
	f.tellSize(s, t, out)
}
