package filter

// ranges are what a list decides: sorted, and joined where neighbours decide alike. Many have an index, so that a search ends after a few
// steps.
type ranges struct {
	spans []span
	index *index
}

// span is a range of services. The highest bit of first says that it is denied.
type span struct{ first, last uint32 }

const denied = 1 << 31

// index says for each 256 ports of TCP and UDP with which span they begin: the first that does not end before them. One more entry says
// where the last of them end.
type index [2][257]uint32

const indexed = 8 // spans from which on a list has an index: 2 KB that spare it some steps

func newRanges(list []Span) ranges {
	a := ranges{spans: merged(list)}
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

func merged(list []Span) (out []span) {
	for _, x := range list {
		s := span{x.First, x.Last}
		if x.Deny {
			s.first |= denied
		}
		if n := len(out); n > 0 && out[n-1].last+1 == x.First && (out[n-1].first^s.first)&denied == 0 {
			out[n-1].last = x.Last
			continue
		}
		out = append(out, s)
	}
	return out
}

// decide is the reason for the services from first to last, which belong to one protocol: Allowed only if all of them are.
func (a *ranges) decide(first, last uint32) Reason {
	spans := a.spans
	if a.index != nil {
		spans = a.near(first)
	}
	at, n := 0, len(spans)
	if n == 0 {
		return NoRule
	}
	for n > 1 { // the first span that does not end before first; without a branch to mispredict
		half := n >> 1
		next := at + half
		if spans[next-1].last < first {
			at = next
		}
		n -= half
	}
	x := spans[at]
	switch {
	case x.first&^denied > first || x.last < last:
		return NoRule
	case x.first&denied != 0:
		return Denied
	}
	return Allowed
}

// near cuts the spans down to those that may hold a service.
func (a *ranges) near(service uint32) []span {
	which := 0
	switch service >> 16 {
	case TCP:
	case UDP:
		which = 1
	default:
		return a.spans
	}
	ports := service >> 8 & 0xff
	from := int(a.index[which][ports])
	to := min(int(a.index[which][ports+1])+1, len(a.spans)) // a span may reach into the next ports
	return a.spans[from:to]
}
