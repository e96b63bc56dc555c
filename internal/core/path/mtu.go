package path

import (
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/disco"
)

// Sizes of datagrams in bytes, without their UDP and IP headers.
const (
	leastSize  = 1280 - 48 // fits every path that may carry IPv6
	top4, top6 = 1500 - 28, 1500 - 48
	exactness  = 8 // a search ends when no more is to be won

	relayHeader = 16 // stands before each datagram on its way to a relay and from there
)

// Times of the search for a path's size.
const (
	sizeTries   = 2
	sizeEvery   = 250 * time.Millisecond // or twice the round trip
	sizeRecheck = time.Minute
	sizeSooner  = 15 * time.Second // while long datagrams go out
	sizeRetop   = 10 * time.Minute
	sizeCalm    = 5 * time.Second
	sizeSettle  = 400 * time.Millisecond // a relay that soon makes room for a direct way is not measured
)

// sizes is the search for the longest datagram that a way carries, as in RFC 8899: probes only, ICMP is a hint.
type sizes struct {
	known     int // the way carries this; 0: nothing was measured yet
	low, high int // low passes, high does not, or is more than anybody needs
	probe     int // under way; 0: none
	tries     int
	ended     mono.Time // all is known since then, and at is when the search begins anew; Never: it goes on
	at        mono.Time // the next probe
	topped    mono.Time // when the longest was tried last
	told      int
	doubted   mono.Time
}

// passed takes the answer to a probe.
func (z *sizes) passed(now mono.Time, size int) {
	if size >= z.probe && z.probe > 0 {
		z.low, z.probe, z.tries, z.at = z.probe, 0, 0, now
	}
}

// again begins a search that finds out whether less passes than before (or more, if wide).
func (z *sizes) again(now mono.Time, least, top int, wide bool) {
	z.low, z.high, z.tries, z.ended, z.at = least, top+1, 0, mono.Never, now
	if !wide && z.known > 0 {
		z.high = z.known + 1
	}
	z.probe = z.high - 1
	if wide {
		z.topped = now
	}
}

// advance gives up a probe that was not answered, and says which is next; 0: the search has ended.
func (z *sizes) advance() int {
	if z.probe > 0 && z.tries >= sizeTries {
		if z.probe <= z.known {
			z.known = z.low // the hole is there: be careful until the search has ended
		}
		z.high, z.probe, z.tries = z.probe, 0, 0
	}
	if z.probe == 0 && z.high-z.low > exactness {
		z.probe = (z.low + z.high) / 2
	}
	return z.probe
}

// due is when the search goes on. A hole that opens later is noticed by who sends long datagrams, the latest of which is named.
func (z *sizes) due(long mono.Time) mono.Time {
	if !z.ended.IsNever() && long >= z.ended {
		return min(z.at, z.ended.Add(sizeSooner))
	}
	return z.at
}

// bounds are the sizes between which that of a way is looked for. A relay may be reached over IPv6 on either side.
func (t *track) bounds() (least, top int) {
	switch {
	case t.way.Relay != 0:
		return leastSize - relayHeader, top6 - relayHeader
	case t.way.Remote.Addr().Is4():
		return leastSize, top4
	}
	return leastSize, top6
}

// size is what a way carries as far as is known; 0: no reason is known why it should not carry everything. A direct way is taken for narrow
// until it was measured. A relay carries the first packets, so that it is taken for wide until a long ping was not answered.
func (t *track) size() int {
	least, top := t.bounds()
	if z := &t.carries; t.way.Relay != 0 && z.known == 0 && (z.high == 0 || z.high > top) {
		return 0
	}
	return max(t.carries.known, least)
}

// measure looks for the size of the way in use, and returns when it wants to go on.
func (f *Finder) measure(now mono.Time, s *search, out *Decisions) mono.Time {
	t := s.find(s.chosen)
	if t == nil || t.proven.IsNever() || !t.doubt.IsNever() || !s.flows(now, active) {
		return mono.Never
	}
	z := &t.carries
	least, top := t.bounds()
	if z.high == 0 {
		if t.way.Relay != 0 && now.Sub(s.chosenAt) < sizeSettle {
			return s.chosenAt.Add(sizeSettle)
		}
		z.again(now, least, top, true)
	}
	if at := z.due(s.long); now.Before(at) {
		return at
	}
	if !z.ended.IsNever() {
		z.again(now, least, top, now.Sub(z.topped) >= sizeRetop)
	}
	size := z.advance()
	f.tellSize(s, t, out)
	if size == 0 {
		z.known, z.ended, z.at = z.low, now, now.Add(sizeRecheck)
		f.tellSize(s, t, out)
		return z.due(s.long)
	}
	z.tries++
	z.at = now.Add(max(sizeEvery, 2*t.rtt))
	f.ping(now, s, t, size, out)
	return z.at
}

// tellSize tells what the way in use carries, if the owner does not know.
func (f *Finder) tellSize(s *search, t *track, out *Decisions) {
	if size := t.size(); size != 0 && t.carries.told != size {
		t.carries.told = size
		out.Events = append(out.Events, Event{Kind: MTU, Peer: s.id, Way: t.way, Bytes: size})
	}
}

// arrivedShort takes a peer's word that a ping was shortened on its way.
func (f *Finder) arrivedShort(now mono.Time, s *search, w Way, m disco.Message) {
	if t := s.find(w); t != nil {
		for _, p := range t.pings {
			if p.id == m.ID && p.size > m.Size {
				f.tooBig(now, s, w, m.Size)
				return
			}
		}
	}
}

// suspect has the size measured again if pings are answered on the way in use and long data is not: it may be too long. Who has the last word is not
// answered either, so that it is not suspected all the time.
func (f *Finder) suspect(now mono.Time, s *search, t *track) {
	if !s.unanswered.IsNever() && now.Sub(s.unanswered) >= silence && !s.long.Before(s.unanswered) {
		f.remeasure(now, s, t)
	}
}

// overhear takes the size of a peer's ping on the way in use. One that is longer than it need be, and shorter than what we take to pass, looks for the end of a
// hole: as a rule that is there for us as well, and what still comes from the peer, shorter now, would keep us from suspecting it.
func (f *Finder) overhear(now mono.Time, s *search, size int) {
	if t := s.find(s.chosen); t != nil && size > disco.MinPing && size < t.carries.known {
		f.remeasure(now, s, t)
	}
}

// remeasure has the size of a way measured again, not too often.
func (f *Finder) remeasure(now mono.Time, s *search, t *track) {
	if z := &t.carries; (z.doubted.IsNever() || now.Sub(z.doubted) >= sizeCalm) && f.tooBig(now, s, t.way, 0) {
		z.doubted = now
	}
}

// tooBig has the size of a way measured again, and reports whether it has: not while it is measured. size is what the peer says arrived; 0: it is not known.
func (f *Finder) tooBig(now mono.Time, s *search, w Way, size int) (again bool) {
	t := s.find(w)
	if t == nil || t.carries.known == 0 || t.carries.probe != 0 || size >= t.carries.known {
		return false
	}
	least, _ := t.bounds()
	t.carries.again(now, least, t.carries.known, false)
	return true
}
