package daemon

import (
	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/core/netmap"
	"github.com/cvlan/cvlan/internal/node/engine"
)

// exit is the way to the internet that this machine takes; nil: none of ours.
func exit(s *engine.Status) *local.Exit {
	x := s.Exit
	if x.Name == "" {
		return nil
	}
	return &local.Exit{Node: x.Name, State: string(x.State), Why: x.Why, IPv6: x.IPv6, LAN: x.LAN}
}

// exits are those that there are, by name.
func exits(s *engine.Status) (all []local.ExitPeer) {
	ways := map[ident.Node]engine.Way{}
	for _, w := range s.Ways {
		ways[w.Node] = w
	}
	for _, p := range s.Peers {
		if w, ok := ways[p.Record.Node]; ok {
			all = append(all, exitPeer(p, w))
		}
	}
	return all
}

func exitPeer(p *netmap.Peer, w engine.Way) local.ExitPeer {
	return local.ExitPeer{Name: p.Record.Name, Online: p.Soft.Online, IPv4: w.IPv4, IPv6: w.IPv6, Allowed: w.Open}
}
