package world

import (
	"testing"
	"time"
)

func TestANodeBehindARouterReachesAPublicOne(t *testing.T) {
	for _, kind := range []string{"fullcone", "port", "sym"} {
		Tell(t, 7, func(w *World) {
			router := w.Router(kind)
			key := w.Controller.Key(w.Controller.Network("office", true), nil)
			a, b := w.NodeBehind(router, "a"), w.Node("b")
			a.Join(key)
			b.Join(key)
			a.Up()
			b.Up()
			a.Reaches(30*time.Second, "b")
			b.Reaches(30*time.Second, "a")
			router.Reboot()
			a.Reaches(30*time.Second, "b")
		})
	}
}
