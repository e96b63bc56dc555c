package forward

import (
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
)

const (
	// round is how often shares are computed anew.
	round = 10 * time.Millisecond
	// perFrame is what a frame costs a worker beside its bytes, in bytes.
	perFrame = 1500
	// ease is by how much shares shrink, as a fraction, in a round in which the socket was never empty. They grow half as fast.
	ease = 8
	// forgotten is the pause after which shares begin anew.
	forgotten = time.Second
	// unlimited is a share that bounds nobody.
	unlimited = 1 << 62
)

// shares divides what an overloaded worker carries among the tenants. See the package comment.
type shares struct {
	active  []uint32 // tenants of this round; never more than there are
	share   int64    // what each may have carried in a round
	carried int64    // in this round, of all
	peak    int64    // what has been carried in a busy round lately
	ends    mono.Time
	idle    bool // the socket was found empty in this round
}

// use is what a tenant brought in a round and what of it was carried.
type use struct{ brought, carried int64 }

// room lets so many tenants be active without an allocation.
func (s *shares) room(tenants int) { s.active = slices.Grow(s.active, tenants-len(s.active)) }

// over notes that a tenant brought n bytes, and reports whether that is more than its share.
func (s *shares) over(t uint32, u *use, n int) bool {
	if u.brought == 0 {
		s.active = append(s.active, t)
	}
	cost := int64(n) + perFrame
	u.brought += cost
	return u.carried+cost > s.share
}

// carry notes that the frame went on.
func (s *shares) carry(u *use, n int) {
	cost := int64(n) + perFrame
	u.carried += cost
	s.carried += cost
}

// turn begins a new round if the last is over. full says that the last call found as much as it could take.
func (s *shares) turn(now mono.Time, full bool, of *slab[ledger]) {
	s.idle = s.idle || !full
	if now < s.ends {
		return
	}
	late := now.Sub(s.ends)
	switch {
	case late > forgotten || len(s.active) < 2:
		s.share = unlimited
	case late > round: // the worker did not run: what was measured says nothing
	case !s.idle:
		// Less than was carried, so that there is time to refuse the rest; but if even that does not empty the socket, not ever less.
		s.peak = max(s.peak-s.peak/64, s.carried)
		s.share = s.level(max(s.carried-s.carried/ease, s.peak/2), of)
	case s.share < unlimited:
		s.share += s.share/(2*ease) + perFrame
		if s.share > s.most(of) {
			s.share = unlimited
		}
	}
	for _, t := range s.active {
		of.at(t).use = use{}
	}
	s.active, s.carried, s.idle, s.ends = s.active[:0], 0, false, now.Add(round)
}

// level is the share with which all together get so much of what was brought in this round: who brought less keeps it, the others get the same.
func (s *shares) level(carry int64, of *slab[ledger]) int64 {
	level, left, many := int64(0), carry, int64(len(s.active))
	for range 16 {
		if many == 0 {
			break
		}
		next := level + left/many
		left, many = carry, 0
		for _, t := range s.active {
			if b := of.at(t).brought; b <= next {
				left -= b
			} else {
				left -= next
				many++
			}
		}
		if level = next; left < many {
			break
		}
	}
	return level
}

// most is what the greediest tenant brought.
func (s *shares) most(of *slab[ledger]) (most int64) {
	for _, t := range s.active {
		most = max(most, of.at(t).brought)
	}
	return most
}
