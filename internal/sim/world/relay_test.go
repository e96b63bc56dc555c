package world

import (
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
)

// Two machines whose routers let nobody find the other meet at a relay; it dies, and the other one takes over; the controller goes away, and
// both start anew: they still meet, by what their disks say.
func TestBehindHardRoutersTwoMeetAtARelayAndItDies(t *testing.T) {
	Tell(t, 8, func(w *World) {
		relays := map[string]*Relay{"eu": w.Relay("eu"), "us": w.Relay("us")}
		key := w.Controller.Key(w.Controller.Network("office", true), nil)
		a, b := w.NodeBehind(w.Router("sym"), "a"), w.NodeBehind(w.Router("sym"), "b")
		a.Join(key)
		b.Join(key)
		a.Reaches(3*time.Second, "b")
		used := a.ReachesBy(3*time.Second, "b", local.PathRelay)
		relays[used].Kill()
		begin := time.Now()
		next := a.ReachesBy(3*time.Second, "b", local.PathRelay)
		t.Logf("%s is dead; %v later an echo came back by %s", used, time.Since(begin), next)
		if next == used {
			t.Error("by the dead one")
		}
		w.Sleep(10 * time.Second) // the map is on disk within seconds
		w.Controller.Kill()
		a.Stop()
		b.Kill()
		a.Start()
		b.Start()
		a.Reaches(10*time.Second, "b")
		relays[used].Start() // it needs nobody either
		w.Sleep(10 * time.Minute)
		b.Reaches(3*time.Second, "a")
	})
}

// Where a direct way is, packets go by the relay only until it is found, and again when the way is cut.
func TestTheRelayCarriesUntilAndUnlessThereIsADirectWay(t *testing.T) {
	Tell(t, 9, func(w *World) {
		w.Relay("eu")
		key := w.Controller.Key(w.Controller.Network("office", true), nil)
		one, two := w.Router("port"), w.Router("port")
		a, b := w.NodeBehind(one, "a"), w.NodeBehind(two, "b")
		a.Join(key)
		b.Join(key)
		a.Reaches(3*time.Second, "b")
		a.ReachesBy(5*time.Second, "b", local.PathDirect)
		b.ReachesBy(5*time.Second, "a", local.PathDirect)
		w.Net.Cut(one.Outside(), two.Outside(), true)
		a.ReachesBy(5*time.Second, "b", local.PathRelay)
		w.Net.Cut(one.Outside(), two.Outside(), false)
		a.ReachesBy(time.Minute, "b", local.PathDirect)
	})
}
