//go:build e2e && linux

package e2e

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/lab"
	"github.com/cvlan/cvlan/internal/lab/deploy"
)

// heals is how long a path may take to be another.
const heals = 6 * time.Second

// apart is a controller that is a relay too, if wanted with more relays, and two nodes behind routers of their own.
func (w *world) apart(relays int, first, second string) (*controller, [2]*node, [2]*lab.Site, []*deploy.Relay) {
	w.t.Helper()
	var args []string
	if relays == 0 {
		args = append(args, "--with-relay")
	}
	c := w.controller(w.lab.Public("ctl"), args...)
	var all []*deploy.Relay
	for i := range relays {
		name := fmt.Sprintf("relay%d", i+1)
		r, err := w.set.Relay(w.ctx, c.Controller, w.lab.Public(name), name)
		w.must(err)
		all = append(all, r)
	}
	var sites [2]*lab.Site
	for i, spec := range []string{first, second} {
		sites[i] = w.lab.Site(fmt.Sprintf("s%d", i+1), spec)
	}
	return c, [2]*node(w.places(c, sites[:]...)), sites, all
}

// places puts a node on each site, n1, n2 and so on, all joined to the office.
func (w *world) places(c *controller, sites ...*lab.Site) (all []*node) {
	w.t.Helper()
	key := c.key("--uses", fmt.Sprint(len(sites)))
	for i, s := range sites {
		n := w.node(s.Host(fmt.Sprintf("n%d", i+1)))
		n.join(key)
		all = append(all, n)
	}
	return all
}

// by tells which way an answered echo to a peer took, and through which relay; "" if none came back.
func (n *node) by(peer string) (path, relay string) {
	out, err := n.CLI(n.w.ctx, "ping", "-c", "1", "--timeout", "500ms", "--json", peer)
	if err != nil {
		return "", ""
	}
	var all struct{ Pongs []local.Pong }
	n.w.must(json.Unmarshal([]byte(out), &all))
	return all.Pongs[0].Path, all.Pongs[0].Relay
}

// reachesBy waits until echoes take a kind of path.
func (n *node) reachesBy(peer, path string, limit time.Duration) {
	n.w.t.Helper()
	n.w.eventually(limit, n.Host.Name()+" reaches "+peer+" by "+path, func() error {
		if got, _ := n.by(peer); got != path {
			return fmt.Errorf("it is %q", got)
		}
		return nil
	})
}

func TestHomesMeetAtOnceAndThenDirectly(t *testing.T) {
	w := begin(t)
	_, n, _, _ := w.apart(0, "port", "port+rand")
	n[0].reaches("n2", soon)
	n[0].reachesBy("n2", local.PathDirect, heals)
	n[1].reachesBy("n1", local.PathDirect, heals)
	n[0].types("ping", "-c", "1", "--relay", "n2")
	var p local.PeerPath
	w.must(json.Unmarshal([]byte(n[0].types("peers", "path", "n2", "--json")), &p))
	if p.Path != local.PathDirect || len(p.Candidates) < 2 || !p.Candidates[0].Chosen || p.Preshared == "none" {
		t.Errorf("its ways are %+v", p)
	}
}

func TestSymmetricNATsMeetAtTheRelay(t *testing.T) {
	w := begin(t)
	_, n, _, _ := w.apart(0, "sym", "sym")
	n[0].reachesBy("n2", local.PathRelay, soon)
	w.must(w.conversation(n[0].Host, n[1].Host, n[1].in(office).Self.Addresses[0], 1<<20))
	if path, _ := n[0].by("n2"); path != local.PathRelay {
		t.Errorf("it goes %q", path)
	}
}

func TestWhereNoUDPPassesTLSCarries(t *testing.T) {
	w := begin(t)
	c, n, _, _ := w.apart(0, "port+noudp", "port+noudp")
	n[0].reachesBy("n2", local.PathRelay, heals)
	w.must(w.conversation(n[0].Host, n[1].Host, n[1].in(office).Self.Addresses[0], 1<<20))
	w.must(w.conversation(n[1].Host, n[0].Host, n[0].in(office).Self.Addresses[0], 1<<20))
	c.admin("node", "delete", "n2", "--yes")
	w.eventually(heals, "a deleted node is cut off", func() error {
		if n[0].ask("n2") == nil {
			return fmt.Errorf("it still answers")
		}
		return nil
	})
}

func TestADeadRelayIsReplaced(t *testing.T) {
	w := begin(t)
	c, n, _, relays := w.apart(2, "sym", "sym")
	n[0].reachesBy("n2", local.PathRelay, soon)
	_, used := n[0].by("n2")
	for _, r := range relays {
		if r.Name == used {
			r.Proc.Kill()
		}
	}
	w.eventually(heals, "the other relay carries", func() error {
		if _, now := n[0].by("n2"); now == "" || now == used {
			return fmt.Errorf("it is %q", now)
		}
		return nil
	})
	c.Proc.Kill() // and without a controller both meet again
	n[0].stop()
	n[0].start()
	n[0].reachesBy("n2", local.PathRelay, 2*heals)
}

func TestPathFollowsWhatHappensToNetworks(t *testing.T) {
	w := begin(t)
	_, n, s, _ := w.apart(0, "port", "port")
	n[0].reaches("n2", soon)
	n[0].reachesBy("n2", local.PathDirect, heals)
	w.lab.CutUDP(n[0].Host, n[1].Host)
	n[0].reachesBy("n2", local.PathRelay, heals)
	w.lab.Heal(n[0].Host, n[1].Host)
	n[0].reachesBy("n2", local.PathDirect, 3*heals)
	s[0].Renumber()
	n[0].reaches("n2", heals)
}
