package relayed

import (
	"net/netip"
	"testing"
	"time"
)

// claimed is where the relays of these tests see every peer.
var claimed = netip.MustParseAddr("203.0.113.99")

func TestARelayConfirmsWhereAPeerIs(t *testing.T) {
	other := netip.MustParseAddr("203.0.113.98")
	for _, c := range []struct {
		asked []netip.Addr
		want  int
	}{
		{[]netip.Addr{claimed}, 1},
		{[]netip.Addr{other}, 0},
		{[]netip.Addr{claimed, other}, 0}, // the answer about one says nothing about another
	} {
		r := reached(t, 1, 20*ms)
		r.flow(9, 5*time.Second)
		was := r.lane(9)
		for _, a := range c.asked {
			r.l.Confirm(r.now, 9, a, &r.out)
		}
		r.act()
		r.run(time.Second)
		r.want("%v: %d confirmed", r.count(Confirmed) == c.want, c.asked, r.count(Confirmed))
		if c.want > 0 {
			e := r.last(Confirmed)
			r.want("%v at %v", e.Node == 9 && e.Addr.Addr() == claimed, e.Node, e.Addr)
		}
		r.want("the lane is another", r.lane(9) == was)
	}
}

func TestWhoHasNoLaneIsNotAskedAbout(t *testing.T) {
	r := reached(t, 1, 20*ms)
	r.run(2 * time.Second)
	before := len(r.out.Transmits)
	r.l.Confirm(r.now, 9, claimed, &r.out)
	r.l.Confirm(r.now, 77, claimed, &r.out)
	r.want("something was sent", len(r.out.Transmits) == before)
}
