package compile

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/policy/acl"
	"github.com/cvlan/cvlan/policy/filter"
)

var instants = []time.Time{
	time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC), time.Date(2026, 11, 28, 3, 0, 0, 0, time.UTC), time.Date(2026, 11, 29, 23, 0, 0, 0, time.UTC),
}

// TestCompiledDecidesAsTheTextSays is the property that everything rests on: visibility and every node's filter are what the document
// says, read rule by rule.
func TestCompiledDecidesAsTheTextSays(t *testing.T) {
	seen := map[filter.Reason]int{}
	for seed := range uint64(80) {
		w := world{rand.New(rand.NewPCG(seed, 1))}
		doc := parse(t, w.document())
		ref := &reference{doc, w.users()}
		n := New(doc, overlay...)
		for _, u := range ref.users {
			n.PutUser(u, nil)
		}
		var nodes []Node
		for i := range 7 {
			nodes = append(nodes, w.node(i+1))
			n.Put(nodes[i], nil)
		}
		for i := range nodes {
			a := &nodes[i]
			plan, _ := n.Plan(a.ID, 3)
			if err := plan.Validate(); err != nil {
				t.Fatal(err)
			}
			peers := n.Peers(a.ID, nil)
			for j := range nodes {
				b := &nodes[j]
				want := i != j && ref.sees(a, b)
				if got := n.Sees(a.ID, b.ID); got != want || slices.Contains(peers, b.ID) != want {
					t.Fatalf("seed %d: %+v sees %+v: %v, in the list %v, want %v", seed, a, b, got, slices.Contains(peers, b.ID), want)
				}
			}
			if len(slices.Compact(slices.Sorted(slices.Values(peers)))) != len(peers) {
				t.Fatalf("seed %d: twice among the peers: %v", seed, peers)
			}
			for _, at := range instants {
				checkFilter(t, seed, w, ref, plan, nodes, i, at, seen)
			}
		}
	}
	for _, r := range []filter.Reason{filter.Allowed, filter.NoRule, filter.Denied, filter.UnknownSource, filter.NeedsIPsec} {
		if seen[r] == 0 {
			t.Errorf("never %v", r)
		}
	}
}

// checkFilter asks one node's filter about packets of all sorts, and the reference about the same.
func checkFilter(t *testing.T, seed uint64, w world, ref *reference, plan *Plan, nodes []Node, me int, at time.Time, seen map[filter.Reason]int) {
	t.Helper()
	spec, _ := plan.At(at)
	set, err := filter.New(spec)
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	a := &nodes[me]
	for _, mine := range parties(a) {
		for j := range nodes {
			b := &nodes[j]
			if me == j || !ref.sees(a, b) {
				continue
			}
			for _, other := range parties(b) {
				if mine.behind && mine.addr == other.addr || owned(nodes, other) || owned(nodes, mine) {
					continue
				}
				p := filter.Packet{Src: filter.AddressOf(other.addr), Dst: filter.AddressOf(mine.addr), Proto: []uint8{6, 17, 1, 47}[w.IntN(4)], DstPort: []uint16{22, 80, 443, 53, 5000, 65535}[w.IntN(6)]}
				want, rule := ref.decide(other, mine, p.Service(), at)
				if want == filter.Allowed && needsAny(ref, a, nodes, other) {
					want = filter.NeedsIPsec
				}
				got := set.In(&p, false)
				number, known := set.RuleIn(&p)
				seen[got]++
				if got != want || known != (rule >= 0) || known && int(number) != rule {
					t.Fatalf("seed %d at %v: %v from %+v to %+v: %v by %d, want %v by %d", seed, at, p, other, mine, got, number, want, rule)
				}
				p.Src, p.Dst = p.Dst, p.Src
				want, rule = ref.decide(mine, other, p.Service(), at)
				if want == filter.Allowed && needsAny(ref, a, nodes, other) {
					want = filter.NeedsIPsec
				}
				if got := set.Out(&p, false); got != want {
					t.Fatalf("seed %d at %v: %v out: %v, want %v by %d", seed, at, p, got, want, rule)
				}
				if want == filter.NeedsIPsec && set.Out(&p, true) != filter.Allowed {
					t.Fatalf("seed %d: IPsec does not help", seed)
				}
			}
		}
	}
	stranger := filter.Packet{Src: filter.AddressOf(netip.MustParseAddr("fe80::1")), Dst: filter.AddressOf(a.Addrs[0]), Proto: 6}
	seen[set.In(&stranger, true)]++
}

