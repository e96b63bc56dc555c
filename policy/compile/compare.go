package compile

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/policy/acl"
)

// Crowd are nodes, or prefixes behind routers, to which two documents are the same.
type Crowd struct {
	Nodes  int          // how many
	Sample ident.Node   // one of them
	Behind netip.Prefix // valid: no nodes, but this prefix
}

// Difference is what another document opens or closes from one crowd to another.
type Difference struct {
	Src, Dst       Crowd
	SameUser       bool // only between nodes of one user
	Opened, Closed []acl.Service
}

// MaxDifferences bounds what Compare lists.
const MaxDifferences = 1000

// Compare lists what differs, at an instant, between two documents compiled for the same directory: old.Replace made next, and neither
// has changed since. more is how many differences found no place.
func Compare(old, next *Network, t time.Time) (list []Difference, more int) {
	c := &comparer{old: old, next: next, t: t, lists: map[string][]acl.Service{}}
	crowds := c.crowds()
	for i := range crowds {
		for j := range crowds {
			for _, self := range []bool{false, true} {
				if self && !c.mates[[2]int{i, j}] || !self && i == j && crowds[i].Nodes == 1 {
					continue
				}
				d, ok := c.pair(&crowds[i], &crowds[j], self)
				switch {
				case !ok:
				case len(list) == MaxDifferences:
					more++
				default:
					list = append(list, d)
				}
			}
		}
	}
	return list, more
}

type comparer struct {
	old, next *Network
	t         time.Time
	mates     map[[2]int]bool // crowds with nodes of one user
	lists     map[string][]acl.Service
}

// faced is a Crowd and its face in each network.
type faced struct {
	Crowd
	old, next uint32
}

func (c *comparer) crowds() (out []faced) {
	type faces struct {
		old, next uint32
		behind    bool
	}
	index := map[faces]int{}
	of := map[ident.Node]int{}
	add := func(f faces, x Crowd) int {
		i, ok := index[f]
		if !ok {
			i = len(out)
			index[f] = i
			out = append(out, faced{x, f.old, f.next})
		}
		return i
	}
	ids := make([]ident.Node, 0, len(c.old.nodes))
	for id := range c.old.nodes {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		r, s := c.old.nodes[id], c.next.nodes[id]
		f := faces{old: c.old.classes[r.class].main, next: c.next.classes[s.class].main}
		i := add(f, Crowd{Sample: id})
		out[i].Nodes++
		of[id] = i
		for _, route := range Reach(r.Routes) {
			pieces := append(c.old.rules.labels.split(route), c.next.rules.labels.split(route)...)
			slices.SortFunc(pieces, func(a, b netip.Prefix) int { return cmp.Or(a.Addr().Compare(b.Addr()), a.Bits()-b.Bits()) })
			for _, p := range slices.Compact(pieces) {
				add(faces{c.old.face(c.old.rules.labels.behind(p)), c.next.face(c.next.rules.labels.behind(p)), true}, Crowd{Behind: p})
			}
		}
	}
	c.mate(of)
	return out
}

// mate notes which crowds have nodes of one user, if any document asks.
func (c *comparer) mate(of map[ident.Node]int) {
	c.mates = map[[2]int]bool{}
	if len(c.old.rules.selfs) == 0 && len(c.next.rules.selfs) == 0 {
		return
	}
	for _, ids := range c.old.owned {
		seen := map[int]int{}
		for _, id := range ids {
			seen[of[id]]++
		}
		for i, n := range seen {
			for j := range seen {
				if i != j || n > 1 {
					c.mates[[2]int{i, j}] = true
				}
			}
		}
	}
}

// pair compares what one crowd may do to another.
func (c *comparer) pair(src, dst *faced, self bool) (d Difference, differs bool) {
	before := c.allowed(c.old, "o", src.old, dst.old, self)
	after := c.allowed(c.next, "n", src.next, dst.next, self)
	if slices.Equal(before, after) {
		return d, false
	}
	if self { // told already, if it is the same for everybody
		all := c.allowed(c.old, "o", src.old, dst.old, false)
		if slices.Equal(before, all) && slices.Equal(after, c.allowed(c.next, "n", src.next, dst.next, false)) {
			return d, false
		}
	}
	d = Difference{Src: src.Crowd, Dst: dst.Crowd, SameUser: self, Opened: without(after, before), Closed: without(before, after)}
	return d, true
}

// allowed is what passes from one face to another, merged.
func (c *comparer) allowed(n *Network, which string, src, dst uint32, self bool) (out []acl.Service) {
	matched := n.rules.match(&n.faces[src], &n.faces[dst], self, nil)
	if len(matched) == 0 {
		return nil
	}
	key := []byte(which)
	for _, e := range matched {
		key = append(key, byte(e), byte(e>>8), byte(e>>16), byte(e>>24))
	}
	if known, ok := c.lists[string(key)]; ok {
		return known
	}
	var entries []*Entry
	for _, e := range matched {
		if x := &n.rules.entries[e].Entry; x.Window == 0 || n.rules.windows[x.Window-1].Active(c.t) {
			entries = append(entries, x)
		}
	}
	for _, s := range paint(entries) {
		if last := len(out) - 1; !s.Deny && last >= 0 && out[last].Last+1 == s.First {
			out[last].Last = s.Last
		} else if !s.Deny {
			out = append(out, acl.Service{First: s.First, Last: s.Last})
		}
	}
	c.lists[string(key)] = out
	return out
}

// without returns what of a is not in b. Both are sorted and merged.
func without(a, b []acl.Service) (out []acl.Service) {
	for _, x := range a {
		for len(b) > 0 && b[0].Last < x.First {
			b = b[1:]
		}
		for _, y := range b {
			if y.First > x.Last {
				break
			}
			if y.First > x.First {
				out = append(out, acl.Service{First: x.First, Last: y.First - 1})
			}
			x.First = y.Last + 1
		}
		if x.First <= x.Last {
			out = append(out, x)
		}
	}
	return out
}
