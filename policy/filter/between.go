package filter

import "net/netip"

// Rules are what a Set decides between two addresses, for people to see: what begins at the node, and what begins at the other end.
type Rules struct {
	Out, In           []Span // sorted; what none of them holds is denied without a rule
	OutIPsec, InIPsec bool   // only through IPsec
}

// Between returns what is decided between a local and a remote address; ok is false if the Set does not know one of them.
func (s *Set) Between(local, remote netip.Addr) (r Rules, ok bool) {
	here, known := s.local.class(AddressOf(local))
	there, known2 := s.remote.class(AddressOf(remote))
	if !known || !known2 {
		return r, false
	}
	pair := here*s.remotes + there
	r.Out, r.OutIPsec = s.spans(s.out[pair])
	r.In, r.InIPsec = s.spans(s.in[pair])
	return r, true
}

func (s *Set) spans(pair uint32) (list []Span, ipsec bool) {
	for _, x := range s.lists[pair>>1].spans {
		list = append(list, Span{First: x.first &^ denied, Last: x.last, Rule: s.rules[x.rule], Deny: x.first&denied != 0})
	}
	return list, pair&1 != 0
}
