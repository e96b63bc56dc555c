package filter

import "slices"

// Set is a compiled Spec. It never changes.
type Set struct {
	generation    uint64
	home          home
	local, remote side
	remotes       uint32
	in, out       []uint32 // [local*remotes + remote]: list<<1, and 1 if only through IPsec
	lists         []ranges
	rules         []uint32 // sorted
	ipsec         bool     // some pair talks only through it
}

// New makes a Set of a valid Spec.
func New(spec *Spec) (*Set, error) {
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	s := &Set{
		generation: spec.Generation,
		local:      newSide(spec.Local), remote: newSide(spec.Remote),
		remotes: uint32(spec.Remotes),
		in:      pack(spec.In), out: pack(spec.Out),
	}
	s.home = s.local.home(spec.Local)
	through := func(p Pair) bool { return p.IPsec }
	s.ipsec = slices.ContainsFunc(spec.In, through) || slices.ContainsFunc(spec.Out, through)
	s.rules = rulesOf(spec)
	for _, l := range spec.Lists {
		s.lists = append(s.lists, newRanges(l, s.rules))
	}
	return s, nil
}

// home is an address of the local side, which most packets come from or go to: what is known of it is known without a look into the table.
type home struct {
	address Address
	class   uint32
	known   bool
}

func (s *side) home(local []Place) (h home) {
	if i := slices.IndexFunc(local, func(p Place) bool { return p.Prefix.IsSingleIP() }); i >= 0 {
		h.address = AddressOf(local[i].Prefix.Addr())
	}
	h.class, h.known = s.class(h.address) // also of ::, if it has none
	return h
}

func rulesOf(spec *Spec) []uint32 {
	var all []uint32
	for _, l := range spec.Lists {
		for _, x := range l {
			all = append(all, x.Rule)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
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

// NeedsIPsec reports whether any pair talks only through IPsec.
func (s *Set) NeedsIPsec() bool { return s.ipsec }

// Generation is the Spec's. Flows that were allowed under another are to be judged again.
func (s *Set) Generation() uint64 { return s.generation }

// Rules are the numbers of all rules that decide about something, sorted. They are not to be changed.
func (s *Set) Rules() []uint32 { return s.rules }

// In judges a packet from the network. ipsec says whether it came through IPsec.
func (s *Set) In(p *Packet, ipsec bool) Reason {
	r, _ := s.JudgeIn(p, ipsec)
	return r
}

// Out judges a packet to the network. ipsec says whether it will go through IPsec.
func (s *Set) Out(p *Packet, ipsec bool) Reason {
	r, _ := s.JudgeOut(p, ipsec)
	return r
}

// Nobody is the rule that has decided where none has, and where all rules of a protocol have together.
const Nobody = -1

// JudgeIn is In, and tells which of Rules has decided.
func (s *Set) JudgeIn(p *Packet, ipsec bool) (r Reason, rule int) {
	first, last := p.services()
	return s.Judge(false, p.Dst, p.Src, first, last, ipsec)
}

// JudgeOut is JudgeIn for a packet to the network.
func (s *Set) JudgeOut(p *Packet, ipsec bool) (r Reason, rule int) {
	first, last := p.services()
	return s.Judge(true, p.Src, p.Dst, first, last, ipsec)
}

// Judge judges what begins, out or in, between an address of ours and one of theirs. It is for one service, first and last; or for one of which
// is only known that it lies between them, as of a later fragment: then all have to be allowed.
func (s *Set) Judge(out bool, ours, theirs Address, first, last uint32, ipsec bool) (r Reason, rule int) {
	here, known := s.home.class, s.home.known
	if ours != s.home.address {
		here, known = s.local.class(ours)
	}
	there, known2 := s.remote.class(theirs)
	if !known || !known2 {
		if known != known2 && known == out {
			return UnknownDestination, Nobody
		}
		return UnknownSource, Nobody
	}
	pairs := s.in
	if out {
		pairs = s.out
	}
	pair := pairs[here*s.remotes+there]
	list := &s.lists[pair>>1]
	if first != last {
		return list.judgeAll(first, last, pair&1 != 0 && !ipsec), Nobody
	}
	v := list.judge(first)
	switch {
	case v == noRule:
		return NoRule, Nobody
	case v&1 != 0:
		r = Denied
	case pair&1 != 0 && !ipsec:
		r = NeedsIPsec
	}
	return r, int(v >> 1)
}

// RuleIn is the number of the rule that JudgeIn tells; ok is false if that is Nobody.
func (s *Set) RuleIn(p *Packet) (number uint32, ok bool) {
	_, rule := s.JudgeIn(p, true)
	return s.number(rule)
}

// RuleOut is RuleIn for JudgeOut.
func (s *Set) RuleOut(p *Packet) (number uint32, ok bool) {
	_, rule := s.JudgeOut(p, true)
	return s.number(rule)
}

func (s *Set) number(rule int) (number uint32, ok bool) {
	if rule == Nobody {
		return 0, false
	}
	return s.rules[rule], true
}
