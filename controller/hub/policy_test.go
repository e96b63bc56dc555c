package hub

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/policy/compile"
	"github.com/cvlan/cvlan/policy/filter"
)

// policy puts a document in force.
func (s *scene) policy(text string) store.Policy {
	s.Helper()
	p := must[store.Policy](s.T)(s.own.PutPolicy(s.Context(), s.office.ID, []byte(text), me, "", ""))
	s.settle()
	return p
}

func (s *scene) user(login string, groups ...string) {
	s.Helper()
	for _, g := range groups {
		if _, err := s.own.Group(s.Context(), g); err != nil {
			must[store.Group](s.T)(s.own.CreateGroup(s.Context(), me, g))
		}
	}
	must[store.User](s.T)(s.own.PutUser(s.Context(), me, store.User{Login: login, Groups: groups}, 0))
	s.settle()
}

func owned(login string) func(*store.JoinKey) { return func(k *store.JoinKey) { k.User = login } }

func tagged(tags ...string) func(*store.JoinKey) { return func(k *store.JoinKey) { k.Tags = tags } }

// here admits a machine and opens its session.
func (s *scene) here(name string, change ...func(*store.JoinKey)) *machine {
	s.Helper()
	m := s.machine(name, change...)
	m.dial()
	s.settle()
	return m
}

// may asks a machine's filter about a packet to another.
func (s *scene) may(m, to *machine, service uint32) filter.Reason {
	s.Helper()
	return s.filter(m).Out(&filter.Packet{Src: filter.AddressOf(m.node.Address4), Dst: filter.AddressOf(to.node.Address4), Proto: uint8(service >> 16), DstPort: uint16(service)}, false)
}

// filter is what a machine would make of its map.
func (s *scene) filter(m *machine) *filter.Set {
	s.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	c := must[*compile.Charter](s.T)(compile.DecodeCharter(m.table.Rules().Bytes, time.LoadLocation))
	self, _ := m.table.Self()
	spec, _ := c.Plan(1, compile.Other{Addrs: []netip.Addr{self.Record.Address4}, User: self.User, Routes: self.Routes}, func(yield func(compile.Other) bool) {
		for p := range m.table.Peers() {
			if !yield(compile.Other{Addrs: []netip.Addr{p.Record.Address4}, Class: p.Class, User: p.User, Routes: p.Routes()}) {
				return
			}
		}
		for p := range m.table.Plains() {
			if !yield(compile.Other{Addrs: []netip.Addr{p.Address4}, Class: p.Class}) {
				return
			}
		}
	}).At(s.now())
	return must[*filter.Set](s.T)(filter.New(spec))
}

const (
	https = 6<<16 | 443
	ssh   = 6<<16 | 22
)

func TestADocumentDecidesWhoSeesWhom(t *testing.T) {
	play(t, func(s *scene) {
		s.user("ann@a.org")
		ann, web, other := s.here("ann", owned("ann@a.org")), s.here("web", tagged("tag:web")), s.here("other")
		s.sees(ann, "other+", "web+")
		s.policy(`{"tagOwners": {"tag:web": []}, "acls": [{"src": ["ann@a.org"], "dst": ["tag:web:443"]}]}`)
		s.sees(ann, "web+")
		s.sees(web, "ann+")
		s.sees(other)
		if ann.peer(web).Class == 0 || web.peer(ann).User != "ann@a.org" || ann.peer(web).User != "" {
			t.Errorf("%+v, %+v", ann.peer(web), web.peer(ann))
		}
		if a, b, c := s.may(ann, web, https), s.may(ann, web, ssh), s.may(web, ann, https); a != filter.Allowed || b != filter.NoRule || c != filter.NoRule {
			t.Errorf("%v %v %v", a, b, c)
		}
		s.policy(`{"acls": []}`)
		s.sees(ann)
		s.sees(web)
		s.policy(`{"acls": [{"src": ["*"], "dst": ["*:22"]}]}`)
		s.sees(other, "ann+", "web+")
		if a, b := s.may(other, web, https), s.may(other, web, ssh); a != filter.NoRule || b != filter.Allowed {
			t.Errorf("%v %v", a, b)
		}
	})
}