// owned reports whether an address behind a router is in truth a node's, which is who answers then.
func owned(nodes []Node, p party) bool {
	return p.behind && slices.ContainsFunc(nodes, func(n Node) bool { return slices.Contains(n.Addrs, p.addr) })
}

// needsAny reports whether IPsec is needed towards a party, or towards a router of the longest route to it.
func needsAny(ref *reference, a *Node, nodes []Node, p party) bool {
	if !p.behind {
		return ref.needsIPsec(a, p.node)
	}
	longest, needs := -1, false
	for i := range nodes {
		b := &nodes[i]
		if b.ID == a.ID || !ref.sees(a, b) {
			continue
		}
		for _, r := range b.Routes {
			if leads(r, p.addr) && r.Bits() >= longest {
				needs = ref.needsIPsec(a, b) || needs && r.Bits() == longest
				longest = r.Bits()
			}
		}
	}
	return needs
}

// TestChangesAddUp makes random changes, and compares with a network that was made at once; whoever's plan changed must have been
// told.
func TestChangesAddUp(t *testing.T) {
	total := 0
	for seed := range uint64(25) {
		w := world{rand.New(rand.NewPCG(seed, 2))}
		text := w.document()
		doc := parse(t, text)
		n := New(doc, overlay...)
		rebased := 0
		nodes := map[ident.Node]Node{}
		users := map[string]User{}
		before := map[ident.Node]*Plan{}
		for step := range 25 {
			var told []ident.Node
			switch id := ident.Node(1 + w.IntN(7)); w.IntN(5) {
			case 0:
				told = n.Remove(id, nil)
				delete(nodes, id)
			case 1:
				u := w.users()[w.IntN(3)]
				users[u.Login] = u
				told = n.PutUser(u, nil)
			case 2:
				text = w.edited(text)
				if w.IntN(3) == 0 {
					text = w.document()
				}
				doc = parse(t, text)
				if n.rules.labels.serve(n.Document(), doc) {
					rebased++
				}
				n, told = n.Replace(doc, nil)
			default:
				nodes[id] = w.node(int(id))
				told = n.Put(nodes[id], nil)
			}
			fresh := New(doc, overlay...)
			for _, login := range slices.Sorted(maps.Keys(users)) {
				fresh.PutUser(users[login], nil)
			}
			for _, id := range slices.Sorted(maps.Keys(nodes)) {
				fresh.Put(nodes[id], nil)
			}
			after := map[ident.Node]*Plan{}
			for id := range nodes {
				got, want := slices.Sorted(slices.Values(n.Peers(id, nil))), slices.Sorted(slices.Values(fresh.Peers(id, nil)))
				if !slices.Equal(got, want) {
					t.Fatalf("seed %d step %d: %v sees %v, want %v", seed, step, id, got, want)
				}
				after[id], _ = fresh.Plan(id, 0)
				if before[id] != nil && !samePlan(before[id], after[id]) && !slices.Contains(told, id) {
					t.Fatalf("seed %d step %d: %v was not told", seed, step, id)
				}
			}
			before = after
		}
		total += rebased
	}
	if total == 0 {
		t.Error("no document was served by the labels of another")
	}
}

