package compile

import (
	"math/rand/v2"
	"testing"
)

// Each of two nodes finds in its own charter whether a rule requires IPsec between them. They must not differ: nothing is negotiated.
func TestBothEndsFindTheSameRequirement(t *testing.T) {
	found := map[bool]int{}
	for seed := range uint64(60) {
		w := world{rand.New(rand.NewPCG(seed, 9))}
		n, nodes := w.network(t, 8)
		charter := func(x *Node) *Charter {
			class, _ := n.Class(x)
			return n.Charter(class, 1)
		}
		other := func(x *Node) Other {
			r := n.nodes[x.ID]
			return Other{Addrs: x.Addrs, Class: n.ClassName(r.class), User: r.owner(), Routes: x.Routes}
		}
		for i := range nodes {
			for _, id := range n.Peers(nodes[i].ID, nil) {
				x, y := &n.nodes[nodes[i].ID].Node, &n.nodes[id].Node
				here, there := charter(x).NeedsIPsec(x.owner(), other(y)), charter(y).NeedsIPsec(y.owner(), other(x))
				if here != there {
					t.Errorf("seed %d: %v to %v requires %v, the way back %v", seed, x.ID, y.ID, here, there)
				}
				plan := n.PlanBetween(*x, *y)
				at := plan.Remote[0].Class
				if pair := plan.In[at]; pair.IPsec != here {
					t.Errorf("seed %d: the filter wants %v between %v and %v, the charter %v", seed, pair.IPsec, x.ID, y.ID, here)
				}
				found[here]++
			}
		}
	}
	if found[true] < 20 || found[false] < 20 {
		t.Errorf("%v", found)
	}
}
