package filter

import "slices"

// Set is a compiled Spec. It never changes.
type Set struct {
	generation    uint64
	local, remote side
	remotes       uint32
	in, out       []uint32 // [local*remotes + remote]: list<<1, and 1 if only through IPsec
	ranges        []ranges // for a decision
	lists         [][]Span // for its rule
}

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
		s.ranges = append(s.ranges, newRanges(l))
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

// Generation is the Spec's. Flows that were allowed under another are to be judged again.
func (s *Set) Generation() uint64 { return s.generation }

// Rules are the numbers of all rules that decide about something, sorted.
func (s *Set) Rules() []uint32 {
	var all []uint32
	for _, l := range s.lists {
		for _, x := range l {
			all = append(all, x.Rule)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

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
	if r := s.ranges[pair>>1].decide(first, last); r != Allowed {
		if p.Fragment == Later {
			return LaterFragment
		}
		return r
	}
	if pair&1 != 0 && !ipsec {
		return NeedsIPsec
	}
	return Allowed
}

// rule finds the span of a service.
func (s *Set) rule(pair uint32, service uint32) (Span, bool) {
	list := s.lists[pair>>1]
	at, n := 0, len(list)
	if n == 0 {
		return Span{}, false
	}
	for n > 1 {
		half := n >> 1
		next := at + half
		if list[next-1].Last < service {
			at = next
		}
		n -= half
	}
	x := list[at]
	return x, x.First <= service && service <= x.Last
}

// JudgeIn is In, and tells which rule has decided; ok is false where none has. It takes some more time, for counters and people.
func (s *Set) JudgeIn(p *Packet, ipsec bool) (r Reason, rule uint32, ok bool) {
	from, known := s.remote.class(p.Src)
	if !known {
		return UnknownSource, 0, false
	}
	to, known := s.local.class(p.Dst)
	if !known {
		return UnknownDestination, 0, false
	}
	return s.judge(s.in[to*s.remotes+from], p, ipsec)
}

// JudgeOut is JudgeIn for a packet to the network.
func (s *Set) JudgeOut(p *Packet, ipsec bool) (r Reason, rule uint32, ok bool) {
	from, known := s.local.class(p.Src)
	if !known {
		return UnknownSource, 0, false
	}
	to, known := s.remote.class(p.Dst)
	if !known {
		return UnknownDestination, 0, false
	}
	return s.judge(s.out[from*s.remotes+to], p, ipsec)
}

// RuleIn is the rule that JudgeIn tells.
func (s *Set) RuleIn(p *Packet) (rule uint32, ok bool) {
	_, rule, ok = s.JudgeIn(p, true)
	return rule, ok
}

// RuleOut is the rule that JudgeOut tells.
func (s *Set) RuleOut(p *Packet) (rule uint32, ok bool) {
	_, rule, ok = s.JudgeOut(p, true)
	return rule, ok
}

func (s *Set) judge(pair uint32, p *Packet, ipsec bool) (r Reason, rule uint32, ok bool) {
	if p.Fragment == Later {
		return s.decide(pair, p, ipsec), 0, false // the rules of all ports together
	}
	x, ok := s.rule(pair, p.Service())
	switch {
	case !ok:
		return NoRule, 0, false
	case x.Deny:
		r = Denied
	case pair&1 != 0 && !ipsec:
		r = NeedsIPsec
	}
	return r, x.Rule, true
}
