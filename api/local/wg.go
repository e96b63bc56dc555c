package local

import (
	"net/netip"
	"time"
)

// WireGuard answers GetWireGuard: the tunnels of all memberships that are up.
type WireGuard struct {
	Schema   int         `json:"schema"`
	Networks []WGNetwork `json:"networks"`
}

// WGNetwork is the tunnel of one membership.
type WGNetwork struct {
	ID        string            `json:"id"`
	Name      string            `json:"name"`
	Interface string            `json:"interface"`
	Key       string            `json:"public_key"`
	Port      uint16            `json:"port"`
	MTU       int               `json:"mtu"`
	Workers   int               `json:"workers"` // pairs of them, one a direction each
	Memory    int               `json:"memory"`  // bytes for packets that all tunnels of the daemon have taken
	Socket    WGSocket          `json:"socket"`
	Drops     map[string]uint64 `json:"drops"` // packets and messages by reason, those of peers included; what is zero is left out
	Peers     []WGPeer          `json:"peers"`
}

// WGSocket is what the UDP socket runs with.
type WGSocket struct {
	SendGSO       bool `json:"send_gso"`       // many datagrams a system call, both ways
	ReceiveGRO    bool `json:"receive_gro"`    //
	ReceiveBuffer int  `json:"receive_buffer"` // bytes
	SendBuffer    int  `json:"send_buffer"`
	USO           bool `json:"uso"` // the TUN device takes trains of UDP packets
}

// WGPeer is one peer of a tunnel.
type WGPeer struct {
	Name            string            `json:"name,omitempty"`
	Key             string            `json:"public_key"`
	Endpoint        *netip.AddrPort   `json:"endpoint,omitempty"`
	AllowedIPs      []netip.Prefix    `json:"allowed_ips"`
	LatestHandshake *time.Time        `json:"latest_handshake,omitempty"`
	KeysSince       *time.Time        `json:"keys_since,omitempty"` // since when packets are sealed with the present keys
	Handshaking     bool              `json:"handshaking"`
	Preshared       bool              `json:"preshared_key"`
	KeepaliveS      int               `json:"persistent_keepalive_s"` // 0: off
	RxBytes         uint64            `json:"rx_bytes"`               // on the wire
	TxBytes         uint64            `json:"tx_bytes"`
	RxPackets       uint64            `json:"rx_packets"`
	TxPackets       uint64            `json:"tx_packets"`
	Waiting         int               `json:"waiting_packets"` // for a handshake
	Drops           map[string]uint64 `json:"drops"`
}
