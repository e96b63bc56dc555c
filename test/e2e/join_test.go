//go:build e2e && linux

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
)

func TestThreeNodesJoinAndReachEachOther(t *testing.T) {
	for _, transport := range []string{"quic", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			w := begin(t)
			_, nodes, _ := w.town(3, "--transport", transport)
			everybodyReachesEverybody(nodes)
			for _, n := range nodes {
				n.statusSaysSo(transport, len(nodes)-1)
			}
		})
	}
}

func TestWhereUDPIsBlockedTheSessionTakesTCPByItself(t *testing.T) {
	w := begin(t)
	r := w.lab.Routed(2)
	c := w.controller(r.Controller)
	key := c.key("--uses", "2")
	var nodes []*node
	for _, h := range r.Nodes {
		w.lab.CutUDP(h, r.Controller)
		n := w.node(h)
		n.join(key)
		nodes = append(nodes, n)
	}
	everybodyReachesEverybody(nodes)
	for _, n := range nodes {
		n.statusSaysSo("tcp", 1)
	}
}

func TestTheServerSteersNodesToTCP(t *testing.T) {
	w := begin(t)
	r := w.lab.Routed(1)
	c := w.controller(r.Controller, "--node-transport", "tcp")
	n := w.node(r.Nodes[0])
	n.join(c.key())
	n.becomes(local.Up, soon)
	w.must(c.Proc.Stop(soon))
	c.start()
	w.eventually(time.Minute, "the next session is over TCP", func() error {
		if m := n.in(office); m.State != local.Up || m.Controller.Transport != "tcp" {
			return fmt.Errorf("it is %s over %q", m.State, m.Controller.Transport)
		}
		return nil
	})
}

// everybodyReachesEverybody pings each from each by name, by full name and by both addresses.
func everybodyReachesEverybody(nodes []*node) {
	for _, from := range nodes {
		from.w.t.Helper()
		for _, to := range nodes {
			if from == to {
				continue
			}
			self := to.in(office).Self
			from.reaches(self.Name, soon)
			from.reaches(self.Name+"."+to.in(office).Domain, soon)
			if len(self.Addresses) != 2 {
				from.w.t.Errorf("%s has the addresses %v", self.Name, self.Addresses)
			}
			for _, a := range self.Addresses {
				from.reaches(a.String(), soon)
			}
		}
	}
}

// statusSaysSo checks what `cvlan status --json` says of a network where everybody is connected.
func (n *node) statusSaysSo(transport string, peers int) {
	n.w.t.Helper()
	n.becomes(local.Up, soon)
	m := n.in(office)
	if m.Controller.Transport != transport || !m.Controller.Connected || m.Controller.Since == nil {
		n.w.t.Errorf("%s: the controller is %+v, want connected over %s", n.Host.Name(), m.Controller, transport)
	}
	if m.Self.Name != n.Host.Name() || m.MTU != 1380 || m.Port == 0 || m.Interface == "" || len(m.Ranges) != 2 || m.Problem != nil || len(m.Warnings) != 0 {
		n.w.t.Errorf("%s: its membership is %+v", n.Host.Name(), m)
	}
	if len(m.Peers) != peers {
		n.w.t.Errorf("%s sees %d peers, want %d", n.Host.Name(), len(m.Peers), peers)
	}
	for _, p := range m.Peers {
		if !p.Online || p.Path != "direct" || p.Protocol != "wireguard" || p.LastHandshake == nil || p.RxBytes == 0 || p.TxBytes == 0 {
			n.w.t.Errorf("%s: its peer is %+v", n.Host.Name(), p)
		}
		if p.Endpoint == nil || !slices.Contains(p.Candidates, *p.Endpoint) {
			n.w.t.Errorf("%s: the endpoint of %s is %v, its candidates %v", n.Host.Name(), p.Name, p.Endpoint, p.Candidates)
		}
	}
}

func TestASecondKeyMakesNoSecondNode(t *testing.T) {
	w := begin(t)
	c, nodes, _ := w.town(1)
	n := nodes[0]
	before := n.in(office)
	if said := n.types("up", "--key", c.key(), "--json"); !strings.Contains(said, `"join_key_unused": true`) {
		t.Errorf("it says %s", said)
	}
	if after := n.in(office); after.Self.ID != before.Self.ID {
		t.Errorf("it is node %s now, and was %s", after.Self.ID, before.Self.ID)
	}
	if all := c.nodes(); len(all) != 1 {
		t.Errorf("the controller has %+v", all)
	}
}
