package compile

import (
	"cmp"
	"slices"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/proto/control"
)

// maxUnmet bounds the pairs of nodes that Unmet looks at.
const maxUnmet = 20_000

// Unmet is a pair of nodes that rules let speak, and that cannot.
type Unmet struct {
	A, B     ident.Node
	Required bool // a rule requires IPsec of them; else they have no tunnel protocol in common at all
}

// Unmet lists pairs of nodes that rules let speak with each other, and that have not the protocol for it, in the order of identifiers, and tells how many
// there are. It looks at the nodes that do not speak every protocol; of a network where those see very many it finds only some. counts leaves out
// pairs that are none whatever the rules say.
func (n *Network) Unmet(most int, counts func(a, b ident.Node) bool) (list []Unmet, all int) {
	var choosy []ident.Node
	for id, r := range n.nodes {
		if r.speaks() != control.WireGuard|control.IPsec {
			choosy = append(choosy, id)
		}
	}
	slices.Sort(choosy)
	charters := map[uint32]*Charter{}
	looked := 0
	for _, id := range choosy {
		x := n.nodes[id]
		peers := n.Peers(id, nil)
		slices.SortFunc(peers, cmp.Compare[ident.Node])
		for _, other := range peers {
			if looked++; looked > maxUnmet {
				return list, all
			}
			y := n.nodes[other]
			if other < id && y.speaks() != control.WireGuard|control.IPsec {
				continue // told from its side
			}
			if !counts(id, other) {
				continue
			}
			u := Unmet{A: id, B: other}
			if both := x.Common(&y.Node); both != 0 {
				if both&control.IPsec != 0 || !n.needsIPsec(charters, x, y) {
					continue
				}
				u.Required = true
			}
			if all++; len(list) < most {
				list = append(list, u)
			}
		}
	}
	return list, all
}

// needsIPsec reports whether two nodes may speak by IPsec only. Charters are made once for a class.
func (n *Network) needsIPsec(made map[uint32]*Charter, x, y *record) bool {
	c := made[x.class]
	if c == nil {
		c = n.Charter(x.class, 0)
		made[x.class] = c
	}
	return c.NeedsIPsec(x.owner(), Other{Class: n.ClassName(y.class), User: y.owner()})
}
