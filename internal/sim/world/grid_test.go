package world

import (
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/sim/natmodel"
)

// reach is the reference model: whether two kinds of routers can be crossed at all, by mapping and filtering alone (RFC 4787).
func reach(a, b string) bool {
	x, _ := natmodel.Kind(a)
	y, _ := natmodel.Kind(b)
	return !x.NoUDP && !y.NoUDP && (x.Mapping == natmodel.Endpoint || y.Mapping == natmodel.Endpoint)
}

// hard reports whether a port has to be guessed.
func hard(a, b string) bool {
	x, _ := natmodel.Kind(a)
	y, _ := natmodel.Kind(b)
	guessed := func(x, y natmodel.Config) bool {
		return x.Mapping != natmodel.Endpoint && y.Filtering == natmodel.AddressAndPort
	}
	return guessed(x, y) || guessed(y, x)
}

// Whole daemons with a relay, behind every pair of our kinds of routers: the first echo is answered at once, and directness is what the
// model says, soon.
func TestEveryPairOfRoutersMeetsAsTheModelSays(t *testing.T) {
	for i, a := range natmodel.Kinds {
		for j, b := range natmodel.Kinds[i:] {
			if testing.Short() && (i+j)%8 > 0 {
				continue
			}
			t.Run(a+" x "+b, func(t *testing.T) {
				Tell(t, uint64(100*i+j), func(w *World) { w.meets(a, b) })
			})
		}
	}
}

func (w *World) meets(one, two string) {
	w.Relay("eu")
	w.Relay("us")
	key := w.Controller.Key(w.Controller.Network("office", true), nil)
	a, b := w.NodeBehind(w.Router(one), "a"), w.NodeBehind(w.Router(two), "b")
	a.Join(key)
	b.Join(key)
	w.Sleep(2 * time.Second)
	begin := time.Now()
	a.Reaches(time.Second, "b")
	first := time.Since(begin)
	switch {
	case !reach(one, two):
		w.Sleep(10 * time.Second)
		a.ReachesBy(0, "b", local.PathRelay)
	case hard(one, two):
		a.ReachesBy(8*time.Second, "b", local.PathDirect)
		b.ReachesBy(time.Second, "a", local.PathDirect)
	default:
		a.ReachesBy(time.Second, "b", local.PathDirect)
		b.ReachesBy(time.Second, "a", local.PathDirect)
	}
	w.T.Logf("first echo after %v, direct or settled after %v", first, time.Since(begin))
}
