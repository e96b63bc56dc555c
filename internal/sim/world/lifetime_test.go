package world

import (
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/sim/natmodel"
)

// A router that forgets after 15 seconds, and gives back the same port as if nothing had been: nobody is told. A machine without UDP speaks to the one behind it now and then, and only
// through a relay. What the one inside has measured keeps it within reach at every moment.
func TestAMachineIsReachedBehindARouterThatForgetsInSilence(t *testing.T) {
	Tell(t, 41, func(w *World) {
		w.Relay("eu")
		c, err := natmodel.Kind("port")
		if err != nil {
			t.Fatal(err)
		}
		c.Lifetime = 15 * time.Second
		w.routers++
		hasty := w.Net.NAT(after(routerBase, w.routers), c)
		key := w.Controller.Key(w.Controller.Network("office", true), nil)
		a, b := w.NodeBehind(hasty, "a"), w.NodeBehind(w.Router("noudp"), "b")
		a.Join(key)
		b.Join(key)
		b.Reaches(10*time.Second, "a")
		w.Sleep(15 * time.Minute)
		for i := range 15 {
			w.Sleep(3*time.Minute + time.Duration(i)*1700*time.Millisecond)
			begin := time.Now()
			b.Reaches(10*time.Second, "a")
			if took := time.Since(begin); took > time.Second {
				t.Errorf("it took %v", took)
			}
			if p := a.Path("b"); p.Keepalive == 0 || p.Keepalive >= c.Lifetime || p.KeepaliveWhy != "the router remembers for at least 12s" {
				t.Errorf("the way is kept open every %v: %s", p.Keepalive, p.KeepaliveWhy)
			}
		}
	})
}
