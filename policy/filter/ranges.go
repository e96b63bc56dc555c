package filter

// ranges are the services that a list allows, or those that it denies by a rule: sorted, and not touching. Many have an index, so that a
// search ends after a few steps.
type ranges struct {
	spans []span
	index *index
}

type span struct{ first, last uint32 }

// index says for each 256 ports of TCP and UDP with which span they begin: the first that does not end before them. One more entry says
// where the last of them end.
type index [2][257]uint32

const indexed = 8 // spans from which on a list has an index: 2 KB that spare it some steps

func newRanges(list []Span, deny bool) ranges {
	a := ranges{spans: merged(list, deny)}
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

// merged joins what a list allows, or denies.
func merged(list []Span, deny bool) (out []span) {
	for _, x := range list {
		if x.Deny != deny {
			continue
		}
		if n := len(out); n > 0 && out[n-1].last+1 == x.First {
			out[n-1].last = x.Last
			continue
		}
		out = append(out, span{x.First, x.Last})
	}
	return out
}

// has reports whether a service is among them.
func (a *ranges) has(service uint32) bool {
	if a.index == nil {
		return covers(a.spans, service, service)
	}
	which := 0
	switch service >> 16 {
	case TCP:
	case UDP:
		which = 1
	default:
		return covers(a.spans, service, service)
	}
	ports := service >> 8 & 0xff
	from := int(a.index[which][ports])
	to := min(int(a.index[which][ports+1])+1, len(a.spans)) // a span may reach into the next ports
	return covers(a.spans[from:to], service, service)
}

// covers reports whether one of the spans holds all services from first to last.
func covers(spans []span, first, last uint32) bool {
	at, n := 0, len(spans)
	if n == 0 {
		return false
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
	return x.first <= first && last <= x.last
}
