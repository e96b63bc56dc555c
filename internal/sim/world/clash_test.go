package world

import (
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
)

// A machine gets a network of its own with the very addresses of its mesh, which has to give way for a while: tunnel, sessions and ways go. When the clash
// is gone the pair is back, first through the relay, and directly within seconds: nothing that either end remembers stands in the way. With two relays, for a machine
// that is seen from one place only does not know that its router gives each destination another port, and ports are guessed for those who do.
func TestAPairIsDirectAgainAfterAClashOfRanges(t *testing.T) {
	for i, kinds := range [][2]string{{"port", "port"}, {"port+rand", "addr"}, {"port", "sym"}} {
		Tell(t, 61+uint64(i), func(w *World) {
			w.Relay("eu")
			w.Relay("us")
			network := w.Controller.Network("office", true)
			key := w.Controller.Key(network, nil)
			a, b := w.NodeBehind(w.Router(kinds[0]), "a"), w.NodeBehind(w.Router(kinds[1]), "b")
			a.Join(key)
			b.Join(key)
			a.ReachesBy(10*time.Second, "b", local.PathDirect)
			for _, away := range []time.Duration{3 * time.Second, 40 * time.Second, 10 * time.Minute} {
				a.host.SetLocalAddrs("eth9", netip.PrefixFrom(network.Range4.Addr().Next(), network.Range4.Bits()))
				w.Until(10*time.Second, "it gives way", func() bool { return a.Network().State == local.Failed })
				w.Sleep(away)
				a.host.SetLocalAddrs("eth9")
				begin := time.Now()
				a.Up()
				a.Reaches(3*time.Second, "b")
				a.ReachesBy(10*time.Second, "b", local.PathDirect)
				b.ReachesBy(10*time.Second, "a", local.PathDirect)
				t.Logf("%v, away for %v: direct after %v", kinds, away, time.Since(begin))
			}
		})
	}
}
