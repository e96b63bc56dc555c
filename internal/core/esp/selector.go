package esp

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/cvlan/cvlan/policy/filter"
)

// Selector is a range of addresses and ports, ends included, as IKE agrees on them (RFC 7296 §3.13.1).
type Selector struct {
	Protocol uint8 // of IP; 0: any
	// FromPort and ToPort are 0 and 65535 for any, and 65535 and 0 for packets whose ports cannot be seen. For ICMP they are type and
	// code in one number.
	FromPort, ToPort uint16
	From, To         netip.Addr
}

// MaxSelectors is how many either side of a pair may have.
const MaxSelectors = 32

// Any is all traffic of both families.
func Any() []Selector {
	return []Selector{
		{ToPort: 65535, From: netip.IPv4Unspecified(), To: netip.AddrFrom4([4]byte{255, 255, 255, 255})},
		{ToPort: 65535, From: netip.IPv6Unspecified(), To: netip.AddrFrom16([16]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})},
	}
}

// opaque reports whether s is about packets whose ports cannot be seen.
func (s Selector) opaque() bool { return s.FromPort == 65535 && s.ToPort == 0 }

// narrow reports whether addresses alone do not decide.
func (s Selector) narrow() bool { return s.Protocol != 0 || s.FromPort != 0 || s.ToPort != 65535 }

// universal reports whether s is everything of its family.
func (s Selector) universal() bool {
	for _, all := range Any() {
		if s == all {
			return true
		}
	}
	return false
}

func (s Selector) check() error {
	switch {
	case !s.From.IsValid() || s.From.Is4() != s.To.Is4() || s.From.Is4In6() || s.From.Zone() != "" || s.To.Zone() != "" || s.To.Less(s.From):
		return fmt.Errorf("traffic selector %v to %v is no range of addresses", s.From, s.To)
	case s.FromPort > s.ToPort && !s.opaque():
		return fmt.Errorf("traffic selector %v: ports from %d down to %d", s.From, s.FromPort, s.ToPort)
	}
	return nil
}

func (s Selector) has(a netip.Addr, proto uint8, port uint16, seen bool) bool {
	switch {
	case a.Less(s.From) || s.To.Less(a) || a.Is4() != s.From.Is4():
		return false
	case s.Protocol != 0 && s.Protocol != proto:
		return false
	case s.FromPort == 0 && s.ToPort == 65535:
		return true
	case s.opaque():
		return !seen
	}
	return seen && s.FromPort <= port && port <= s.ToPort
}

// selectors are what traffic a pair carries towards us; the zero selectors are all of it.
type selectors struct {
	theirs, ours []Selector // of a packet's source and destination
	narrow       bool
}

// newSelectors takes both lists; an empty one is everything.
func newSelectors(theirs, ours []Selector) (s selectors, err error) {
	if len(theirs) > MaxSelectors || len(ours) > MaxSelectors {
		return s, fmt.Errorf("%d and %d traffic selectors, at most %d", len(theirs), len(ours), MaxSelectors)
	}
	for _, one := range theirs {
		s.narrow = s.narrow || one.narrow()
		err = errors.Join(err, one.check())
	}
	for _, one := range ours {
		s.narrow = s.narrow || one.narrow()
		err = errors.Join(err, one.check())
	}
	s.theirs, s.ours = needed(theirs), needed(ours)
	return s, err
}

// needed is nil for a list that is all traffic.
func needed(all []Selector) []Selector {
	universal := map[bool]bool{}
	for _, one := range all {
		if one.universal() {
			universal[one.From.Is4()] = true
		}
	}
	if len(universal) == 2 {
		return nil
	}
	return append([]Selector(nil), all...)
}

// allow reports whether a packet from the peer is of the traffic that was agreed on.
func (s *selectors) allow(packet []byte) bool { return s.between(packet, s.theirs, s.ours) }

// covers reports whether a packet to the peer is. Nothing vouches for the packet's form.
func (s *selectors) covers(packet []byte) bool {
	if s.theirs == nil && s.ours == nil {
		return true
	}
	return headed(packet) && s.between(packet, s.ours, s.theirs)
}

// headed reports whether a packet has all of its first header.
func headed(packet []byte) bool {
	if len(packet) < 20 {
		return false
	}
	return packet[0]>>4 == 4 || packet[0]>>4 == 6 && len(packet) >= 40
}

func (s *selectors) between(packet []byte, src, dst []Selector) bool {
	if src == nil && dst == nil {
		return true
	}
	var p filter.Packet
	if s.narrow && p.Parse(packet) != filter.Allowed {
		return false
	}
	from, to, seen := ports(&p)
	a, b := ends(packet)
	return match(src, a, p.Proto, from, seen) && match(dst, b, p.Proto, to, seen)
}

func match(list []Selector, a netip.Addr, proto uint8, port uint16, seen bool) bool {
	for i := range list {
		if list[i].has(a, proto, port, seen) {
			return true
		}
	}
	return list == nil
}

// ends are the addresses of a packet whose header is known to be whole.
func ends(packet []byte) (src, dst netip.Addr) {
	if packet[0]>>4 == 4 {
		return netip.AddrFrom4([4]byte(packet[12:])), netip.AddrFrom4([4]byte(packet[16:]))
	}
	return netip.AddrFrom16([16]byte(packet[8:])), netip.AddrFrom16([16]byte(packet[24:]))
}

// ports are what a packet has to compare with a selector's ports, if they can be seen. Those of ICMP are the same on both sides.
func ports(p *filter.Packet) (from, to uint16, seen bool) {
	switch {
	case p.Fragment == filter.Later:
		return 0, 0, false
	case p.Proto == filter.ICMP || p.Proto == filter.ICMPv6:
		kind := uint16(p.Flags)<<8 | uint16(p.Code)
		return kind, kind, true
	case p.Service()&0xffff == 0 && p.SrcPort == 0: // a protocol without ports
		return 0, 0, false
	}
	return p.SrcPort, p.DstPort, true
}
