package view

import (
	"maps"
	"slices"

	"github.com/cvlan/cvlan/internal/base/ident"
)

// Change says what a call has changed for whom. The zero Change concerns nobody.
type Change struct {
	network *network
	node    ident.Node
	m       *member // that node's
	device  *device
	scope   scope
}

type scope uint8

const (
	nobody   scope = iota
	itself         // the node alone
	others         // whoever sees the node
	everyone       // both; without a node, all of the network
	named          // the nodes of a plain device
	seers          // whoever sees peers, in all networks
	all            // everybody, in all networks
)

// IsZero reports whether the change concerns nobody.
func (c Change) IsZero() bool { return c.scope == nobody }

// Audience appends to dst the nodes that are to be told of a change, by what they may see now: call Next of their sessions. A
// node that the change has removed is among them, to be sent away. The order is the same for the same history.
func (v *View) Audience(dst []ident.Node, c Change) []ident.Node {
	if c.scope == named {
		for _, id := range c.device.nodes {
			if m := v.members[id]; m != nil && m.sees() {
				dst = append(dst, id)
			}
		}
		return dst
	}
	if c.scope == seers || c.scope == all {
		return v.abroad(dst, c.scope == all)
	}
	if c.scope == itself || c.scope == everyone && !c.node.IsZero() {
		dst = append(dst, c.node)
	}
	if c.scope != others && c.scope != everyone {
		return dst
	}
	for _, m := range c.network.members {
		if m.id != c.node && (c.node.IsZero() || m.sees() && c.concerns(m)) {
			dst = append(dst, m.id)
		}
	}
	return dst
}

// concerns reports whether a member is shown the node of the change, or may have been before it.
func (c Change) concerns(m *member) bool {
	sight := m.network.sight
	if sight == nil || shows(sight, m.stand, c.m.stand) {
		return true
	}
	if c.scope == everyone {
		for i := range c.m.past {
			if shows(sight, m.stand, c.m.past[i].stand) {
				return true
			}
		}
	}
	return false
}

// abroad appends everybody of all networks who sees peers, and with blind the others too.
func (v *View) abroad(dst []ident.Node, blind bool) []ident.Node {
	for _, id := range slices.Sorted(maps.Keys(v.networks)) {
		for _, m := range v.networks[id].members {
			if blind || m.sees() {
				dst = append(dst, m.id)
			}
		}
	}
	return dst
}
