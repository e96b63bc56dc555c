package ipam

import (
	"encoding/binary"
	"io"
	"net/netip"
)

// avoided are the parts of 10/8 that software and routers choose by themselves, so that a network's range seldom meets a LAN's.
var avoided = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/15"),   // home routers, and the clouds' first subnets
	netip.MustParsePrefix("10.8.0.0/16"),   // OpenVPN
	netip.MustParsePrefix("10.42.0.0/15"),  // k3s: pods and services
	netip.MustParsePrefix("10.88.0.0/16"),  // Podman
	netip.MustParsePrefix("10.96.0.0/12"),  // Kubernetes: services
	netip.MustParsePrefix("10.244.0.0/16"), // Kubernetes: pods, by flannel
}

var ten = netip.MustParsePrefix("10.0.0.0/8")

// ladder is what is proposed, most wanted first: better a small range than one that meets a LAN, better that than none.
var ladder = []struct {
	bits  int
	avoid bool
}{{16, true}, {24, true}, {24, false}}

// Pick4 proposes a random free range of 10/8: a /16 that nothing usual collides with, or what comes nearest to it. False: all of
// 10/8 is taken.
func Pick4(rnd io.Reader, taken []Named) (netip.Prefix, bool, error) {
	for _, want := range ladder {
		var m blocks
		for _, t := range taken {
			m.mark(t.Range)
		}
		if want.avoid {
			for _, p := range avoided {
				m.mark(p)
			}
		}
		free := m.free(want.bits)
		if len(free) == 0 {
			continue
		}
		i, err := draw(rnd, len(free))
		if err != nil {
			return netip.Prefix{}, false, err
		}
		b := uint32(free[i])
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(b >> 8), byte(b)}), want.bits), true, nil
	}
	return netip.Prefix{}, false, nil
}

// blocks is 10/8 in blocks of a /24: true is taken.
type blocks [1 << 16]bool

func (m *blocks) mark(p netip.Prefix) {
	if !p.IsValid() || !p.Overlaps(ten) {
		return
	}
	if p.Bits() < ten.Bits() {
		p = ten
	}
	a := p.Masked().Addr().As4()
	first := int(a[1])<<8 | int(a[2])
	for i := range 1 << max(24-p.Bits(), 0) {
		m[first+i] = true
	}
}

// free returns the first block of each free range of that size.
func (m *blocks) free(bits int) (first []int) {
	n := 1 << (24 - bits)
next:
	for b := 0; b < len(m); b += n {
		for _, t := range m[b : b+n] {
			if t {
				continue next
			}
		}
		first = append(first, b)
	}
	return first
}

// draw returns a number below n, at most 2^16. The bias of the remainder, below 2^-48, is nothing here.
func draw(rnd io.Reader, n int) (int, error) {
	var b [8]byte
	if _, err := io.ReadFull(rnd, b[:]); err != nil {
		return 0, err
	}
	return int(binary.BigEndian.Uint64(b[:]) % uint64(n)), nil
}

// tries bounds the search of Pick6: 40 random bits hardly ever meet a thousand networks even once.
const tries = 16

// Pick6 proposes a range as RFC 4193, section 3.2 wants it: fd00::/8, a random global id of 40 bits, subnet zero of it, a /64.
// False: every try met a range that is taken.
func Pick6(rnd io.Reader, taken []Named) (netip.Prefix, bool, error) {
	for range tries {
		b := [16]byte{0xfd}
		if _, err := io.ReadFull(rnd, b[1:6]); err != nil {
			return netip.Prefix{}, false, err
		}
		p := netip.PrefixFrom(netip.AddrFrom16(b), 64)
		if _, met := Overlap(p, taken); !met {
			return p, true, nil
		}
	}
	return netip.Prefix{}, false, nil
}
