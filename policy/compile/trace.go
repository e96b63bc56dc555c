package compile

import (
	"net/netip"
	"slices"
	"time"

	"github.com/cvlan/cvlan/policy/acl"
)

// Side is one end of a packet: a node, or an address behind it. The node need not be in the directory.
type Side struct {
	Node Node
	Addr netip.Addr // valid: an address in one of the node's routes
}

// labelsAt finds the labels of a side.
func (n *Network) labelsAt(s *Side) set {
	if !s.Addr.IsValid() {
		return n.labelsOf(&s.Node)
	}
	return n.rules.labels.behind(n.piece(s))
}

// piece is the longest prefix that a side's address is in, among the pieces of its node's routes.
func (n *Network) piece(s *Side) (longest netip.Prefix) {
	for _, r := range Reach(s.Node.Routes) {
		if !r.Contains(s.Addr) {
			continue
		}
		for _, p := range n.rules.labels.split(r) {
			if p.Contains(s.Addr) && (!longest.IsValid() || p.Bits() > longest.Bits()) {
				longest = p
			}
		}
	}
	return longest
}

// Match says which parts of a rule match a packet. The rule matches if all do.
type Match struct {
	Rule                       int // number in the document
	Src, Dst, Posture, Service bool
	Active                     bool // its window is open, or it has none
	Foreign                    bool // it is about other protocols altogether
}

// All reports whether the rule matches.
func (m Match) All() bool { return m.Src && m.Dst && m.Posture && m.Service && m.Active }

// Trace holds every rule against a packet, in the order of the document. Of a rule with several destinations it tells about the one
// that matches best.
func (n *Network) Trace(src, dst Side, service uint32, t time.Time) []Match {
	from, to := n.labelsAt(&src), n.labelsAt(&dst)
	self := !src.Addr.IsValid() && !dst.Addr.IsValid() && sameUser(&src.Node, &dst.Node)
	out := make([]Match, len(n.doc.Rules))
	for i := range out {
		out[i].Rule = i
	}
	for i := range n.rules.entries {
		e := &n.rules.entries[i]
		m := Match{
			Rule: int(e.Rule), Src: e.src.meets(from), Dst: e.dst.meets(to) || e.self && self,
			Posture: len(e.postures) == 0 || e.postures.meets(from),
			Service: slices.ContainsFunc(e.Services, func(s acl.Service) bool { return s.First <= service && service <= s.Last }),
			Active:  e.Window == 0 || n.rules.windows[e.Window-1].Active(t),
			Foreign: !slices.ContainsFunc(e.Services, func(s acl.Service) bool { return s.First>>16 <= service>>16 && service>>16 <= s.Last>>16 }),
		}
		if m.rank() >= out[e.Rule].rank() {
			out[e.Rule] = m
		}
	}
	return out
}

// rank orders the matches of one rule's destinations.
func (m Match) rank() (n int) {
	for i, ok := range []bool{m.Service, m.Dst, m.Src} {
		if ok {
			n |= 1 << i
		}
	}
	return n
}

// Routers returns the nodes whose longest route contains an address, in the order of their numbers.
func (n *Network) Routers(a netip.Addr) (out []Node) {
	bits := -1
	for _, r := range n.nodes {
		for _, p := range Reach(r.Routes) {
			if !p.Contains(a) || p.Bits() < bits {
				continue
			}
			if p.Bits() > bits {
				bits, out = p.Bits(), out[:0]
			}
			out = append(out, r.Node)
		}
	}
	slices.SortFunc(out, func(a, b Node) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return slices.CompactFunc(out, func(a, b Node) bool { return a.ID == b.ID })
}

// NodesOf returns a user's nodes without tags, in the order in which they came.
func (n *Network) NodesOf(login string) (out []Node) {
	for _, id := range n.owned[(&Node{User: login}).owner()] {
		out = append(out, n.nodes[id].Node)
	}
	return out
}

// Knows reports whether a tag is one that the document lists, or that a node has.
func (n *Network) Knows(tag string) bool {
	if slices.ContainsFunc(n.doc.TagOwners, func(o acl.TagOwner) bool { return o.Tag == tag }) {
		return true
	}
	for _, r := range n.nodes {
		if slices.Contains(r.Tags, tag) {
			return true
		}
	}
	return false
}

// Idle returns the rules that concern nobody now: none of their sources exists, or none of their destinations. An author may want to know.
func (n *Network) Idle() (out []int) {
	var used set
	for i := range n.classes {
		if c := &n.classes[i]; len(c.members) > 0 {
			used = used.add(int(c.main))
			for _, f := range c.routed {
				used = used.add(int(f))
			}
		}
	}
	busy := make([]bool, len(n.doc.Rules))
	for i := range n.rules.entries {
		e := &n.rules.entries[i]
		if n.faceSets[i].meets(used) && (e.self || n.faceDsts[i].meets(used)) {
			busy[e.Rule] = true
		}
	}
	for i, b := range busy {
		if !b {
			out = append(out, i)
		}
	}
	return out
}