func TestGroupsAndTagsMoveNodes(t *testing.T) {
	play(t, func(s *scene) {
		s.user("ann@a.org")
		s.user("bob@a.org", "group:ops")
		ann, bob := s.here("ann", owned("ann@a.org")), s.here("bob", owned("bob@a.org"))
		db := s.here("db")
		s.policy(`{"tagOwners": {"tag:db": []}, "acls": [{"src": ["group:ops"], "dst": ["tag:db:*"]}]}`)
		s.sees(bob)
		must[store.Node](t)(s.own.SetNodeTags(s.Context(), me, db.node.ID, []string{"tag:db"}, 0))
		s.settle()
		s.sees(bob, "db+")
		s.sees(ann)
		s.user("ann@a.org", "group:ops")
		s.sees(ann, "db+")
		s.sees(db, "ann+", "bob+")
		s.user("bob@a.org")
		s.sees(bob)
		s.sees(db, "ann+")
		must[store.Node](t)(s.own.SetNodeTags(s.Context(), me, db.node.ID, nil, 0))
		s.settle()
		s.sees(ann)
		s.ok(s.own.DeleteGroup(s.Context(), me, "group:ops")) // the document still names it
		s.restarts()
		bob.dial()
		db.dial()
		s.settle()
		s.sees(bob)
		s.sees(db)
	})
}

func TestAJoinChangesNobodysRules(t *testing.T) {
	play(t, func(s *scene) {
		s.policy(`{"tagOwners": {"tag:web": []}, "acls": [{"src": ["*"], "dst": ["tag:web:443"]}]}`)
		all := []*machine{s.here("a"), s.here("b"), s.here("w", tagged("tag:web"))}
		var names []uint64
		for _, m := range all {
			names = append(names, m.table.Rules().Name)
		}
		before := all[0].line.rules()
		s.here("c")
		s.here("v", tagged("tag:web"))
		for i, m := range all {
			if m.table.Rules().Name != names[i] {
				t.Errorf("%s has other rules", m.name)
			}
		}
		if n := all[0].line.rules(); n != before {
			t.Errorf("%d times rules, %d before", n, before)
		}
		s.sees(all[0], "v+", "w+")
		if a := s.may(all[0], all[2], https); a != filter.Allowed {
			t.Error(a)
		}
	})
}

// rules is how many maps with rules have arrived.
func (l *line) rules() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.got {
		if f.GetMap().GetRulesName() != 0 {
			n++
		}
	}
	return n
}

func TestARestartTellsNobodyRulesAnew(t *testing.T) {
	play(t, func(s *scene) {
		s.user("ann@a.org", "group:ops")
		s.policy(`{"tagOwners": {"tag:web": []}, "acls": [{"src": ["group:ops"], "dst": ["tag:web:443"]}, {"src": ["*"], "dst": ["tag:web:80"], "when": {"days": "mon-fri"}}]}`)
		all := []*machine{s.here("a", owned("ann@a.org")), s.here("b"), s.here("w", tagged("tag:web"))}
		s.restarts()
		for _, m := range all {
			l := m.dial()
			s.settle()
			if n := l.rules(); n != 0 {
				t.Errorf("%s got rules anew", m.name)
			}
			if frames, bytes := l.mapped(); bytes > 300 {
				t.Errorf("%s: %d frames, %d bytes", m.name, frames, bytes)
			}
		}
		s.sees(all[0], "w+")
	})
}

func TestTheHubKnowsWhoAppliesADocument(t *testing.T) {
	play(t, func(s *scene) {
		s.here("a")
		b := s.here("b")
		b.lazy = true
		c := s.machine("c")
		p := s.policy(`{"acls": [{"src": ["*"], "dst": ["*:443"]}]}`)
		got := s.hub.Applied(s.tenant, s.office.ID)
		if got.Number != p.Number || got.Nodes != 2 || got.Affected != 2 || got.Current != 1 || got.Max > time.Second {
			t.Fatalf("%+v", got)
		}
		b.lazy = false
		b.dial()
		c.dial()
		s.settle()
		if got := s.hub.Applied(s.tenant, s.office.ID); got.Current != 3 || got.Nodes != 3 {
			t.Fatalf("%+v", got)
		}
		s.policy(`{"acls": [{"src": ["*"], "dst": ["*:443"], "description": "the same in other words"}]}`)
		if got := s.hub.Applied(s.tenant, s.office.ID); got.Affected != 0 || got.Current != 3 {
			t.Fatalf("%+v", got)
		}
	})
}

