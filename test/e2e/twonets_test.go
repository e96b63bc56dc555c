//go:build e2e && linux

package e2e

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
)

func TestOneMachineInTwoNetworksOfTwoControllers(t *testing.T) {
	w := begin(t)
	r := w.lab.Routed(3)
	c := w.controller(r.Controller)
	other := w.controller(w.lab.Public("ctl2"))
	other.admin("network", "create", "plant")
	plantKey, err := other.Key(w.ctx, "plant", "--uses", "2")
	w.must(err)
	key := c.key("--uses", "2")

	both, inOffice, inPlant := w.node(r.Nodes[0]), w.node(r.Nodes[1]), w.node(r.Nodes[2])
	untouched := w.network(both.Host)
	both.join(key)
	withOffice := w.network(both.Host)
	both.join(plantKey)
	inOffice.join(key)
	inPlant.join(plantKey)
	both.reaches("n2", soon)
	both.reaches("n3", soon)
	a, b := both.in(office), both.in("plant")
	if a.Interface == b.Interface || a.Port == b.Port || a.Self.Key == b.Self.Key || a.Self.ID == b.Self.ID {
		t.Errorf("the memberships share something: %+v and %+v", a, b)
	}
	if _, err := inOffice.CLI(w.ctx, "ping", "-c", "1", "n3"); err == nil {
		t.Error("a node of one network reaches a node of the other")
	}

	both.types("down", "--network", "plant")
	w.isAsBefore(both.Host, withOffice)
	w.must(both.ask("n2"))
	if m := both.in("plant"); m.State != local.Down {
		t.Errorf("the plant is %s", m.State)
	}
	both.types("up", "--network", "plant")
	both.reaches("n3", soon)

	folder := filepath.Join(both.Host.Path("/var/lib/cvlan/networks"), b.ID)
	if _, err := os.Stat(filepath.Join(folder, "wg.key")); err != nil {
		t.Fatal(err)
	}
	both.types("logout", "--network", "plant", "--yes")
	if left := glob(folder + "*"); left != nil {
		t.Errorf("after logout there still is %v", left)
	}
	w.isAsBefore(both.Host, withOffice)
	w.must(both.ask("n2"))
	both.types("logout", "--yes")
	w.isAsBefore(both.Host, untouched)
	for _, file := range []string{"wg.key", "identity.pem"} {
		if left := glob(both.Host.Path("/var/lib/cvlan/*/*/") + "/" + file + "*"); left != nil {
			t.Errorf("after logout there still is %v", left)
		}
	}
}

func TestTenantsSeeNothingOfEachOther(t *testing.T) {
	w := begin(t)
	r := w.lab.Routed(2)
	c := w.controller(r.Controller)
	var nodes []*node
	for i, tenant := range []string{"acme", "umbrella"} { // with the same ranges and the same names
		c.admin("tenant", "create", tenant)
		c.admin("network", "create", office, "--tenant", tenant, "--range4", "10.50.0.0/16")
		key, err := c.Key(w.ctx, office, "--tenant", tenant)
		w.must(err)
		n := w.node(r.Nodes[i])
		n.join(key, "--hostname", "db")
		nodes = append(nodes, n)
	}
	for _, n := range nodes {
		m := n.in(office)
		if m.State != local.Up || len(m.Peers) != 0 || m.Self.Name != "db" || m.Self.Addresses[0].String() != "10.50.0.2" {
			t.Errorf("%s of %s: %+v", m.Self.Name, m.Tenant, m)
		}
	}
}

func TestAnEphemeralKeyMarksItsNodes(t *testing.T) {
	w := begin(t)
	r := w.lab.Routed(1)
	c := w.controller(r.Controller)
	n := w.node(r.Nodes[0])
	n.join(c.key("--ephemeral", "--tag", "build"))
	n.becomes(local.Up, soon)
	if got := c.called("n1"); !got.Ephemeral || len(got.Tags) != 1 || got.Tags[0] != "tag:build" || !got.Online {
		t.Errorf("the node is %+v", got)
	}
	n.stop()
	w.eventually(soon, "the controller sees it go", func() error {
		if c.called("n1").Online {
			return os.ErrExist
		}
		return nil
	})
	if c.called("n1").LastSeen.Before(time.Now().Add(-time.Minute)) {
		t.Error("it was not seen last just now")
	}
}
