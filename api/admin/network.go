package admin

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
)

// Networks of a tenant.
var (
	ListNetworks = Op[ListNetworksIn, ListNetworksOut]{Route{
		ID: "listNetworks", Method: http.MethodGet, Path: "/api/v1/tenants/{tenant}/networks", Scope: NetworksRead, Tag: "Networks",
		Summary: "List networks"}}
	CreateNetwork = Op[CreateNetworkIn, NetworkOut]{Route{
		ID: "createNetwork", Method: http.MethodPost, Path: "/api/v1/tenants/{tenant}/networks", Scope: NetworksWrite, Tag: "Networks",
		Summary: "Create a network", Detail: "Without ranges it gets free ones. Its first policy lets everybody in it reach everybody, or with closed nothing pass."}}
	GetNetwork = Op[OneNetworkIn, NetworkOut]{Route{
		ID: "getNetwork", Method: http.MethodGet, Path: "/api/v1/tenants/{tenant}/networks/{network}", Scope: NetworksRead, Tag: "Networks",
		Summary: "Show a network"}}
	SetAccess = Op[SetAccessIn, NetworkOut]{Route{
		ID: "setAccess", Method: http.MethodPut, Path: "/api/v1/tenants/{tenant}/networks/{network}/access", Scope: PolicyWrite, Tag: "Networks",
		Summary: "Open or close a network", Detail: "Replaces its policy by the one that an open or a closed network begins with. The one before stays in the history."}}
	ChangeNetwork = Op[ChangeNetworkIn, NetworkOut]{Route{
		ID: "changeNetwork", Method: http.MethodPatch, Path: "/api/v1/tenants/{tenant}/networks/{network}", Scope: NetworksWrite, Tag: "Networks",
		Summary: "Change a network", Detail: "Both ends of each pair that could speak either protocol move to the other one at the same time, and lose no packet."}}
	DeleteNetwork = Op[DeleteNetworkIn, Nothing]{Route{
		ID: "deleteNetwork", Method: http.MethodDelete, Path: "/api/v1/tenants/{tenant}/networks/{network}", Scope: NetworksWrite, Tag: "Networks",
		Summary: "Delete a network", Detail: "Refused while it has nodes."}}
)

// Network is an IPv4 and an IPv6 range of a tenant, and its policy.
type Network struct {
	ID       ident.Network `json:"id"`
	Name     string        `json:"name"`
	Range4   netip.Prefix  `json:"range4,omitzero" doc:"IPv4 range" example:"10.77.0.0/16"`
	Range6   netip.Prefix  `json:"range6,omitzero" doc:"IPv6 range" example:"fd5c:1a7e:9b02::/64"`
	Policy   uint64        `json:"policy" doc:"Number of the policy that is in force"`
	Access   Access        `json:"access" enum:"open,closed,custom" doc:"open: everybody may reach everybody; closed: nothing passes; custom: what its policy says"`
	Protocol Protocol      `json:"protocol" enum:"any,wireguard,ipsec" doc:"What two of its nodes speak that could speak either; any: what they prefer"`
	Nodes    int           `json:"nodes" doc:"How many nodes it has, pending ones included"`
	Created  time.Time     `json:"created"`
	Version  uint64        `json:"version"`
}

// Access says which kind of policy a network has.
type Access string

// The kinds: the two that networks begin with, and every other.
const (
	Open   Access = "open"
	Closed Access = "closed"
	Custom Access = "custom"
)

// Protocol is what a network's nodes speak where they have a choice.
type Protocol string

// The protocols. A rule that requires IPsec goes before, and so does what a node cannot speak.
const (
	AnyProtocol       Protocol = "any"
	WireGuardProtocol Protocol = "wireguard"
	IPsecProtocol     Protocol = "ipsec"
)

// NetworkChange is what ChangeNetwork changes.
type NetworkChange struct {
	Protocol Protocol `json:"protocol" enum:"any,wireguard,ipsec" doc:"What two of its nodes speak that could speak either; any: what they prefer"`
}

// NewNetwork is what a network is made of.
type NewNetwork struct {
	Name   string       `json:"name" doc:"Label (RFC 1123), unique in the tenant" minLength:"1" maxLength:"63" example:"office"`
	Range4 netip.Prefix `json:"range4,omitzero" doc:"IPv4 range; absent: a free /16 of 10.0.0.0/8, unless range6 is given"`
	Range6 netip.Prefix `json:"range6,omitzero" doc:"IPv6 range; absent: a random /64 of fd00::/8, unless range4 is given"`
	Closed bool         `json:"closed,omitempty" doc:"Start with a policy that lets nothing pass"`
}

// NewAccess is what SetAccess sets.
type NewAccess struct {
	Access Access `json:"access" enum:"open,closed"`
}

// The inputs and outputs of the operations on networks.
type (
	ListNetworksIn struct {
		InTenant
		Page
	}
	ListNetworksOut struct{ Body List[Network] }
	CreateNetworkIn struct {
		InTenant
		Once
		Body NewNetwork
	}
	OneNetworkIn struct {
		InTenant
		Network string `path:"network" doc:"Network, by name or identifier" maxLength:"64"`
	}
	SetAccessIn struct {
		OneNetworkIn
		IfMatch
		Body NewAccess
	}
	ChangeNetworkIn struct {
		OneNetworkIn
		IfMatch
		Body NetworkChange
	}
	DeleteNetworkIn struct {
		OneNetworkIn
		IfMatch
	}
	NetworkOut struct {
		ETag string `header:"ETag"`
		Body Network
	}
)
