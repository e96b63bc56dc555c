//go:build e2e && linux

package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/lab/deploy"
	"github.com/cvlan/cvlan/internal/lab/series"
)

// used is the relay that carries what one node sends to another.
func (w *world) used(n *node, peer string, all []*deploy.Relay) *deploy.Relay {
	w.t.Helper()
	_, name := n.by(peer)
	for _, r := range all {
		if r.Name == name {
			return r
		}
	}
	w.t.Fatalf("%s reaches %s by relay %q", n.Host.Name(), peer, name)
	return nil
}

// The only relay dies and is started again: whoever spoke through it goes on by itself.
func TestTrafficSurvivesARestartOfItsOnlyRelay(t *testing.T) {
	w := begin(t)
	_, n, _, relays := w.apart(1, "sym", "sym")
	n[0].reachesBy("n2", local.PathRelay, soon)
	s := n[0].sends(n[1])
	w.flows(s, time.Now(), heals)
	at := time.Now()
	relays[0].Proc.Kill()
	w.must(relays[0].Start(w.ctx))
	t.Logf("a relay that is killed and started again: %v", w.flows(s, at, 2*heals))
	s.End(late)
}

// An admin empties a relay before it is stopped, and nobody notices.
func TestADrainedRelayIsLeftWithoutALoss(t *testing.T) {
	w := begin(t)
	_, n, _, relays := w.apart(2, "sym", "sym")
	n[0].reachesBy("n2", local.PathRelay, soon)
	s, tcp := n[0].sends(n[1]), n[0].pours(n[1])
	w.flows(s, time.Now(), heals)
	left := w.used(n[0], "n2", relays)
	at := time.Now()
	tcp.FromNow()
	out, err := left.Run(w.ctx, "drain", "--timeout", "40s")
	w.must(err)
	t.Logf("%s after %v: %s", left.Name, time.Since(at).Round(time.Millisecond), out)
	left.Proc.Kill()
	w.flows(s, time.Now(), heals)
	if now := w.used(n[0], "n2", relays); now == left {
		t.Errorf("it still goes through %s", now.Name)
	}
	tally := s.End(late)
	_, stall, err := tcp.End()
	w.must(err)
	t.Logf("a relay that drains: %v; TCP's longest stall %v", tally, stall.Round(time.Millisecond))
	if tally.Lost > 1 || stall > time.Second {
		t.Errorf("%v; TCP stood still for %v", tally, stall)
	}
}

// The relay in use dies in mid-flow, without a word. What is under way is lost, and no connection.
func TestTrafficSurvivesTheDeathOfItsRelay(t *testing.T) {
	w := begin(t)
	_, n, _, relays := w.apart(2, "sym", "sym")
	n[0].reachesBy("n2", local.PathRelay, soon)
	s, tcp := n[0].sends(n[1]), n[0].pours(n[1])
	w.flows(s, time.Now(), heals)
	dead := w.used(n[0], "n2", relays)
	at := time.Now()
	tcp.FromNow()
	dead.Proc.Kill()
	tally := w.flows(s, at, heals)
	_, stall, err := tcp.End()
	w.must(err)
	t.Logf("a relay that is killed: %v; TCP's longest stall %v", tally, stall.Round(time.Millisecond)) // goals on a quiet machine: 2 s each; see make natgrid
	if now := w.used(n[0], "n2", relays); now == dead {
		t.Errorf("it still goes through %s", now.Name)
	}
	s.End(late)
}

// unheard are two nodes between which a series goes through a relay, and who hear nothing of the controller any more.
func (w *world) unheard() (*controller, [2]*node, *deploy.Relay, *series.Series) {
	w.t.Helper()
	c, n, _, relays := w.apart(1, "sym", "sym")
	n[0].reachesBy("n2", local.PathRelay, soon)
	s := n[0].sends(n[1])
	w.flows(s, time.Now(), heals)
	w.lab.Cut(n[0].Host, c.Host)
	w.lab.Cut(n[1].Host, c.Host)
	return c, n, relays[0], s
}

// A suspended node is cut off where its traffic goes, though neither end has heard of it, and comes back when it is approved.
func TestASuspendedNodeIsCutOffAtTheRelayUntilItIsApproved(t *testing.T) {
	w := begin(t)
	c, n, relay, s := w.unheard()
	at := time.Now()
	c.admin("node", "suspend", "n2")
	w.eventually(2*time.Second, "the relay parts with it", func() error {
		if st := w.stats(relay); st.Clients != 1 || st.Admits.Removed != 1 {
			return fmt.Errorf("it has %d clients and turns %d away", st.Clients, st.Admits.Removed)
		}
		return nil
	})
	t.Logf("cut off within %v", time.Since(at).Round(time.Millisecond))
	c.admin("node", "approve", "n2")
	w.lab.Heal(n[0].Host, c.Host)
	w.lab.Heal(n[1].Host, c.Host)
	n[0].reachesBy("n2", local.PathRelay, time.Minute)
	if st := w.stats(relay); st.Admits.Removed != 0 {
		t.Errorf("the relay still turns %d away", st.Admits.Removed)
	}
	w.flows(s, time.Now(), heals)
}

// A node that was removed is cut off where its traffic goes: neither end has heard of it, both have valid keys, and nothing passes.
func TestARemovedNodeIsCutOffAtTheRelay(t *testing.T) {
	w := begin(t)
	c, n, relay, s := w.unheard()
	w.flows(s, time.Now(), heals)
	at := time.Now()
	c.admin("node", "delete", "n2", "--yes")
	w.eventually(heals, "the relay carries nothing more", func() error {
		before := w.carried(relay)
		if t := s.Since(at, 0); t.Quiet < 300*time.Millisecond {
			return fmt.Errorf("the last answer came %v ago", t.Quiet)
		}
		if now := w.carried(relay); now != before {
			return fmt.Errorf("it has carried %d packets more", now-before)
		}
		return nil
	})
	t.Logf("cut off %v after the deletion", (time.Since(at) - s.Since(at, 0).Quiet).Round(time.Millisecond))
	before := w.stats(relay)
	for i, m := range n {
		p := m.wg().Peers
		if len(p) != 1 || p[0].KeysSince == nil {
			t.Errorf("%s has no keys for the other any more: %+v", n[i].Host.Name(), p)
		}
	}
	if tally := s.End(late); tally.Lost == 0 {
		t.Error("nothing was lost")
	}
	after := w.stats(relay)
	if after.Admits.Removed != 1 || after.Clients != 1 {
		t.Errorf("the relay has %d clients and turns %d away", after.Clients, after.Admits.Removed)
	}
	for id, r := range after.Tenants {
		if r.Packets != before.Tenants[id].Packets {
			t.Errorf("the relay has carried %d packets since", r.Packets-before.Tenants[id].Packets)
		}
	}
}
