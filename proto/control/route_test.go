package control

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestRoutesThatNobodyForwardsTo(t *testing.T) {
	ranges := []netip.Prefix{netip.MustParsePrefix("10.7.0.0/16"), {}}
	for p, why := range map[string]string{
		"10.20.0.0/16": "", "0.0.0.0/0": "", "::/0": "", "fd12::/64": "", "64:ff9b::/96": "", "10.6.0.0/16": "", "1.1.1.1/32": "",
		"10.20.0.1/16": "write 10.20.0.0/16", "10.7.9.0/24": "own range", "10.0.0.0/8": "own range", "127.0.0.1/32": "127.0.0.0/8",
		"0.0.0.0/1": "0.0.0.0/8", "128.0.0.0/1": "169.254.0.0/16", "255.255.255.255/32": "224.0.0.0/3", "::ffff:10.0.0.0/104": "is not a prefix", "ff02::/16": "ff00::/8",
	} {
		err := CheckRoute(netip.MustParsePrefix(p), ranges...)
		if (err == nil) != (why == "") || err != nil && !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", p, err)
		}
	}
	if CheckRoute(netip.Prefix{}) == nil {
		t.Error("no prefix is a route")
	}
}

func TestRoutesTravelInOrderAndOnce(t *testing.T) {
	want := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("10.20.0.0/16"), netip.MustParsePrefix("10.20.0.0/24"), netip.MustParsePrefix("::/0")}
	mixed := []netip.Prefix{want[3], want[2], want[2], want[0], want[1], want[3]}
	got, err := ParseRoutes(AppendRoutes(nil, mixed))
	if err != nil || !slices.Equal(got, want) {
		t.Fatal(got, err)
	}
}

func FuzzParseRoutes(f *testing.F) {
	f.Add([]byte{10, 20, 0, 0, 16}, []byte{0, 0, 0, 0, 0})
	f.Add([]byte{}, make([]byte, 17))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		routes, err := ParseRoutes([][]byte{a, b})
		again, err2 := ParseRoutes(AppendRoutes(nil, routes))
		if err2 != nil || !slices.Equal(routes, again) || !slices.IsSortedFunc(routes, CompareRoutes) {
			t.Fatal(routes, err, again, err2)
		}
	})
}
