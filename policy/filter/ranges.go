package filter

import "slices"

// ranges are what a list decides, sorted. Long ones have ports.
type ranges struct {
	spans    []span
	tcp, udp *ports
}

// span is a Span in 12 bytes: the highest bit of first says that it is denied, and rule is where its number stands among those of the Set.
type span struct{ first, last, rule uint32 }

const denied = 1 << 31

// long is how many spans a list has that has ports: it takes six steps to search so many.
const long = 64

func newRanges(list []Span, rules []uint32) ranges {
	a := ranges{spans: make([]span, len(list))}
	for i, x := range list {
		rule, _ := slices.BinarySearch(rules, x.Rule)
		a.spans[i] = span{x.First, x.Last, uint32(rule)}
		if x.Deny {
			a.spans[i].first |= denied
		}
	}
	if len(list) >= long {
		a.tcp, a.udp = newPorts(a.spans, TCP), newPorts(a.spans, UDP)
	}
	return a
}

// judge returns what is decided about a service.
func (a *ranges) judge(service uint32) verdict {
	var p *ports
	switch service >> 16 {
	case TCP:
		p = a.tcp
	case UDP:
		p = a.udp
	}
	if p != nil {
		return p.judge(uint16(service))
	}
	if x, _, ok := a.find(service); ok {
		return x.verdict()
	}
	return noRule
}

// find returns the span of a service and where it is; ok is false if there is none.
func (a *ranges) find(service uint32) (x span, at int, ok bool) {
	from, n := 0, len(a.spans)
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

// judgeAll judges a later fragment, whose service lies between two; bare is one that would have to be carried by IPsec.
func (a *ranges) judgeAll(first, last uint32, bare bool) Reason {
	switch {
	case !a.all(first, last):
		return LaterFragment
	case bare:
		return NeedsIPsec
	}
	return Allowed
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
