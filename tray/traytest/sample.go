package traytest

import (
	"fmt"
	"net/netip"

	"github.com/cvlan/cvlan/api/local"
)

// Network returns one that is up, with peers that are reached directly, through a relay, and not at all, in turn.
func Network(name string, peers int) local.Network {
	n := local.Network{
		ID: "n-" + name, Name: name, State: local.Up, Interface: "cvlan0",
		Self:       local.Node{ID: "node-self", Name: "laptop", Addresses: []netip.Addr{netip.MustParseAddr("10.90.0.2")}},
		Controller: local.Controller{Address: "vpn.example.com:8443", Connected: true, Transport: "quic"},
		Peers:      []local.Peer{},
	}
	ways := []string{local.PathDirect, local.PathRelay, local.PathIdle, local.PathIdle}
	for i := range peers {
		p := local.Peer{Node: local.Node{ID: fmt.Sprintf("node-%d", i), Name: peerName(i), Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 90, byte((i + 3) >> 8), byte(i + 3)})}},
			Online: i%4 != 3, Protocol: "wireguard", Path: ways[i%4]}
		if p.Path == local.PathRelay {
			p.Relay = "fra-1"
		}
		n.Peers = append(n.Peers, p)
	}
	return n
}

var peerNames = []string{"build", "db", "files", "printer", "web-1", "web-2", "backup", "nas"}

func peerName(i int) string {
	if i < len(peerNames) {
		return peerNames[i]
	}
	return fmt.Sprintf("node-%d", i)
}
