package tray

import (
	"fmt"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/tray/menu"
)

// peerEntries are the entries of a network's peers: those with a path in use first, then those online, then the rest, each by name. A
// click copies the address.
func (n *network) peerEntries() []menu.Entry {
	var all []menu.Entry
	for i := range n.Peers {
		p := &n.Peers[i]
		a := p.Addresses[0].String()
		all = append(all, menu.Entry{
			Key: "peer/" + n.ID + "/" + p.ID, Label: mark(p) + " " + name(p.Name) + "  " + a + way(p),
			Action: menu.Action{Verb: menu.Copy, Text: a, Of: "the address of " + name(p.Name)},
		})
	}
	if more := n.peers - len(all); more > 0 {
		all = append(all, line("peers/"+n.ID),
			menu.Entry{Key: "peers/" + n.ID + "/more", Label: fmt.Sprintf("%d more: open in a terminal", more), Action: menu.Action{Verb: menu.Terminal}})
	}
	return all
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
