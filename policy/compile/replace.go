package compile

import (
	"fmt"
	"maps"
	"slices"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/policy/acl"
)

// Replace compiles another document for the same directory, and appends the nodes for which something changed, in the order of their
// numbers. Both networks answer questions until one of them changes; then the other is not to be used any more.
func (n *Network) Replace(doc *acl.Document, affected []ident.Node) (*Network, []ident.Node) {
	if n.rules.labels.serve(n.doc, doc) {
		return n.rebase(doc, affected)
	}
	next := New(doc, n.rules.labels.overlay...)
	next.users, next.owned, next.addrs = n.users, n.owned, n.addrs
	next.nodes = make(map[ident.Node]*record, len(n.nodes))
	ids := slices.Sorted(maps.Keys(n.nodes))
	for _, id := range ids {
		x := n.nodes[id].Node
		next.place(&record{Node: x, class: next.classify(&x)})
	}
	before, after := n.digester(), next.digester()
	for _, id := range ids {
		if before.node(n.nodes[id]) != after.node(next.nodes[id]) {
			affected = append(affected, id)
		}
	}
	return next, affected
}

// rebase is Replace for a document that mentions nothing new: every node keeps its class, and only what faces match is compiled anew.
func (n *Network) rebase(doc *acl.Document, affected []ident.Node) (*Network, []ident.Node) {
	next := *n
	next.doc, next.rules, next.opened = doc, compileRules(doc, n.rules.labels), map[string]bool{}
	next.faceSets, next.faceDsts = make([]set, len(next.rules.entries)), make([]set, len(next.rules.entries))
	next.faces = make([]face, 0, len(n.faces))
	for i := range n.faces {
		next.match(n.faces[i].labels)
	}
	next.faceIndex, next.classOf = maps.Clone(n.faceIndex), maps.Clone(n.classOf) // questions about nodes that do not exist add to them
	next.classes, next.holders, next.vista = slices.Clone(n.classes), slices.Clone(n.holders), nil
	for i := range next.classes {
		next.classes[i].name = 0
	}
	for i, h := range next.holders {
		next.holders[i] = slices.Clone(h)
	}
	sums := n.faceSums()
	before, after := n.digesterOf(sums), next.digesterOf(sums)
	selfs := len(n.rules.selfs) > 0 || len(next.rules.selfs) > 0
	first := len(affected)
	for i := range n.classes {
		c := &n.classes[i]
		if !selfs && len(c.routed) == 0 {
			if before.main(c.main) != after.main(c.main) {
				affected = append(affected, c.members...)
			}
			continue
		}
		for _, id := range c.members {
			if r := n.nodes[id]; before.node(r) != after.node(r) {
				affected = append(affected, id)
			}
		}
	}
	slices.Sort(affected[first:])
	return &next, affected
}

// maxStale bounds the labels that no rule mentions any more, against those that are in use.
const maxStale = 2

// serve reports whether the labels of one document say all that another one mentions.
func (l *labels) serve(old, doc *acl.Document) bool {
	if !slices.EqualFunc(old.Groups, doc.Groups, func(a, b acl.Group) bool {
		return a.Name == b.Name && slices.Equal(a.Members, b.Members) && slices.Equal(a.Groups, b.Groups)
	}) || !slices.EqualFunc(old.Postures, doc.Postures, func(a, b acl.Posture) bool {
		return a.Name == b.Name && slices.EqualFunc(a.Conditions, b.Conditions, func(c, d acl.Condition) bool {
			return c.Attr == d.Attr && c.Op == d.Op && slices.Equal(c.Values, d.Values)
		})
	}) {
		return false
	}
	used := map[string]bool{}
	ok := true
	mention := func(key string) {
		if key == "" {
			return
		}
		_, known := l.known[key]
		ok = ok && known
		used[key] = true
	}
	for i := range doc.Rules {
		r := &doc.Rules[i]
		for j := range r.Src {
			mention(keyOf(&r.Src[j]))
		}
		for j := range r.Dst {
			mention(keyOf(&r.Dst[j].Selector))
		}
		for _, name := range r.Postures {
			mention(postureKey(name))
		}
	}
	for _, name := range doc.Default {
		mention(postureKey(name))
	}
	return ok && l.n <= maxStale*len(used)+64
}

func postureKey(name string) string { return "posture " + name }

// keyOf names a selector among the labels; "" for what has none.
func keyOf(s *acl.Selector) string {
	switch s.Kind {
	case acl.Nobody, acl.Self:
		return ""
	case acl.Address:
		return fmt.Sprintf("%d %v", s.Kind, s.Prefixes)
	}
	return fmt.Sprintf("%d %s", s.Kind, s.Name)
}
