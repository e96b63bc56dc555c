package daemon

import (
	"cmp"
	"slices"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/node/engine"
	"github.com/cvlan/cvlan/internal/node/tunnel"
)

// WireGuard implements localapi.Backend.
func (d *Daemon) WireGuard() local.WireGuard {
	w := local.WireGuard{Schema: local.Schema, Networks: []local.WGNetwork{}}
	for _, m := range d.all() {
		e, _ := m.alive()
		if e == nil {
			continue
		}
		if s := e.Status(); s.Interface != "" {
			w.Networks = append(w.Networks, m.wireguard(s))
		}
	}
	return w
}

func (m *member) wireguard(s *engine.Status) local.WGNetwork {
	state, peers := s.Tunnel()
	n := local.WGNetwork{
		ID: m.id.String(), Name: m.label(), Interface: s.Interface, Key: state.Key.String(), Port: state.Port, MTU: state.MTU, Workers: state.Workers,
		Memory: state.Memory, Drops: state.Drops, Peers: make([]local.WGPeer, 0, len(peers)),
		Socket: local.WGSocket{SendGSO: state.Socket.SendGSO, ReceiveGRO: state.Socket.ReceiveGRO, ReceiveBuffer: state.Socket.ReceiveBuffer,
			SendBuffer: state.Socket.SendBuffer, USO: state.TUN.USO},
	}
	for reason, count := range map[string]uint64{
		"no_buffer": state.Socket.NoBuffer, "datagram_too_big": state.Socket.TooBig, "unreachable": state.Socket.Unreachable,
		"send_refused": state.Socket.Refused, "host_refused": state.TUN.Refused,
	} {
		if count > 0 {
			n.Drops[reason] = count
		}
	}
	names := map[key.WGPublic]string{}
	for _, p := range s.Peers {
		names[p.Record.WG] = p.Record.Name
	}
	for _, p := range s.Plains {
		names[p.WG] = p.Name
	}
	for i := range peers {
		n.Peers = append(n.Peers, wgPeer(names[peers[i].Key], &peers[i]))
	}
	slices.SortFunc(n.Peers, func(a, b local.WGPeer) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Key, b.Key)) })
	return n
}

func wgPeer(name string, p *tunnel.PeerState) local.WGPeer {
	out := local.WGPeer{
		Name: name, Key: p.Key.String(), AllowedIPs: p.Allowed, LatestHandshake: instant(p.LastHandshake), KeysSince: instant(p.SessionSince),
		Handshaking: p.Attempting, Preshared: p.Preshared, KeepaliveS: int(p.Keepalive.Seconds()), RxBytes: p.RxBytes, TxBytes: p.TxBytes,
		RxPackets: p.RxPackets, TxPackets: p.TxPackets, Waiting: p.Waiting, Drops: p.Drops,
	}
	if p.Endpoint.IsValid() {
		out.Endpoint = &p.Endpoint
	}
	return out
}
