package compile

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/policy/filter"
)

func (w world) network(t testing.TB, n int) (*Network, []Node) {
	doc := parse(t, w.document())
	net := New(doc, overlay...)
	for _, u := range w.users() {
		net.PutUser(u, nil)
	}
	var nodes []Node
	for i := range n {
		nodes = append(nodes, w.node(i+1))
		net.Put(nodes[i], nil)
	}
	return net, nodes
}

// asTold is the plan that a node makes of what it is told: its charter as it travels, and the peers in its map.
func asTold(t *testing.T, n *Network, x *Node) *Plan {
	t.Helper()
	class, ok := n.Class(x)
	if !ok {
		t.Fatal("no class")
	}
	b, _ := n.Charter(class, 7).Encode()
	c, err := DecodeCharter(b, time.LoadLocation)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := c.Encode(); !bytes.Equal(b, again) {
		t.Fatalf("decoded and encoded again:\n%x\n%x", b, again)
	}
	return c.Plan(3, Other{Addrs: x.Addrs, User: x.owner(), Routes: x.Routes}, func(yield func(Other) bool) {
		for _, id := range n.Peers(x.ID, nil) {
			p := n.nodes[id]
			if !yield(Other{p.Addrs, n.ClassName(p.class), p.owner(), p.Routes}) {
				return
			}
		}
	})
}

// TestWhatANodeMakesOfItsCharterIsItsPlan compares with Plan, which other tests hold to the text of the document.
func TestWhatANodeMakesOfItsCharterIsItsPlan(t *testing.T) {
	answers := map[filter.Reason]int{}
	for seed := range uint64(40) {
		w := world{rand.New(rand.NewPCG(seed, 5))}
		n, nodes := w.network(t, 8)
		for i := range nodes {
			x := &nodes[i]
			want, _ := n.Plan(x.ID, 3)
			got := asTold(t, n, x)
			if err := got.Validate(); err != nil {
				t.Fatal(err)
			}
			for _, at := range instants {
				a, nextA := want.At(at)
				b, nextB := got.At(at)
				if !nextA.IsZero() && (nextB.IsZero() || nextB.After(nextA)) { // earlier is harmless: the charter knows classes of which there is no peer
					t.Fatalf("seed %d: the next change is at %v, want %v", seed, nextB, nextA)
				}
				compareSpecs(t, a, b, x, nodes, answers)
			}
		}
	}
	for _, r := range []filter.Reason{filter.Allowed, filter.NoRule, filter.Denied, filter.NeedsIPsec, filter.UnknownDestination} {
		if answers[r] == 0 {
			t.Errorf("never %v", r)
		}
	}
}

func compareSpecs(t *testing.T, want, got *filter.Spec, x *Node, nodes []Node, answers map[filter.Reason]int) {
	t.Helper()
	a, err := filter.New(want)
	if err != nil {
		t.Fatal(err)
	}
	b, err := filter.New(got)
	if err != nil {
		t.Fatal(err)
	}
	here, there := []netip.Addr{x.Addrs[0]}, []netip.Addr(nil)
	for _, s := range samples {
		here, there = append(here, netip.MustParseAddr(s)), append(there, netip.MustParseAddr(s))
	}
	for j := range nodes {
		there = append(there, nodes[j].Addrs[1])
	}
	ask := func(p filter.Packet) {
		for _, ipsec := range []bool{false, true} {
			for _, dir := range []struct {
				a, b         filter.Reason
				ruleA, ruleB func(*filter.Packet) (uint32, bool)
			}{{a.Out(&p, ipsec), b.Out(&p, ipsec), a.RuleOut, b.RuleOut}, {a.In(&p, ipsec), b.In(&p, ipsec), a.RuleIn, b.RuleIn}} {
				ruleA, okA := dir.ruleA(&p)
				ruleB, okB := dir.ruleB(&p)
				if answers[dir.a]++; dir.a != dir.b || okA != okB || ruleA != ruleB {
					t.Fatalf("%+v: %v by %d, want %v by %d", p, dir.b, ruleB, dir.a, ruleA)
				}
			}
		}
	}
	for _, src := range here {
		for _, dst := range there {
			for _, service := range []uint32{6<<16 | 22, 17<<16 | 443, 6<<16 | 5000} {
				ask(filter.Packet{Src: filter.AddressOf(src), Dst: filter.AddressOf(dst), Proto: uint8(service >> 16), DstPort: uint16(service)})
				ask(filter.Packet{Src: filter.AddressOf(dst), Dst: filter.AddressOf(src), Proto: uint8(service >> 16), DstPort: uint16(service)})
			}
		}
	}
}

func TestSightIsWhatNodesSee(t *testing.T) {
	related := 0
	for seed := range uint64(60) {
		w := world{rand.New(rand.NewPCG(seed, 6))}
		n, nodes := w.network(t, 8)
		s := n.Sight()
		old := map[[2]ident.Node]bool{}
		ask := func() {
			for i := range nodes {
				for j := range nodes {
					a, b := n.nodes[nodes[i].ID], n.nodes[nodes[j].ID]
					same := sameUser(&a.Node, &b.Node)
					if same && s.Related() {
						related++
					}
					got := s.Sees(a.class, b.class, same)
					if i != j && got != n.Sees(a.ID, b.ID) {
						t.Fatalf("seed %d: %+v sees %+v: %v", seed, a, b, got)
					}
					old[[2]ident.Node{a.ID, b.ID}] = got
				}
			}
		}
		ask()
		next, _ := n.Replace(parse(t, w.document()), nil)
		next.Put(w.node(9), nil)
		for i := range nodes {
			for j := range nodes {
				a, b := n.nodes[nodes[i].ID], n.nodes[nodes[j].ID]
				if i != j && s.Sees(a.class, b.class, sameUser(&a.Node, &b.Node)) != old[[2]ident.Node{a.ID, b.ID}] {
					t.Fatalf("seed %d: the old sight has changed", seed)
				}
			}
		}
	}
	if related == 0 {
		t.Error("autogroup:self was never asked")
	}
}

