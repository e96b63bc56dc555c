package guide

import (
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// A mapping that a relay sees change while nothing moved was forgotten by the NAT: it is used more often from then on.
func TestNATThatForgetsIsTakenForImpatient(t *testing.T) {
	o := own{seen: map[uint8]netip.AddrPort{}}
	now := mono.Time(time.Hour)
	port := func(n uint16) netip.AddrPort { return netip.AddrPortFrom(netip.MustParseAddr("198.51.100.1"), n) }
	shorter := []time.Duration{20 * time.Second, 15 * time.Second, 12 * time.Second, 10 * time.Second}
	see := func(slot uint8, at netip.AddrPort, want time.Duration) {
		t.Helper()
		was := o.lifetime.Known()
		if less := o.sees(now, slot, at); o.lifetime.Known() != want || less != (want != was) {
			t.Errorf("%v is taken for %v, shorter: %v", at, o.lifetime.Known(), less)
		}
	}
	see(1, port(1), 0)
	see(2, port(9), 0) // a NAT that maps by destination
	see(1, port(1), 0)
	see(1, port(2), shorter[0])
	see(2, port(8), shorter[0]) // the same loss
	now = now.Add(time.Minute)
	see(1, netip.MustParseAddrPort("203.0.113.1:5"), shorter[0]) // it is elsewhere
	for i := range 2 * len(shorter) {
		now = now.Add(time.Minute)
		see(2, port(100+uint16(i)), shorter[min(i+1, len(shorter)-1)])
	}
	o.moves(now, 0)
	see(2, port(3), 0)
	now = now.Add(movedFor)
	see(2, port(4), shorter[0])
}
