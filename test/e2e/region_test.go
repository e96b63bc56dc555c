//go:build e2e && linux

package e2e

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/lab/deploy"
	"github.com/cvlan/cvlan/relay"
)

// shows reads what a relay is doing.
func (w *world) shows(r *deploy.Relay) (s relay.Stats) {
	w.t.Helper()
	out, err := r.Run(w.ctx, "stats", "--json")
	w.must(err)
	w.must(json.Unmarshal([]byte(out), &s))
	return s
}

// region is a controller with two relays of one region, and two nodes that have no direct path and reach one relay each.
func (w *world) region() (nodes [2]*node, relays [2]*deploy.Relay) {
	w.t.Helper()
	c := w.controller(w.lab.Public("ctl"))
	for i := range relays {
		name := fmt.Sprintf("relay%d", i+1)
		var err error
		relays[i], err = w.set.Relay(w.ctx, c.Controller, w.lab.Public(name), name, "--region", "eu")
		w.must(err)
	}
	key := c.key("--uses", "2")
	for i := range nodes {
		h := w.lab.Site(fmt.Sprintf("s%d", i+1), "sym").Host(fmt.Sprintf("n%d", i+1))
		w.lab.Cut(h, relays[1-i].Host)
		nodes[i] = w.node(h)
		nodes[i].join(key)
	}
	return nodes, relays
}

func TestTwoHomesOfARegionMeet(t *testing.T) {
	w := begin(t)
	n, r := w.region()
	n[0].reachesBy("n2", local.PathRelay, soon)
	n[1].reachesBy("n1", local.PathRelay, soon)
	w.must(w.conversation(n[0].Host, n[1].Host, n[1].in(office).Self.Addresses[0], 1<<20))
	for i, home := range r {
		if _, by := n[i].by(fmt.Sprintf("n%d", 2-i)); by != home.Name {
			t.Errorf("n%d goes by %q, not by its own home", i+1, by)
		}
		s := w.shows(home)
		if len(s.Region.Relays) != 1 || !s.Region.Relays[0].Up || s.Region.Sent.Packets == 0 || s.Region.Came.Packets == 0 || s.Clients != 1 {
			t.Errorf("%s shows %+v, and %d clients", home.Name, s.Region, s.Clients)
		}
	}
}

func TestANodeMovesHomeInsideARegion(t *testing.T) {
	w := begin(t)
	n, r := w.region()
	n[0].reachesBy("n2", local.PathRelay, soon)
	w.lab.Heal(n[1].Host, r[0].Host)
	r[1].Proc.Kill()
	n[0].reachesBy("n2", local.PathRelay, 2*heals)
	w.eventually(soon, "the relay misses the other", func() error {
		if s := w.shows(r[0]); s.Region.Relays[0].Up || s.Clients != 2 {
			return fmt.Errorf("%+v, and %d clients", s.Region, s.Clients)
		}
		return nil
	})
}

func TestANodeIsTheRelayOfItsTenant(t *testing.T) {
	w := begin(t)
	c := w.controller(w.lab.Public("ctl"))
	key := c.key("--uses", "3")
	hq := w.node(w.lab.Public("hq"))
	hq.join(key)
	var n [2]*node
	for i := range n {
		n[i] = w.node(w.lab.Site(fmt.Sprintf("s%d", i+1), "sym").Host(fmt.Sprintf("n%d", i+1)))
		n[i].join(key)
	}
	c.admin("relay", "create", "branch", "--node", "hq")
	n[0].reachesBy("n2", local.PathRelay, soon)
	n[1].reachesBy("n1", local.PathRelay, soon)
	w.must(w.conversation(n[0].Host, n[1].Host, n[1].in(office).Self.Addresses[0], 1<<20))
	if _, by := n[0].by("n2"); by != "branch" {
		t.Errorf("it goes by %q", by)
	}
	hq.stop() // the relay comes back with its node, without the controller
	c.Proc.Kill()
	hq.start()
	n[0].reachesBy("n2", local.PathRelay, 2*heals)
	c.start()
	c.admin("node", "delete", "hq", "--yes")
	w.eventually(soon, "the relay of a removed node is gone", func() error {
		var all struct{ Relays []struct{ Name string } }
		w.must(json.Unmarshal([]byte(c.admin("relay", "list", "--json")), &all))
		if len(all.Relays) > 0 {
			return fmt.Errorf("there is %v", all.Relays)
		}
		return nil
	})
	w.eventually(soon, "it carries nothing any more", func() error {
		if n[0].ask("n2") == nil {
			return fmt.Errorf("it answers")
		}
		return nil
	})
}
