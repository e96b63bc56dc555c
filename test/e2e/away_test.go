//go:build e2e && linux

package e2e

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
)

func TestWithTheControllerAwayTunnelsGoOnAndDaemonsRestart(t *testing.T) {
	w := begin(t)
	c, nodes, r := w.town(3, "--transport", "tcp") // which learns at once that the controller is gone
	everybodyReachesEverybody(nodes[:2])
	nodes[1].keeps("n3", 10*time.Second)
	c.Proc.Kill()
	nodes[0].becomes(local.Offline, soon)
	w.must(nodes[0].ask("n2"))

	nodes[0].stop()
	nodes[0].comesBackFromItsMap("n2", 3*time.Second)
	nodes[1].Proc.Kill()
	nodes[1].comesBackFromItsMap("n1", 3*time.Second)
	nodes[1].comesBackFromItsMap("n3", 3*time.Second)
	w.eventually(soon, "n2 says that the controller is away", func() error { // the tunnel is quicker than the first refusal
		if m := nodes[1].in(office); m.State != local.Offline || m.Controller.Problem == "" || len(m.Peers) != 2 {
			return fmt.Errorf("with the controller away: %+v", m)
		}
		return nil
	})

	links := map[*node]int{}
	for _, n := range nodes {
		links[n] = w.index(n.Host, n.in(office).Interface)
	}
	untouched := w.network(r.Nodes[2])
	c.start()
	for _, n := range nodes {
		n.becomes(local.Up, time.Minute)
	}
	everybodyReachesEverybody(nodes)
	for _, n := range nodes {
		if now := w.index(n.Host, n.in(office).Interface); now != links[n] || now == 0 {
			t.Errorf("the interface of %s was made anew when the controller came back: link %d, then %d", n.Host.Name(), links[n], now)
		}
	}
	w.isAsBefore(r.Nodes[2], untouched)
	if got := len(c.nodes()); got != 3 {
		t.Errorf("the controller has %d nodes", got)
	}
}

// comesBackFromItsMap starts the daemon, unless it runs, and asks a peer: it must answer within the limit of the start.
func (n *node) comesBackFromItsMap(peer string, limit time.Duration) {
	n.w.t.Helper()
	begin := time.Now()
	select {
	case <-n.Proc.Done():
		n.start()
	default:
	}
	n.reaches(peer, limit)
	n.w.t.Logf("%s reaches %s %v after its start", n.Host.Name(), peer, time.Since(begin).Round(time.Millisecond))
}

// keeps waits until the map on the disk has a peer.
func (n *node) keeps(peer string, limit time.Duration) {
	n.w.t.Helper()
	pattern := n.Host.Path("/var/lib/cvlan/networks/*/netmap.cache")
	key := n.keyOf(peer) // a short name may be in random bytes
	n.w.eventually(limit, n.Host.Name()+" keeps "+peer, func() error {
		for _, file := range glob(pattern) {
			if b, err := os.ReadFile(file); err == nil && bytes.Contains(b, key) {
				return nil
			}
		}
		return fmt.Errorf("no map in %s has it", pattern)
	})
}

// keyOf waits until a peer is in the map and returns its WireGuard key.
func (n *node) keyOf(peer string) (key []byte) {
	n.w.t.Helper()
	n.w.eventually(soon, n.Host.Name()+" sees "+peer, func() (err error) {
		for _, p := range n.in(office).Peers {
			if p.Name == peer {
				key, err = base64.StdEncoding.DecodeString(p.Key)
				return err
			}
		}
		return fmt.Errorf("it sees %v", n.sees())
	})
	return key
}

func glob(pattern string) []string {
	all, _ := filepath.Glob(pattern) // fails only for a malformed pattern
	return all
}

func TestADaemonKilledAfterItsJoinComesBackWithoutTheController(t *testing.T) {
	w := begin(t)
	c, nodes, _ := w.town(2)
	nodes[1].keeps("n1", time.Second)
	c.Proc.Kill()
	nodes[1].Proc.Kill()
	nodes[1].comesBackFromItsMap("n1", 3*time.Second)
}

func TestOverQUICANodeNoticesARestartedController(t *testing.T) {
	w := begin(t)
	c, nodes, _ := w.town(2, "--transport", "quic")
	since := *nodes[0].in(office).Controller.Since
	c.Proc.Kill()
	c.start()
	w.eventually(2*time.Minute, "the session is a new one", func() error {
		if m := nodes[0].in(office); m.State != local.Up || !m.Controller.Since.After(since) {
			return fmt.Errorf("it is %s since %v", m.State, m.Controller.Since)
		}
		return nil
	})
	c.admin("node", "rename", "n2", "db-7")
	nodes[0].comesToSee(atOnce, "db-7")
}