// An earlier version has taken what this one refuses. A document that is in force is read all the same: without it nothing of its tenant would work.
func TestADocumentOfAnEarlierVersionIsRead(t *testing.T) {
	doc, err := parse([]byte(`{"acls": [{"action": "deny", "src": ["*@a.org"], "dst": ["*:*"]}, {"src": ["user:*"], "dst": ["*:*"]}, {"src": ["*"], "dst": ["*:22"]}]}`))
	if err != nil || len(doc.Rules) != 3 {
		t.Fatal(doc, err)
	}
	if _, err := parse([]byte(`{"ssh": [], "acls": 5}`)); err == nil || !strings.Contains(err.Error(), "not a list") {
		t.Errorf("the error is not told: %v", err)
	}
}

func TestAskAnswersAboutTheNetworkAsItIs(t *testing.T) {
	play(t, func(s *scene) {
		a, b := s.here("a"), s.here("b")
		var sees bool
		ask := func() bool {
			s.ok(s.hub.Ask(s.Context(), s.tenant, s.office.ID, func(n *compile.Network) { sees = n.Sees(a.node.ID, b.node.ID) }))
			return sees
		}
		if !ask() {
			t.Error("an open network hides a node")
		}
		s.policy(`{"acls": []}`)
		if ask() {
			t.Error("a closed network shows a node")
		}
		if err := s.hub.Ask(s.Context(), s.tenant, ident.New[ident.Network](), nil); err == nil || !strings.Contains(err.Error(), "not found") {
			t.Error(err)
		}
	})
}

// TestAQuestionHidesNobody: who asks about nodes that there are not yet makes the policy tell them apart, and the first such node is seen all the same.
func TestAQuestionHidesNobody(t *testing.T) {
	play(t, func(s *scene) {
		web, pc := s.here("web"), s.here("pc")
		s.policy(`{"tagOwners": {"tag:web": []}, "acls": [{"src": ["*"], "dst": ["*:*"]}, {"src": ["*"], "dst": ["tag:web:443"]}]}`)
		s.ok(s.hub.Ask(s.Context(), s.tenant, s.office.ID, func(n *compile.Network) {
			n.PlanBetween(compile.Node{Tags: []string{"tag:web"}}, compile.Node{Routes: prefixes("10.20.0.0/16")})
		}))
		must[store.Node](t)(s.own.SetNodeTags(s.Context(), me, web.node.ID, []string{"tag:web"}, 0))
		s.settle()
		s.sees(pc, "web+")
		s.sees(web, "pc+")
	})
}

func TestPolicyIsAboutPlainDevicesToo(t *testing.T) {
	play(t, func(s *scene) {
		a := s.here("a")
		p := must[store.Plain](t)(s.own.CreatePlain(s.Context(), me, store.Plain{Network: s.office.ID, Name: "printer", WG: key.NewWGPrivate().Public(), Nodes: []ident.Node{a.node.ID}}))
		s.settle()
		printer := &machine{node: store.Node{Address4: p.Address4}}
		if got := s.may(a, printer, https); got != filter.Allowed {
			t.Fatal(got)
		}
		s.policy(`{"hosts": {"printer": "` + p.Address4.String() + `"}, "acls": [{"src": ["*"], "dst": ["printer:631"]}]}`)
		if a, b := s.may(a, printer, https), s.may(a, printer, 6<<16|631); a != filter.NoRule || b != filter.Allowed {
			t.Fatal(a, b)
		}
		s.restarts()
		a.dial()
		s.settle()
		if got := s.may(a, printer, 6<<16|631); got != filter.Allowed {
			t.Fatal(got)
		}
	})
}

// TestManyEditsKeepUp lets a node be away while documents come and go.
func TestManyEditsKeepUp(t *testing.T) {
	play(t, func(s *scene) {
		a, b, c := s.here("a"), s.here("b", tagged("tag:b")), s.here("c", tagged("tag:c"))
		away := a.line
		for i := range 30 {
			to := []string{"tag:b", "tag:c"}[i%2]
			s.policy(`{"tagOwners": {"tag:b": [], "tag:c": []}, "acls": [{"src": ["autogroup:member"], "dst": ["` + to + `:*"]}]}`)
			switch i {
			case 3:
				away.hangUp()
			case 7, 25:
				a.dial()
				s.settle()
			case 15:
				s.restarts()
				b.dial()
				c.dial()
				s.settle()
			}
		}
		s.sees(a, "c+")
		s.sees(b)
		s.sees(c, "a+")
	})
}
