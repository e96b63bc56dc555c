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
		Summary: "Create a network", Detail: "Without ranges it gets free ones. Unless closed it starts with one rule: members may reach members."}}
	GetNetwork = Op[OneNetworkIn, NetworkOut]{Route{
		ID: "getNetwork", Method: http.MethodGet, Path: "/api/v1/tenants/{tenant}/networks/{network}", Scope: NetworksRead, Tag: "Networks",
		Summary: "Show a network"}}
	SetRules = Op[SetRulesIn, NetworkOut]{Route{
		ID: "setRules", Method: http.MethodPut, Path: "/api/v1/tenants/{tenant}/networks/{network}/rules", Scope: NetworksWrite, Tag: "Networks",
		Summary: "Replace a network's rules", Detail: "Without a rule nothing passes."}}
	DeleteNetwork = Op[DeleteNetworkIn, Nothing]{Route{
		ID: "deleteNetwork", Method: http.MethodDelete, Path: "/api/v1/tenants/{tenant}/networks/{network}", Scope: NetworksWrite, Tag: "Networks",
		Summary: "Delete a network", Detail: "Refused while it has nodes."}}
)

// Network is an IPv4 and an IPv6 range of a tenant, and its rules.
type Network struct {
	ID      ident.Network `json:"id"`
	Name    string        `json:"name"`
	Range4  netip.Prefix  `json:"range4,omitzero" doc:"IPv4 range" example:"10.77.0.0/16"`
	Range6  netip.Prefix  `json:"range6,omitzero" doc:"IPv6 range" example:"fd5c:1a7e:9b02::/64"`
	Rules   []Rule        `json:"rules" nullable:"false"`
	Open    bool          `json:"open" doc:"Whether members may reach members"`
	Nodes   int           `json:"nodes" doc:"How many nodes it has, pending ones included"`
	Created time.Time     `json:"created"`
	Version uint64        `json:"version"`
}

// Rule lets sources reach destinations.
type Rule struct {
	Src string `json:"src" enum:"members"`
	Dst string `json:"dst" enum:"members"`
}

// Members selects every approved node of a network.
const Members = "members"

// NewNetwork is what a network is made of.
type NewNetwork struct {
	Name   string       `json:"name" doc:"Label (RFC 1123), unique in the tenant" minLength:"1" maxLength:"63" example:"office"`
	Range4 netip.Prefix `json:"range4,omitzero" doc:"IPv4 range; absent: a free /16 of 10.0.0.0/8, unless range6 is given"`
	Range6 netip.Prefix `json:"range6,omitzero" doc:"IPv6 range; absent: a random /64 of fd00::/8, unless range4 is given"`
	Closed bool         `json:"closed,omitempty" doc:"Start without a rule: nothing passes"`
}

// Rules is what SetRules replaces.
type Rules struct {
	Rules []Rule `json:"rules" maxItems:"100" nullable:"false"`
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
	SetRulesIn struct {
		OneNetworkIn
		IfMatch
		Body Rules
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
