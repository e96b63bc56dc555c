package compile

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/proto/control"
)

// What Unmet says of a pair is what its filter wants and its two nodes have not.
func TestUnmetIsWhatTheFiltersComeTo(t *testing.T) {
	met, unmet, apart := 0, 0, 0
	for seed := range uint64(60) {
		w := world{rand.New(rand.NewPCG(seed, 11))}
		n, nodes := w.network(t, 8)
		for i := range nodes {
			nodes[i].Speaks = []control.Tunnels{0, 0, control.WireGuard, control.IPsec, control.WireGuard | control.IPsec}[w.IntN(5)]
			n.Put(nodes[i], nil)
		}
		var want []string
		for i := range nodes {
			for j := i + 1; j < len(nodes); j++ {
				x, y := &n.nodes[nodes[i].ID].Node, &n.nodes[nodes[j].ID].Node
				if !slices.Contains(n.Peers(x.ID, nil), y.ID) {
					continue
				}
				pair := func(required bool) { want = append(want, fmt.Sprint(min(x.ID, y.ID), max(x.ID, y.ID), required)) }
				switch both := x.Common(y); {
				case both == 0:
					pair(false)
					apart++
				case both&control.IPsec == 0 && onlyIPsec(n, x, y):
					pair(true)
					unmet++
				default:
					met++
				}
			}
		}
		list, all := n.Unmet(1000, everyPair)
		var got []string
		for _, u := range list {
			got = append(got, fmt.Sprint(min(u.A, u.B), max(u.A, u.B), u.Required))
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) || all != len(list) {
			t.Fatalf("seed %d: %v, want %v", seed, got, want)
		}
		if few, all := n.Unmet(1, everyPair); len(few) != min(1, len(list)) || all != len(list) {
			t.Fatalf("seed %d: %d of %d, want one of %d", seed, len(few), all, len(list))
		}
	}
	if met == 0 || unmet == 0 || apart == 0 {
		t.Errorf("%d pairs can speak, %d not as required, %d not at all: the worlds are too dull", met, unmet, apart)
	}
}

func everyPair(_, _ ident.Node) bool { return true }

// onlyIPsec asks what the filter of a pair is made of.
func onlyIPsec(n *Network, x, y *Node) bool {
	plan := n.PlanBetween(*x, *y)
	return plan.In[plan.Remote[0].Class].IPsec
}