// samePlan compares what two plans decide, but for the numbers of rules and the order of things.
func samePlan(a, b *Plan) bool {
	for _, t := range instants {
		x, _ := a.At(t)
		y, _ := b.At(t)
		if !reflect.DeepEqual(meaning(x), meaning(y)) {
			return false
		}
	}
	return true
}

// probed are the addresses at which plans are compared: all nodes', and one in each piece of their routes.
var probed = func() (list []netip.Addr) {
	for i := range 7 {
		list = append(list, netip.AddrFrom4([4]byte{10, 1, 0, byte(i + 1)}), netip.MustParseAddr(fmt.Sprintf("fd00::%x", i+1)))
	}
	for _, a := range samples {
		list = append(list, netip.MustParseAddr(a))
	}
	return list
}()

// meaning spells a Spec out: for each pair of addresses what is allowed. Pairs without anything do not stand in it.
func meaning(s *filter.Spec) map[[2]netip.Addr][2][]filter.Span {
	out := map[[2]netip.Addr][2][]filter.Span{}
	plain := func(p filter.Pair) (list []filter.Span) {
		for _, x := range s.Lists[p.List] {
			if x.Deny {
				continue
			}
			x.Rule = 0
			if p.IPsec {
				x.Rule = 1
			}
			list = extend(list, x)
		}
		return list
	}
	for _, a := range probed {
		l, ok := placeOf(s.Local, a)
		for _, b := range probed {
			r, ok2 := placeOf(s.Remote, b)
			if !ok || !ok2 {
				continue
			}
			i := int(l.Class)*s.Remotes + int(r.Class)
			if v := [2][]filter.Span{plain(s.In[i]), plain(s.Out[i])}; v[0] != nil || v[1] != nil {
				out[[2]netip.Addr{a, b}] = v
			}
		}
	}
	return out
}

func placeOf(places []filter.Place, a netip.Addr) (best filter.Place, ok bool) {
	for _, p := range places {
		if p.Prefix.Contains(a) && (!ok || p.Prefix.Bits() > best.Prefix.Bits()) {
			best, ok = p, true
		}
	}
	return best, ok
}

func TestTheSameCallsGiveTheSamePlans(t *testing.T) {
	build := func() []*Plan {
		w := world{rand.New(rand.NewPCG(77, 1))}
		n := New(parse(t, w.document()), overlay...)
		for _, u := range w.users() {
			n.PutUser(u, nil)
		}
		for i := range 20 {
			n.Put(w.node(i+1), nil)
		}
		var out []*Plan
		for i := range 20 {
			p, _ := n.Plan(ident.Node(i+1), 1)
			out = append(out, p)
		}
		return out
	}
	if a, b := build(), build(); !reflect.DeepEqual(a, b) {
		t.Error("two runs differ")
	}
}

func TestPaintDecidesEveryServiceOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	for range 300 {
		var entries []*Entry
		for i := range r.IntN(12) {
			e := &Entry{Rule: uint32(i), Deny: r.IntN(3) == 0, Priority: int32(r.IntN(3))}
			at := uint32(0)
			for range 1 + r.IntN(3) {
				first := at + uint32(r.IntN(20))
				last := first + uint32(r.IntN(20))
				e.Services = append(e.Services, acl.Service{First: first, Last: last})
				at = last + 2
			}
			entries = append(entries, e)
		}
		spans := paint(entries)
		for v := range uint32(150) {
			var want *Entry
			for _, e := range entries {
				if slices.ContainsFunc(e.Services, func(s acl.Service) bool { return s.First <= v && v <= s.Last }) && (want == nil || e.before(want)) {
					want = e
				}
			}
			i := slices.IndexFunc(spans, func(s filter.Span) bool { return s.First <= v && v <= s.Last })
			if (i >= 0) != (want != nil) || want != nil && (spans[i].Rule != want.Rule || spans[i].Deny != want.Deny) {
				t.Fatalf("%d: %v, want %+v", v, spans, want)
			}
		}
	}
}
