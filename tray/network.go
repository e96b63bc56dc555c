package tray

import (
	"cmp"
	"slices"
	"strings"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/words"
	"github.com/cvlan/cvlan/tray/menu"
)

// network is what the tray keeps of one: the peers that the menu shows, and of the others how many they are.
type network struct {
	local.Network     // Peers: at most maxPeers, the nearest first
	peers         int // that have an address
	online        int
	direct        int // paths in use
	relayed       int
}

// digest keeps of a network what is shown. What the daemon sent can be forgotten then, which is much where the peers are many.
func digest(n *local.Network) network {
	d := network{Network: *n}
	order := make([]*local.Peer, 0, len(n.Peers))
	for i := range n.Peers {
		p := &n.Peers[i]
		if len(p.Addresses) > 0 {
			order = append(order, p)
		}
		if p.Online {
			d.online++
		}
		switch p.Path {
		case local.PathDirect:
			d.direct++
		case local.PathRelay:
			d.relayed++
		}
	}
	slices.SortStableFunc(order, func(a, b *local.Peer) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), words.Natural(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	d.peers, d.Peers = len(order), nil
	for _, p := range order[:min(len(order), maxPeers)] {
		d.Peers = append(d.Peers, *p)
	}
	return d
}

// rank orders peers: those with a path in use, those online, the rest.
func rank(p *local.Peer) int {
	switch {
	case inUse(p):
		return 0
	case p.Online:
		return 1
	}
	return 2
}

func inUse(p *local.Peer) bool { return p.Path == local.PathDirect || p.Path == local.PathRelay }

// paths tells a network of which every path in use is relayed from others.
func (n *network) paths() menu.Stand {
	if n.relayed > 0 && n.direct == 0 {
		return menu.Relayed
	}
	return menu.On
}
