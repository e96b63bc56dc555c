package tray

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/tray/menu"
)

// peersOf are the entries of a network's peers: those with a path in use first, then those online, then the rest, each by name. A
// click copies the address.
func peersOf(n *local.Network) []menu.Entry {
	order := make([]*local.Peer, 0, len(n.Peers))
	for i := range n.Peers {
		if len(n.Peers[i].Addresses) > 0 {
			order = append(order, &n.Peers[i])
		}
	}
	slices.SortStableFunc(order, func(a, b *local.Peer) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	var all []menu.Entry
	for _, p := range order[:min(len(order), maxPeers)] {
		a := p.Addresses[0].String()
		all = append(all, menu.Entry{
			Key: "peer/" + n.ID + "/" + p.ID, Label: mark(p) + " " + name(p.Name) + "  " + a + way(p),
			Action: menu.Action{Verb: menu.Copy, Text: a, Of: "the address of " + name(p.Name)},
		})
	}
	if more := len(order) - len(all); more > 0 {
		all = append(all, line("peers/"+n.ID),
			menu.Entry{Key: "peers/" + n.ID + "/more", Label: fmt.Sprintf("%d more: open in a terminal", more), Action: menu.Action{Verb: menu.Terminal}})
	}
	return all
}

func inUse(p *local.Peer) bool { return p.Path == local.PathDirect || p.Path == local.PathRelay }

func rank(p *local.Peer) int {
	switch {
	case inUse(p):
		return 0
	case p.Online:
		return 1
	}
	return 2
}

func mark(p *local.Peer) string {
	if p.Online || inUse(p) {
		return "●"
	}
	return "○"
}

// way says how a peer is reached.
func way(p *local.Peer) string {
	switch {
	case p.Path == local.PathDirect:
		return "  direct"
	case p.Path == local.PathRelay && p.Relay != "":
		return "  via " + name(p.Relay)
	case p.Path == local.PathRelay:
		return "  relayed"
	case !p.Online && p.Kind != local.PlainPeer:
		return "  offline"
	}
	return ""
}
