package world

import (
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/lab/figure"
	"github.com/cvlan/cvlan/internal/sim/netsim"
)

// Two nodes that never spoke with each other, behind routers that let nobody find them, and a relay half way between: the first packet waits for a channel, for the pair's preshared
// key and for the handshake. The lane takes nothing of its own: half a round trip each way for the key and for the handshake, and half of one for the packet.
func TestTheFirstPacketThroughARelayTakesTwoRoundTripsAndAHalf(t *testing.T) {
	const trip = 200 * time.Millisecond // from one to the other and back
	Tell(t, 31, func(w *World) {
		w.Relay("eu")
		key := w.Controller.Key(w.Controller.Network("office", true), nil)
		a, b := w.NodeBehind(w.Router("sym"), "a"), w.NodeBehind(w.Router("sym"), "b")
		a.Join(key)
		b.Join(key)
		a.Up()
		b.Up()
		w.Until(10*time.Second, "they know each other", func() bool { return a.Sees("b") && b.Sees("a") })
		w.Net.Weather(netsim.Conditions{Latency: trip / 4})
		w.Sleep(time.Minute)
		w.firstPacket(a, "first_packet_rtt", trip, 2.5)
	})
}

// The same across two relays of one region, each the home of one: the relay that is called asks its neighbour where the other is, with the packet in hand, and that asks back for the
// way of the answer.
func TestTheFirstPacketAcrossARegionTakesThreeRoundTripsAtMost(t *testing.T) {
	const hop, second, far = 20 * time.Millisecond, 30 * time.Millisecond, 60 * time.Millisecond
	const trip = 6 * hop // from one to the other and back
	Tell(t, 33, func(w *World) {
		one, two := w.Router("sym"), w.Router("sym")
		x, y, z := w.RelayIn("eu", "x"), w.RelayIn("eu", "y"), w.RelayIn("us", "z") // z is the standby of both, so that none is known to the other's home
		line := func(a, b netip.Addr, d time.Duration) { w.Net.Line(a, b, netsim.Conditions{Latency: d}) }
		line(x.Addr, y.Addr, hop)
		line(one.Outside(), x.Addr, hop)
		line(two.Outside(), y.Addr, hop)
		line(one.Outside(), y.Addr, far)
		line(two.Outside(), x.Addr, far)
		line(one.Outside(), z.Addr, second)
		line(two.Outside(), z.Addr, second)
		key := w.Controller.Key(w.Controller.Network("office", true), nil)
		a, b := w.NodeBehind(one, "a"), w.NodeBehind(two, "b")
		a.Join(key)
		b.Join(key)
		a.Up()
		b.Up()
		w.Until(10*time.Second, "they know each other", func() bool { return a.Sees("b") && b.Sees("a") })
		w.Sleep(time.Minute)
		w.firstPacket(a, "first_packet_region_rtt", trip, 3)
	})
}

// firstPacket measures in round trips when the first packet from a node to b arrives, through relays, and holds it to a bound.
func (w *World) firstPacket(a *Node, name string, trip time.Duration, most float64) {
	w.T.Helper()
	var took [2]time.Duration
	for i := range took {
		p, err := a.live.Ping(w.Background(), local.PingRequest{Peer: "b"})
		if err != nil || p.Path != local.PathRelay {
			w.T.Fatalf("%+v: %v", p, err)
		}
		took[i] = time.Duration(p.RTT)
	}
	first := float64(took[0]-trip/2) / float64(trip) // the answer's way is not the packet's
	figure.Print(os.Stdout, name, first, "round trips", fmt.Sprintf("(in virtual time; its answer after %v, the next after %v)", took[0], took[1]))
	if took[1] != trip || first > most {
		w.T.Errorf("the first packet came after %.2f round trips", first)
	}
}
