package tray

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/tray/menu"
)

func TestExitsAreChosenInTheMenu(t *testing.T) {
	n := member("office", local.Up)
	n.Exits = []local.ExitPeer{{Name: "gate", Online: true, Allowed: true, IPv4: true}, {Name: "plant", Allowed: true, IPv4: true}, {Name: "vault", Online: true, IPv4: true}}
	w := world{known: true, networks: []network{digest(&n)}}
	find := func() menu.Entry {
		t.Helper()
		for _, e := range w.picture(time.Time{}).Entries {
			if e.Key == "exits/"+n.ID {
				return e
			}
		}
		t.Fatal("no entry for exits")
		return menu.Entry{}
	}
	e := find()
	if e.Label != "Exit node: none" || len(e.Children) != 3 || !e.Children[0].Marked || e.Children[2].Label != "plant (offline)" {
		t.Errorf("%+v", e)
	}
	w.networks[0].Exit = &local.Exit{Node: "gate", State: local.ExitAway}
	if e = find(); e.Label != "Exit node: gate, away" || e.Children[0].Marked || !e.Children[1].Marked {
		t.Errorf("in use: %+v", e)
	}
	w.networks[0].Exit, w.networks[0].Exits = nil, n.Exits[2:]
	if slices.ContainsFunc(w.picture(time.Time{}).Entries, func(e menu.Entry) bool { return e.Key == "exits/"+n.ID }) {
		t.Error("an exit is shown that policy does not allow")
	}
	many := slices.Repeat([]local.ExitPeer{{Name: "gate", Online: true, Allowed: true}}, maxExits+2)
	w.networks[0].Exits = many
	if all := find().Children; len(all) != 1+maxExits+1 || all[len(all)-1].Label != "2 more: open in a terminal" {
		t.Errorf("of many: %+v", all)
	}
	d := newTwin(n)
	play(t, d, func(t *testing.T, s *scene) {
		s.p.clicks <- menu.Action{Verb: menu.Exit, Network: n.ID, Text: "gate"}
		s.p.clicks <- menu.Action{Verb: menu.Exit, Network: n.ID, Text: local.DefaultValue}
		synctest.Wait()
		d.mu.Lock()
		defer d.mu.Unlock()
		if want := []string{"set " + n.ID + " exit-node gate", "set " + n.ID + " exit-node default"}; !slices.Equal(d.asked, want) {
			t.Errorf("asked %q", d.asked)
		}
	})
}
