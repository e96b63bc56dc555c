package daemon

import (
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/netmap"
	"github.com/cvlan/cvlan/internal/node/engine"
	"github.com/cvlan/cvlan/internal/node/flow"
	"github.com/cvlan/cvlan/policy/filter"
	"github.com/cvlan/cvlan/proto/control"
)

func TestDenialsNameWhoTheMapKnows(t *testing.T) {
	table := flow.New(flow.Config{})
	s := &engine.Status{Rules: engine.Rules{Number: 3, Filter: table}, Self: netmap.Self{Record: control.Record{Name: "laptop", Address4: netip.MustParseAddr("10.77.0.2")}}}
	syn := []byte{0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 77, 0, 9, 10, 77, 0, 2, 0x9c, 0x40, 0, 22, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0, 0}
	table.In(mono.Time(time.Second), syn, len(syn), false)
	m := &member{id: 7}
	n, next := policyOf(m, s, 0)
	if next != 1 || n.Policy != 3 || n.DroppedIn["closed"] != 1 || len(n.Denials) != 1 {
		t.Fatalf("%+v %d", n, next)
	}
	d := n.Denials[0]
	if d.Direction != "in" || d.Reason != "closed" || d.At.IsZero() || d.Rule != nil || d.Src.Name != "" || d.Src.Port != 40000 || d.Dst.Name != "laptop" {
		t.Errorf("%+v", d)
	}
	if n, _ = policyOf(m, s, next); len(n.Denials) != 0 || n.Rules == nil {
		t.Errorf("%+v", n)
	}
	named := denial(&flow.Denial{Src: netip.MustParseAddr("10.77.0.2"), Dst: netip.MustParseAddr("10.77.0.9"), Proto: 6, DstPort: 22}, namesOf(s))
	if d := denial(&flow.Denial{Reason: filter.Denied, ByRule: true, Rule: 3, Generation: 12}, nil); d.Why() != "rule 3 of version 12 denies it" || d.Rule == nil || *d.Rule != 3 || d.Policy != 12 {
		t.Errorf("%+v", d)
	}
	if named.Src.Name != "laptop" || named.Dst.Name != "" || named.Dst.Port != 22 || named.Protocol != "tcp" || named.Type != nil {
		t.Errorf("%+v", named)
	}
}

func TestThePolicyLogIsAskedByNetwork(t *testing.T) {
	office := newController(t, "office", "10.9.0.0/24")
	m := newMachine(t, office)
	c := m.start()
	m.up(c, local.UpRequest{JoinKey: office.key(1)})
	n := m.untilState(c, local.Up)
	l, err := c.PolicyLog(t.Context(), local.PolicyLogRequest{Network: "office"})
	if err != nil || len(l.Networks) != 1 || l.Networks[0].ID != n.ID || l.Networks[0].Denials == nil {
		t.Errorf("%+v %v", l, err)
	}
	if _, ok := l.Next[n.ID]; !ok {
		t.Errorf("no cursor: %+v", l)
	}
	if _, err := c.PolicyLog(t.Context(), local.PolicyLogRequest{Network: "home"}); code(err) != local.CodeNotFound {
		t.Errorf("%v", err)
	}
}
