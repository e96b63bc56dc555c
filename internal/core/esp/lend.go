package esp

import (
	"math"
	"net/netip"
	"sync/atomic"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// A pair's numbers may be lent, those of either direction by themselves, to somebody else who seals or opens with its keys: the kernel. While
// they are, the pair does not, so that no number is used or accepted twice; its lifetimes go on, by what it is told (Carried).
//
// What was lent comes back with the last number that was used. All numbers up to there count as used and as received, those that the other
// has not received included: they are lost.

// lent is in place of the next number while sealing is lent, and in place of the floor while opening is.
const lent = math.MaxUint64

// straggling is how many numbers a pair keeps when it lends its sealing: for packets that were on their way to it.
const straggling = 64

// LendSealing returns the last number that is used here. The other begins with the next.
func (p *Pair) LendSealing() (last uint64) {
	next := p.next.Swap(lent)
	last = next + straggling - 1
	p.afar.Store(last)
	p.kept.last.Store(last)
	p.kept.next.Store(next)
	return last
}

// ReturnSealing takes it back after the other has used its last number.
func (p *Pair) ReturnSealing(last uint64) {
	p.kept.next.Store(0)
	p.next.Store(max(last, p.afar.Load()) + 1)
}

// SealingLent reports whether it is lent.
func (p *Pair) SealingLent() bool { return p.next.Load() == lent }

// LendOpening returns the highest number that was received here, and which of the last LeastWindow before it were not. The other accepts those,
// and what is higher.
//
// A worker that has accepted a number looks again whether opening is lent, and takes it back if so. So each number is either among those that
// are returned here, or is not accepted.
func (p *Pair) LendOpening() (last uint64, missing []uint64) {
	floor := p.floor.Swap(lent)
	if floor == lent {
		floor = 0
	}
	last = max(p.top.Load(), floor)
	for seq := max(floor, last-min(last, LeastWindow)) + 1; seq < last; seq++ {
		if p.fresh(seq) {
			missing = append(missing, seq)
		}
	}
	return last, missing
}

// ReturnOpening takes it back after the other has accepted its last number.
func (p *Pair) ReturnOpening(last uint64) {
	p.raise(last)
	p.floor.Store(p.top.Load())
}

// OpeningLent reports whether it is lent.
func (p *Pair) OpeningLent() bool { return p.floor.Load() == lent }

// Stray marks that a datagram has come here, to an address of ours, though opening is lent. An invalid address stands for every way that leads to
// none, such as a relay's.
func (p *Pair) Stray(to netip.Addr) {
	if p.astray.Load() == nil {
		at := to // only this one is kept
		p.astray.Store(&at)
	}
}

// Strayed returns where something has come to since it was asked last, though opening was lent; false: nothing has.
func (p *Pair) Strayed() (to netip.Addr, ok bool) {
	if at := p.astray.Swap(nil); at != nil {
		return *at, true
	}
	return to, false
}

// Carried marks what others have carried with what they were lent: their last numbers, and how many bytes of inner packets since it was called
// before. It reports whether the owner should be told, as Sent and Received do. One goroutine at a time calls it.
func (p *Pair) Carried(now mono.Time, sent, received, bytesOut, bytesIn uint64) (tell bool) {
	if p.SealingLent() && sent > p.afar.Load() {
		p.afar.Store(sent)
		p.sent.Add(bytesOut)
		p.activity.send(now)
	}
	if p.OpeningLent() && received > p.top.Load() {
		p.raise(received)
		p.taken.Add(bytesIn)
		p.activity.receive(now)
		p.proven.Store(true)
	}
	if max(p.last(), p.top.Load()) >= p.life.Soft.Packets || p.counted && max(p.sent.Load(), p.taken.Load()) >= p.life.Soft.Bytes {
		p.wear()
	}
	return p.tell()
}

// Life is when the pair has done enough.
func (p *Pair) Life() Life { return p.life }

// Carries reports whether all traffic between two addresses was agreed on.
func (p *Pair) Carries(ours, theirs netip.Addr) bool {
	has := func(all []Selector, a netip.Addr) bool {
		for _, s := range all {
			if !s.narrow() && s.has(a, 0, 0, false) {
				return true
			}
		}
		return all == nil
	}
	return has(p.selectors.ours, ours) && has(p.selectors.theirs, theirs)
}

// last is the highest number that was used for sealing, here or elsewhere.
func (p *Pair) last() uint64 {
	if next := p.next.Load(); next != lent {
		return next - 1
	}
	return p.afar.Load()
}

// stragglers are numbers that a pair keeps while it has lent the others; next is 0 while there are none.
type stragglers struct{ next, last atomic.Uint64 }

// reserve is Pair.Reserve while sealing is lent.
func (s *stragglers) reserve(n int) (first uint64, ok bool) {
	for {
		first := s.next.Load()
		if first == 0 || first+uint64(n)-1 > s.last.Load() {
			return 0, false
		}
		if s.next.CompareAndSwap(first, first+uint64(n)) {
			return first, true
		}
	}
}
