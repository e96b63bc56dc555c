package compile

import (
	"encoding/binary"

	"github.com/cvlan/cvlan/internal/base/ident"
)

// row adds the faces that may reach a face, or that it may reach.
func (n *Network) row(f uint32, out set) set {
	x := &n.faces[f]
	mine := newSet(len(n.faces))
	denied := newSet(len(n.faces))
	for _, half := range []struct {
		entries []uint32
		others  []set
	}{{x.src, n.faceDsts}, {x.dst, n.faceSets}} {
		for _, e := range half.entries {
			switch r := &n.rules.entries[e]; {
			case !r.Deny:
				mine = mine.or(half.others[e])
			case r.Window == 0:
				denied = denied.or(half.others[e])
			}
		}
	}
	for i := range mine { // of those with a denial, who is left something?
		if i < len(denied) && mine[i]&denied[i] != 0 {
			both := set{mine[i] & denied[i]}
			for d := range both.all() {
				other := &n.faces[i<<6+d]
				if !n.open(x, other, false) && !n.open(other, x, false) {
					mine[i] &^= 1 << d
				}
			}
		}
	}
	return out.or(mine)
}

const maxOpened = 1 << 16

// open reports whether anything may be allowed from one face to another, at some time.
func (n *Network) open(src, dst *face, self bool) bool {
	matched := n.rules.match(src, dst, self, nil)
	allows, denies := false, false
	var entries []*Entry
	var key []byte
	for _, e := range matched {
		r := &n.rules.entries[e]
		if r.Deny && r.Window != 0 {
			continue
		}
		allows, denies = allows || !r.Deny, denies || r.Deny
		entries = append(entries, &r.Entry)
		key = binary.LittleEndian.AppendUint32(key, e)
	}
	if !allows || !denies {
		return allows
	}
	if known, ok := n.opened[string(key)]; ok {
		return known
	}
	if len(n.opened) == maxOpened {
		clear(n.opened)
	}
	left := false
	for _, s := range paint(entries) {
		left = left || !s.Deny
	}
	n.opened[string(key)] = left
	return left
}

// sight are the classes that a node sees, and the nodes that only its user makes visible, or hides.
type sight struct {
	classes set
	owner   string
	related map[ident.Node]bool
}

func (n *Network) sight(r *record) *sight {
	c := &n.classes[r.class]
	s := &sight{owner: r.owner(), classes: n.classesSeen(c)}
	if s.owner != "" && len(n.rules.selfs) > 0 {
		s.related = map[ident.Node]bool{}
		for _, id := range n.owned[s.owner] {
			if id != r.ID {
				s.related[id] = n.between(c, &n.classes[n.nodes[id].class], true)
			}
		}
	}
	return s
}

// classesSeen are the classes that a class sees, users left aside. It is never nil.
func (n *Network) classesSeen(c *class) set {
	faces := n.row(c.main, nil)
	for _, f := range c.routed {
		faces = faces.or(n.row(f, nil))
	}
	classes := newSet(len(n.classes))
	for f := range faces.all() {
		for _, holder := range n.holders[f] {
			classes = classes.add(int(holder))
		}
	}
	return classes
}

// between reports whether anything is open between nodes of two classes.
func (n *Network) between(a, b *class, self bool) bool {
	either := func(x, y uint32, self bool) bool {
		return n.open(&n.faces[x], &n.faces[y], self) || n.open(&n.faces[y], &n.faces[x], self)
	}
	if either(a.main, b.main, self) {
		return true
	}
	for _, x := range a.routed {
		if either(x, b.main, false) {
			return true
		}
	}
	for _, y := range b.routed {
		if either(a.main, y, false) {
			return true
		}
		for _, x := range a.routed {
			if either(x, y, false) {
				return true
			}
		}
	}
	return false
}

// Sees reports whether two nodes see each other.
func (n *Network) Sees(a, b ident.Node) bool {
	x, y := n.nodes[a], n.nodes[b]
	return x != nil && y != nil && a != b && n.between(&n.classes[x.class], &n.classes[y.class], sameUser(&x.Node, &y.Node))
}

// Peers appends the nodes that a node sees.
func (n *Network) Peers(id ident.Node, out []ident.Node) []ident.Node {
	r := n.nodes[id]
	if r == nil {
		return out
	}
	s := n.sight(r)
	return n.expand(out, s, s, id)
}

// audience appends whoever saw a node before or sees it now, and the node.
func (n *Network) audience(out []ident.Node, before *sight, r *record) []ident.Node {
	now := n.sight(r)
	if before == nil {
		before = now
	}
	return append(n.expand(out, before, now, r.ID), r.ID)
}

// expand appends the nodes of two sights, each once, but not the node who looks.
func (n *Network) expand(out []ident.Node, a, b *sight, self ident.Node) []ident.Node {
	classes := append(set(nil), a.classes...).or(b.classes)
	for c := range classes.all() {
		inA, inB := a.classes.has(c), b.classes.has(c)
		for _, id := range n.classes[c].members {
			if id == self {
				continue
			}
			if a.related != nil || b.related != nil {
				if !n.counts(id, a, inA) && !n.counts(id, b, inB) {
					continue
				}
			}
			out = append(out, id)
		}
	}
	for i, s := range []*sight{a, b} {
		for _, id := range n.owned[s.owner] {
			if s.related[id] && !classes.has(int(n.nodes[id].class)) && (i == 0 || !a.related[id]) {
				out = append(out, id)
			}
		}
	}
	return out
}

// counts reports whether a node of a class is in a sight.
func (n *Network) counts(id ident.Node, s *sight, class bool) bool {
	if related, known := s.related[id]; known {
		return related
	}
	return class
}
