//go:build e2e && linux

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
)

// atOnce is how soon a change by an admin must have reached every node that is connected.
const atOnce = 2 * time.Second

func TestANodeThatWaitsForApprovalSeesNobody(t *testing.T) {
	w := begin(t)
	r := w.lab.Routed(2)
	c := w.controller(r.Controller)
	first, second := w.node(r.Nodes[0]), w.node(r.Nodes[1])
	first.join(c.key())
	said := second.join(c.key("--approve"))
	if !strings.Contains(said, "waits for approval") || !strings.Contains(said, "cvlan admin node approve") {
		t.Errorf("a join that needs approval says:\n%s", said)
	}
	if m := second.in(office); m.State != local.Pending || len(m.Peers) != 0 || m.Interface != "" {
		t.Errorf("a pending node is %+v", m)
	}
	if got := first.sees(); len(got) != 0 {
		t.Errorf("a node sees one that waits for approval: %v", got)
	}
	c.admin("node", "approve", "n2")
	second.comesToSee(atOnce, "n1")
	first.comesToSee(atOnce, "n2")
	second.reaches("n1", soon)
	first.reaches("n2", soon)
}

func TestInAClosedNetworkNobodySeesAnybody(t *testing.T) {
	w := begin(t)
	r := w.lab.Routed(2)
	c := w.controller(r.Controller)
	c.admin("network", "close", office)
	a, b := w.node(r.Nodes[0]), w.node(r.Nodes[1])
	key := c.key("--uses", "2")
	a.join(key)
	b.join(key)
	if m := a.in(office); !m.Closed || len(m.Peers) != 0 {
		t.Errorf("in a closed network: %+v", m)
	}
	w.refused(a.ask("n2"), iox.Denied, "closed", "cvlan admin network open office")

	c.admin("network", "open", office)
	a.comesToSee(atOnce, "n2")
	a.reaches("n2", soon)
	address := b.in(office).Self.Addresses[0].String()
	a.reaches(address, soon)

	c.admin("network", "close", office)
	w.eventually(atOnce, "pings stop", func() error { return reached(a.ask("n2")) })
	w.refused(a.ask(address), iox.Denied, "closed")
	a.comesToSee(atOnce)
	b.comesToSee(atOnce)
}

// reached turns an answer into an error: for what must stop.
func reached(err error) error {
	if err == nil {
		return fmt.Errorf("it still answers")
	}
	return nil
}

func TestARenamedNodeIsSeenUnderItsNewName(t *testing.T) {
	w := begin(t)
	c, nodes, _ := w.town(2)
	nodes[0].reaches("n2", soon)
	c.admin("node", "rename", "n2", "db-7")
	nodes[0].comesToSee(atOnce, "db-7")
	w.must(nodes[0].ask("db-7"))
	w.refused(nodes[0].ask("n2"), iox.NotFound, "cvlan peers")
	w.eventually(atOnce, "it knows its own new name", func() error {
		if got := nodes[1].in(office).Self.Name; got != "db-7" {
			return fmt.Errorf("it calls itself %s", got)
		}
		return nil
	})
	_, err := c.Admin(w.ctx, "", "node", "rename", "n1", "db-7")
	w.refused(err, iox.Invalid, "db-7")
	_, err = c.Admin(w.ctx, "", "node", "rename", "n1", "Not_A_Label")
	w.refused(err, iox.Invalid)
}

func TestADeletedNodeIsGoneForAllAndToldWhatToDo(t *testing.T) {
	w := begin(t)
	c, nodes, r := w.town(3)
	nodes[0].reaches("n2", soon)
	gone := nodes[1]
	before := w.network(r.Controller)
	c.admin("node", "delete", "n2", "--yes")
	nodes[0].comesToSee(atOnce, "n3")
	nodes[2].comesToSee(atOnce, "n1")
	w.refused(nodes[0].ask("n2"), iox.NotFound)
	gone.becomes(local.NeedsLogin, soon)
	m := gone.in(office)
	if m.Problem == nil || m.Problem.Code != "removed" || !strings.Contains(m.Problem.Hint, "cvlan up") || m.Interface != "" {
		t.Errorf("a removed node's status is %+v (%v)", m, m.Problem)
	}
	w.isAsBefore(r.Controller, before)
	gone.join(c.key()) // the network is known to be over, so a new key needs no logout
	gone.reaches("n1", soon)
	if all := c.nodes(); len(all) != 3 {
		t.Errorf("the controller has %d nodes", len(all))
	}
}
