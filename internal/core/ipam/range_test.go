package ipam

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
)

func TestRangesThatNoNodeCanLiveInAreRefused(t *testing.T) {
	for in, want := range map[string]string{
		"127.0.0.0/8": "loopback", "10.0.0.0/7": "too large", "10.0.0.0/31": "too small", "10.1.2.3/16": "did you mean 10.1.0.0/16",
		"169.254.0.0/24": "link-local", "224.0.0.0/8": "multicast", "0.0.0.0/8": "this host", "240.0.0.0/8": "reserved", "fd00::/64": "not an IPv4 range",
		"0.0.0.0/0": "this host", "255.255.255.0/24": "reserved",
	} {
		if err := Check4(netip.MustParsePrefix(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", in, err, want)
		}
	}
	for in, want := range map[string]string{
		"::1/128": "loopback", "fe80::/64": "link-local", "ff02::/64": "multicast", "fd00::/40": "too large", "fd00::/121": "too small",
		"fd00::1/64": "did you mean fd00::/64", "10.0.0.0/16": "not an IPv6 range", "::ffff:10.0.0.0/112": "not an IPv6 range",
	} {
		if err := Check6(netip.MustParsePrefix(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", in, err, want)
		}
	}
	if Check4(netip.Prefix{}) == nil || Check6(netip.Prefix{}) == nil {
		t.Error("no range is not a range")
	}
	for _, in := range []string{"10.0.0.0/8", "10.0.0.0/16", "192.168.7.0/30", "100.64.0.0/10", "192.0.2.0/24", "198.51.100.0/24", "12.0.0.0/24"} {
		if err := Check4(netip.MustParsePrefix(in)); err != nil {
			t.Errorf("%s: %v", in, err)
		}
	}
	for _, in := range []string{"fd00::/48", "fd00::/120", "2001:db8::/64"} {
		if err := Check6(netip.MustParsePrefix(in)); err != nil {
			t.Errorf("%s: %v", in, err)
		}
	}
}

func seeded(n uint64) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)}) }

func TestProposalsAvoidWhatIsInUse(t *testing.T) {
	var taken []Named
	seen := map[int]int{}
	const roomy = 256 - 2 - 1 - 2 - 1 - 16 - 1 // /16s of 10/8 that nothing usual collides with
	for i := range 1000 {
		p, ok, err := Pick4(seeded(uint64(i)), taken)
		if err != nil || !ok {
			t.Fatalf("network %d: %v, %v", i, ok, err)
		}
		if err := Check4(p); err != nil {
			t.Fatal(err)
		}
		if met, bad := Overlap(p, taken); bad {
			t.Fatalf("%v overlaps %v of %s", p, met.Range, met.Name)
		}
		for _, a := range avoided {
			if a.Overlaps(p) && i < roomy {
				t.Fatalf("%v is in %v, which is to be avoided", p, a)
			}
		}
		seen[p.Bits()]++
		taken = append(taken, Named{fmt.Sprint("n", i), p})
	}
	if seen[16] != roomy {
		t.Errorf("%d ranges of /16 were proposed: %v", seen[16], seen)
	}
	if _, ok, _ := Pick4(seeded(0), []Named{{"all", netip.MustParsePrefix("10.0.0.0/8")}}); ok {
		t.Error("a range was proposed where none is free")
	}
	if _, _, err := Pick4(strings.NewReader("short"), nil); err == nil {
		t.Error("no error although randomness ran out")
	}
}

func TestProposedIPv6RangesAreUniqueLocal(t *testing.T) {
	a, ok, err := Pick6(seeded(1), nil)
	if err != nil || !ok || a.Bits() != 64 || a.Addr().As16()[0] != 0xfd || Check6(a) != nil {
		t.Fatalf("%v, %v, %v", a, ok, err)
	}
	b, ok, _ := Pick6(seeded(1), []Named{{"a", a}})
	if !ok || b == a || b.Overlaps(a) {
		t.Errorf("proposed %v beside %v", b, a)
	}
	if _, ok, _ := Pick6(seeded(1), []Named{{"all", netip.MustParsePrefix("fd00::/8")}}); ok {
		t.Error("a range was proposed where none is free")
	}
}