func TestClassNamesSurviveARestart(t *testing.T) {
	for seed := range uint64(30) {
		w := world{rand.New(rand.NewPCG(seed, 7))}
		n, nodes := w.network(t, 8)
		text := w.document()
		n, _ = n.Replace(parse(t, text), nil)
		fresh := New(parse(t, text), overlay...)
		for _, u := range n.users {
			fresh.PutUser(u, nil)
		}
		for _, i := range rand.New(rand.NewPCG(seed, 8)).Perm(len(nodes)) {
			fresh.Put(nodes[i], nil)
		}
		for i := range nodes {
			a, _ := n.Class(&nodes[i])
			b, _ := fresh.Class(&nodes[i])
			if n.ClassName(a) != fresh.ClassName(b) {
				t.Fatalf("seed %d: another name", seed)
			}
			x, nameX := n.Charter(a, 1).Encode()
			y, nameY := fresh.Charter(b, 1).Encode()
			if nameX != nameY || !bytes.Equal(x, y) {
				t.Fatalf("seed %d: another charter\n%x\n%x", seed, x, y)
			}
		}
	}
}

func TestCharterOfTheSameMeaningHasTheSameName(t *testing.T) {
	one := `{"acls": [{"src": ["ann@a.org"], "dst": ["*:22"]}]}`
	two := `{"acls": [{"src": ["tag:z"], "dst": ["tag:z:1"]}, {"src": ["ann@a.org"], "dst": ["*:22"]}], "tagOwners": {"tag:z": []}}`
	name := func(text string) (uint64, *Charter) {
		n := New(parse(t, text), overlay...)
		n.Put(Node{ID: 1, User: "ann@a.org", Addrs: []netip.Addr{netip.MustParseAddr("10.1.0.1")}}, nil)
		n.Put(Node{ID: 2, User: "bob@a.org", Addrs: []netip.Addr{netip.MustParseAddr("10.1.0.2")}}, nil)
		class, _ := n.Class(&Node{ID: 1})
		c := n.Charter(class, uint64(len(text)))
		_, name := c.Encode()
		return name, c
	}
	a, ca := name(one)
	b, cb := name(two)
	if a != b {
		t.Fatalf("%x and %x", a, b)
	}
	if len(ca.Entries) != 1 || ca.Entries[0].Rule != 0 || cb.Entries[0].Rule != 1 {
		t.Fatalf("%+v %+v", ca, cb)
	}
}

func TestBadCharters(t *testing.T) {
	good := &Charter{Number: 1, Rows: []Row{{Class: 5, In: 1}}, Profiles: [][]uint32{nil, {0}}, Entries: []Entry{{Rule: 3}}}
	change := map[string]func(*Charter){
		"profile":  func(c *Charter) { c.Rows[0].Out = 2 },
		"entry":    func(c *Charter) { c.Profiles[1] = []uint32{1} },
		"window":   func(c *Charter) { c.Entries[0].Window = 1 },
		"order":    func(c *Charter) { c.Rows = append(c.Rows, Row{Class: 4}) },
		"twice":    func(c *Charter) { c.Rows = append(c.Rows, Row{Class: 5}) },
		"priority": nil,
	}
	for name, f := range change {
		c := *good
		c.Rows, c.Profiles, c.Entries = slices.Clone(good.Rows), slices.Clone(good.Profiles), slices.Clone(good.Entries)
		if f != nil {
			f(&c)
		}
		b, _ := c.Encode()
		got, err := DecodeCharter(b, time.LoadLocation)
		if (err != nil) != (f != nil) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && !reflect.DeepEqual(got, &c) {
			t.Errorf("%+v became %+v", c, got)
		}
	}
}

func FuzzDecodeCharter(f *testing.F) {
	for seed := range uint64(12) {
		n, nodes := (world{rand.New(rand.NewPCG(seed, 9))}).network(f, 6)
		class, _ := n.Class(&nodes[0])
		b, _ := n.Charter(class, seed).Encode()
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := DecodeCharter(b, func(string) (*time.Location, error) { return time.UTC, nil })
		if err != nil {
			return
		}
		routes := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("::/0")}
		plan := c.Plan(1, Other{Addrs: []netip.Addr{netip.MustParseAddr("10.1.0.1")}, User: "x", Routes: routes}, func(yield func(Other) bool) {
			yield(Other{[]netip.Addr{netip.MustParseAddr("10.1.0.2")}, 1, "x", routes[1:]})
		})
		spec, _ := plan.At(instants[0])
		if _, err := filter.New(spec); err != nil {
			t.Fatal(err)
		}
		again, name := c.Encode()
		if d, err := DecodeCharter(again, func(string) (*time.Location, error) { return time.UTC, nil }); err != nil || name == 0 || !reflect.DeepEqual(c, d) {
			t.Fatalf("%+v became %+v: %v", c, d, err)
		}
	})
}
