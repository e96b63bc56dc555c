package world

import (
	"testing"
	"time"

	"github.com/cvlan/cvlan/controller/store"
)

func TestAPolicyThatIsEditedCutsAndOpens(t *testing.T) {
	Tell(t, 41, func(w *World) {
		office := w.Controller.Network("office", true)
		a, web, other := w.Node("a"), w.Node("web"), w.Node("other")
		a.Join(w.Controller.Key(office, nil))
		web.Join(w.Controller.Key(office, func(k *store.JoinKey) { k.Tags = []string{"tag:web"} }))
		other.Join(w.Controller.Key(office, nil))
		a.Reaches(2*time.Second, "web")
		a.Reaches(2*time.Second, "other")
		w.Controller.Policy(office, `{"tagOwners": {"tag:web": []}, "acls": [{"src": ["*"], "dst": ["tag:web:*"]}]}`)
		w.Until(time.Second, "a and other are hidden from each other", func() bool { return !a.Sees("other") && !other.Sees("a") })
		a.Reaches(time.Second, "web")
		if err := web.Ping("a"); err == nil {
			t.Fatal("the web server may ping who may only ping it")
		}
		w.Controller.Policy(office, `{"tagOwners": {"tag:web": []}, "acls": [{"src": ["*"], "dst": ["tag:web:443"], "proto": "tcp"}]}`)
		w.Until(time.Second, "no echo any more", func() bool { return a.Ping("web") != nil })
		if !a.Sees("web") {
			t.Fatal("who may be reached at a port is not shown")
		}
		w.Controller.Policy(office, `{"acls": [{"src": ["*"], "dst": ["*:*"]}]}`)
		a.Reaches(2*time.Second, "other")
		web.Reaches(2*time.Second, "a")
	})
}

func TestAWindowOpensAndClosesWithoutAController(t *testing.T) {
	Tell(t, 42, func(w *World) {
		office := w.Controller.Network("office", true)
		key := w.Controller.Key(office, nil)
		a, b := w.Node("a"), w.Node("b")
		a.Join(key)
		b.Join(key)
		a.Reaches(2*time.Second, "b")
		w.Controller.Policy(office, `{"acls": [{"src": ["*"], "dst": ["*:*"], "when": {"hours": "08:00-18:00", "zone": "UTC"}}]}`)
		w.Sleep(time.Second)
		w.Controller.Kill()
		for day := range 3 {
			for _, hour := range []struct {
				at   time.Duration
				open bool
			}{{8*time.Hour + 2*time.Second, true}, {18*time.Hour - 5*time.Second, true}, {18*time.Hour + 2*time.Second, false}, {31 * time.Hour, false}} {
				now := w.Now()
				midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
				if day == 0 && midnight.Add(hour.at).Before(now) || hour.at > 24*time.Hour && now.Sub(midnight) < 18*time.Hour {
					continue
				}
				w.Sleep(midnight.Add(hour.at).Sub(now))
				if !a.Sees("b") {
					t.Fatal("a window that is closed hides a peer")
				}
				if err := a.Ping("b"); (err == nil) != hour.open {
					t.Fatalf("at %v: %v", w.Now(), err)
				}
			}
		}
	})
}
