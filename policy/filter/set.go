package filter

import "sort"

// Set is a compiled Spec. It never changes.
type Set struct {
	generation    uint64
	local, remote side
	remotes       uint32
	in, out       []uint32 // [local*remotes + remote]: list<<1, and 1 if only through IPsec
	allows        [][]span // for a decision: only what is allowed, merged
	lists         [][]Span // for a reason: by rule
}

type span struct{ first, last uint32 }

// New makes a Set of a valid Spec. It keeps the Spec's lists.
func New(spec *Spec) (*Set, error) {
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	s := &Set{
		generation: spec.Generation,
		local:      newSide(spec.Local), remote: newSide(spec.Remote),
		remotes: uint32(spec.Remotes),
		in:      pack(spec.In), out: pack(spec.Out),
		lists: spec.Lists,
	}
	for _, l := range spec.Lists {
		s.allows = append(s.allows, allowed(l))
	}
	return s, nil
}

func pack(pairs []Pair) []uint32 {
	out := make([]uint32, len(pairs))
	for i, p := range pairs {
		out[i] = p.List << 1
		if p.IPsec {
			out[i] |= 1
		}
	}
	return out
}

// allowed merges what a list allows.
func allowed(list []Span) (out []span) {
	for _, x := range list {
		if x.Deny {
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

// Generation is the Spec's. Flows that were allowed under another are to be judged again.
func (s *Set) Generation() uint64 { return s.generation }

// In judges a packet from the network. ipsec says whether it came through IPsec.
func (s *Set) In(p *Packet, ipsec bool) Reason {
	from, ok := s.remote.class(p.Src)
	if !ok {
		return UnknownSource
	}
	to, ok := s.local.class(p.Dst)
	if !ok {
		return UnknownDestination
	}
	return s.decide(s.in[to*s.remotes+from], p, ipsec)
}

// Out judges a packet to the network. ipsec says whether it will go through IPsec.
func (s *Set) Out(p *Packet, ipsec bool) Reason {
	from, ok := s.local.class(p.Src)
	if !ok {
		return UnknownSource
	}
	to, ok := s.remote.class(p.Dst)
	if !ok {
		return UnknownDestination
	}
	return s.decide(s.out[from*s.remotes+to], p, ipsec)
}

func (s *Set) decide(pair uint32, p *Packet, ipsec bool) Reason {
	first := p.Service()
	last := first
	if p.Fragment == Later {
		last |= 0xffff
	}
	if !covers(s.allows[pair>>1], first, last) {
		return s.why(pair, p)
	}
	if pair&1 != 0 && !ipsec {
		return NeedsIPsec
	}
	return Allowed
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

// why is the reason for a packet that is not allowed.
func (s *Set) why(pair uint32, p *Packet) Reason {
	if p.Fragment == Later {
		return LaterFragment
	}
	if r, found := s.rule(pair, p.Service()); found && r.Deny {
		return Denied
	}
	return NoRule
}

// rule finds the span of a service.
func (s *Set) rule(pair uint32, service uint32) (Span, bool) {
	list := s.lists[pair>>1]
	i := sort.Search(len(list), func(i int) bool { return list[i].Last >= service })
	if i == len(list) || list[i].First > service {
		return Span{}, false
	}
	return list[i], true
}

// RuleIn tells which rule decides about a packet from the network; ok is false where none does. It is for counters and people: the
// decision itself needs no rule.
func (s *Set) RuleIn(p *Packet) (rule uint32, ok bool) {
	from, known := s.remote.class(p.Src)
	to, known2 := s.local.class(p.Dst)
	if !known || !known2 {
		return 0, false
	}
	x, ok := s.rule(s.in[to*s.remotes+from], p.Service())
	return x.Rule, ok
}

// RuleOut is RuleIn for a packet to the network.
func (s *Set) RuleOut(p *Packet) (rule uint32, ok bool) {
	from, known := s.local.class(p.Src)
	to, known2 := s.remote.class(p.Dst)
	if !known || !known2 {
		return 0, false
	}
	x, ok := s.rule(s.out[from*s.remotes+to], p.Service())
	return x.Rule, ok
}
