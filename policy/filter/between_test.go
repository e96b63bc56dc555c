package filter

import (
	"math/rand/v2"
	"net/netip"
	"testing"
)

func TestWhatIsShownBetweenTwoIsWhatIsDecided(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	self := netip.MustParseAddr("10.0.0.1")
	for range 50 {
		spec := scene(r, 8, 0, 5, 6)
		s, err := New(spec)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 8 {
			peer := netip.AddrFrom4([4]byte{10, 1, 0, byte(i)})
			rules, ok := s.Between(self, peer)
			if !ok {
				t.Fatalf("%v is not known", peer)
			}
			for range 40 {
				service := uint32(r.IntN(1 << 24))
				p := Packet{Src: AddressOf(self), Dst: AddressOf(peer), Proto: uint8(service >> 16), DstPort: uint16(service)}
				check(t, s.Out(&p, false), rules.Out, rules.OutIPsec, p.Service())
				p.Src, p.Dst = p.Dst, p.Src
				check(t, s.In(&p, false), rules.In, rules.InIPsec, p.Service())
			}
		}
		if _, ok := s.Between(self, netip.MustParseAddr("10.9.9.9")); ok {
			t.Error("rules about somebody that nobody knows")
		}
	}
}

func check(t *testing.T, got Reason, shown []Span, ipsec bool, service uint32) {
	t.Helper()
	want := NoRule
	for _, x := range shown {
		switch {
		case service < x.First || service > x.Last:
		case x.Deny:
			want = Denied
		case ipsec:
			want = NeedsIPsec
		default:
			want = Allowed
		}
	}
	if got != want {
		t.Errorf("service %x: %v is decided, %v is shown: %v", service, got, want, shown)
	}
}
