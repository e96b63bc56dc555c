package filter

import "slices"

// ranges are what a list decides, sorted. Many have an index, so that a search ends after a few steps.
type ranges struct {
	spans []span
	index *index
}

// span is a Span in 12 bytes: the highest bit of first says that it is denied, and rule is where its number stands among those of the Set.
type span struct{ first, last, rule uint32 }

const denied = 1 << 31

// index says for each 256 ports of TCP and UDP with which span they begin: the first that does not end before them. One more entry says
// where the last of them end.
type index [2][257]uint32

const indexed = 8 // spans from which on a list has an index: 2 KB that spare it some steps

func newRanges(list []Span, rules []uint32) ranges {
	a := ranges{spans: make([]span, len(list))}
	for i, x := range list {
		rule, _ := slices.BinarySearch(rules, x.Rule)
		a.spans[i] = span{x.First, x.Last, uint32(rule)}
		if x.Deny {
			a.spans[i].first |= denied
		}
	}
	if len(a.spans) < indexed {
		return a
	}
	a.index = new(index)
	for which, proto := range []uint32{TCP, UDP} {
		at := 0
		for i := range a.index[which] {
			for at < len(a.spans) && a.spans[at].last < proto<<16+uint32(i)<<8 {
				at++
			}
			a.index[which][i] = uint32(at)
		}
	}
	return a
}

// find returns the span of a service and where it is; ok is false if there is none.
func (a *ranges) find(service uint32) (x span, at int, ok bool) {
	from, to := 0, len(a.spans)
	if a.index != nil {
		from, to = a.near(service)
	}
	n := to - from
	if n == 0 {
		return span{}, 0, false
	}
	for n > 1 { // the first span that does not end before the service; without a branch to mispredict
		half := n >> 1
		next := from + half
		if a.spans[next-1].last < service {
			from = next
		}
		n -= half
	}
	x = a.spans[from]
	return x, from, x.first&^denied <= service && service <= x.last
}

// all reports whether all services from first to last are allowed.
func (a *ranges) all(first, last uint32) bool {
	x, at, ok := a.find(first)
	for {
		if !ok || x.first&denied != 0 {
			return false
		}
		if x.last >= last {
			return true
		}
		if at++; at == len(a.spans) {
			return false
		}
		ok = a.spans[at].first&^denied == x.last+1
		x = a.spans[at]
	}
}

// near cuts the spans down to those that may hold a service.
func (a *ranges) near(service uint32) (from, to int) {
	which := 0
	switch service >> 16 {
	case TCP:
	case UDP:
		which = 1
	default:
		return 0, len(a.spans)
	}
	ports := service >> 8 & 0xff
	from = int(a.index[which][ports])
	return from, min(int(a.index[which][ports+1])+1, len(a.spans)) // a span may reach into the next ports
}
