package admin

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
)

// Plain WireGuard peers of a tenant's nodes.
var (
	ListPeers = Op[ListPeersIn, ListPeersOut]{Route{
		ID: "listPeers", Method: http.MethodGet, Path: "/api/v1/tenants/{tenant}/peers", Scope: PeersRead, Tag: "Peers",
		Summary: "List plain WireGuard peers"}}
	CreatePeer = Op[CreatePeerIn, PeerOut]{Route{
		ID: "createPeer", Method: http.MethodPost, Path: "/api/v1/tenants/{tenant}/peers", Scope: PeersWrite, Tag: "Peers",
		Summary: "Create a plain WireGuard peer", Detail: "A device without an agent becomes a peer of the nodes that are named, and of no other. " +
			"It gets addresses of the network; make its private key on the device, or where its configuration is written: the controller never needs it."}}
	GetPeer = Op[OnePeerIn, PeerOut]{Route{
		ID: "getPeer", Method: http.MethodGet, Path: "/api/v1/tenants/{tenant}/peers/{peer}", Scope: PeersRead, Tag: "Peers",
		Summary: "Show a plain WireGuard peer", Detail: "With what the device has to be told of each of its nodes."}}
	DeletePeer = Op[DeletePeerIn, Nothing]{Route{
		ID: "deletePeer", Method: http.MethodDelete, Path: "/api/v1/tenants/{tenant}/peers/{peer}", Scope: PeersWrite, Tag: "Peers",
		Summary: "Remove a plain WireGuard peer", Detail: "Its nodes forget it at once."}}
)

// Peer is a WireGuard device without an agent.
type Peer struct {
	ID          ident.Plain    `json:"id"`
	Name        string         `json:"name"`
	Network     ident.Network  `json:"network"`
	NetworkName string         `json:"network_name"`
	Addresses   []netip.Addr   `json:"addresses" nullable:"false"`
	Nodes       []PeerNode     `json:"nodes" nullable:"false" doc:"Who may speak with it, and nobody else; a node that is deleted leaves the list"`
	Key         string         `json:"key" doc:"WireGuard public key"`
	Preshared   bool           `json:"preshared" doc:"Has a preshared key; only its nodes are told which"`
	Endpoint    netip.AddrPort `json:"endpoint,omitzero" doc:"Where the device always is; absent: it calls"`
	Keepalive   int            `json:"keepalive" doc:"Seconds between keepalives that its nodes send; 0: none"`
	Created     time.Time      `json:"created"`
	CreatedBy   string         `json:"created_by"`
	Version     uint64         `json:"version"`
}

// PeerNode names a node that may speak with a peer.
type PeerNode struct {
	ID   ident.Node `json:"id"`
	Name string     `json:"name"`
}

// PeerDetail is a peer with what it has to be told of its nodes.
type PeerDetail struct {
	Peer
	Ends []PeerEnd `json:"ends" nullable:"false" doc:"Each of its nodes, as the device sees it"`
}

// PeerEnd is a node as a plain peer's configuration has it.
type PeerEnd struct {
	Node      ident.Node       `json:"node"`
	Name      string           `json:"name"`
	Key       string           `json:"key" doc:"WireGuard public key"`
	Addresses []netip.Addr     `json:"addresses" nullable:"false" doc:"What the device may send to it"`
	Endpoints []netip.AddrPort `json:"endpoints" nullable:"false" doc:"Where the node says that it can be reached; empty if none is known now"`
}

// NewPeer is what a peer is made of.
type NewPeer struct {
	Name      string         `json:"name" doc:"Label (RFC 1123), unique among the nodes and peers of the network" minLength:"1" maxLength:"63" example:"phone"`
	Network   string         `json:"network" doc:"Network, by name or identifier" maxLength:"64" example:"office"`
	Nodes     []string       `json:"nodes" nullable:"false" doc:"Nodes of the network that it may speak with, by name or identifier" minItems:"1" maxItems:"64" maxLength:"130"`
	Key       string         `json:"key" doc:"WireGuard public key" minLength:"44" maxLength:"44"`
	Preshared string         `json:"preshared_key,omitempty" doc:"WireGuard preshared key; absent: none. It is never shown again." maxLength:"44"`
	Endpoint  netip.AddrPort `json:"endpoint,omitzero" doc:"Where the device always is, if it has a fixed address" example:"192.0.2.7:51820"`
	Keepalive int            `json:"keepalive,omitempty" doc:"Seconds between keepalives that its nodes send; 0: none" minimum:"0" maximum:"65535"`
}

// The inputs and outputs of the operations on peers.
type (
	ListPeersIn struct {
		InTenant
		Page
		Network string `query:"network" doc:"Only those of this network, by name or identifier" maxLength:"64"`
	}
	ListPeersOut struct{ Body List[Peer] }
	CreatePeerIn struct {
		InTenant
		Once
		Body NewPeer
	}
	OnePeerIn struct {
		InTenant
		Peer string `path:"peer" doc:"Peer, by identifier, name.network, or name if only one has it" maxLength:"130"`
	}
	DeletePeerIn struct {
		OnePeerIn
		IfMatch
	}
	PeerOut struct {
		ETag string `header:"ETag"`
		Body PeerDetail
	}
)
