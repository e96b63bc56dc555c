package filter

import "net/netip"

// mostFree is how many protocols Unfiltered tells of at most, short of all.
const mostFree = 16

// Unfiltered tells of which protocols everything is allowed between two addresses, whichever of them begins, while nothing is allowed of the
// others; nil for all protocols. false: more must be known of a packet, or nothing is allowed.
func (s *Set) Unfiltered(local, remote netip.Addr) (protocols []uint8, ok bool) {
	l, known := s.local.class(AddressOf(local))
	r, known2 := s.remote.class(AddressOf(remote))
	if !known || !known2 {
		return nil, false
	}
	at := l*s.remotes + r
	in, out := &s.lists[s.in[at]>>1], &s.lists[s.out[at]>>1]
	for p := range uint32(256) {
		first, last := p<<16, p<<16|0xffff
		switch {
		case in.all(first, last) && out.all(first, last):
			protocols = append(protocols, uint8(p))
		case in.any(first, last) || out.any(first, last):
			return nil, false
		}
	}
	if len(protocols) == 256 {
		return nil, true
	}
	return protocols, len(protocols) > 0 && len(protocols) <= mostFree
}

// any reports whether some service from first to last is allowed.
func (a *ranges) any(first, last uint32) bool {
	for _, x := range a.spans {
		if x.first&denied == 0 && x.first <= last && first <= x.last {
			return true
		}
	}
	return false
}
