package admin

import (
	"net/http"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
)

// Relays, for the provider.
var (
	ListRelays = Op[Page, ListRelaysOut]{Route{
		ID: "listRelays", Method: http.MethodGet, Path: "/api/v1/relays", Scope: RelaysRead, Tag: "Relays",
		Summary: "List relays"}}
	CreateRelay = Op[CreateRelayIn, CreateRelayOut]{Route{
		ID: "createRelay", Method: http.MethodPost, Path: "/api/v1/relays", Scope: RelaysWrite, Tag: "Relays",
		Summary: "Create a relay", Detail: "The answer is the only place where the relay's key is ever shown. Nodes hear of the relay when it has joined with it."}}
	GetRelay = Op[OneRelayIn, RelayOut]{Route{
		ID: "getRelay", Method: http.MethodGet, Path: "/api/v1/relays/{relay}", Scope: RelaysRead, Tag: "Relays",
		Summary: "Get a relay"}}
	DeleteRelay = Op[OneRelayIn, Nothing]{Route{
		ID: "deleteRelay", Method: http.MethodDelete, Path: "/api/v1/relays/{relay}", Scope: RelaysWrite, Tag: "Relays",
		Summary: "Delete a relay", Detail: "Nodes forget it at once, and its session ends."}}
	ListRelayUsage = Op[ListRelayUsageIn, ListRelayUsageOut]{Route{
		ID: "listRelayUsage", Method: http.MethodGet, Path: "/api/v1/relay-usage", Scope: RelaysRead, Tag: "Relays",
		Summary: "List what relays have carried", Detail: "For each tenant and UTC day; it lags behind by a minute or two."}}
)

// DefaultRelayTTLSeconds is how long a new relay's key can be used: a day.
const DefaultRelayTTLSeconds = 24 * 3600

// Relay is a relay, and what is known of it now.
type Relay struct {
	ID        ident.Relay  `json:"id"`
	Name      string       `json:"name"`
	Region    string       `json:"region,omitempty"`
	Tenant    ident.Tenant `json:"tenant,omitzero" doc:"Whose nodes it serves; absent: those of all tenants"`
	Node      ident.Node   `json:"node,omitzero" doc:"The node that is this relay; absent: a machine of its own is"`
	Addresses []string     `json:"addresses" doc:"Where nodes reach it, host:port" nullable:"false"`
	STUNPort  int          `json:"stun_port,omitempty" doc:"One more UDP port that answers STUN"`
	State     string       `json:"state" enum:"new,expired,offline,online,draining" doc:"new: nobody has used its key yet; expired: nobody can any more"`
	Clients   int          `json:"clients" doc:"Registered nodes, while it is online"`
	Software  string       `json:"software,omitempty"`
	Joined    time.Time    `json:"joined,omitzero"`
	LastSeen  time.Time    `json:"last_seen,omitzero" doc:"When it was last online, if it is not"`
	CertUntil time.Time    `json:"cert_until,omitzero" doc:"End of its certificate"`
	Expires   time.Time    `json:"expires,omitzero" doc:"Until when its key can be used, if nobody has; absent: for ever"`
	Created   time.Time    `json:"created"`
	CreatedBy string       `json:"created_by"`
}

// NewRelay is what a relay is made of.
type NewRelay struct {
	Name       string   `json:"name" doc:"Label (RFC 1123), unique" minLength:"1" maxLength:"63" example:"fra-1"`
	Region     string   `json:"region,omitempty" doc:"Label; absent: as the relay says" maxLength:"63" example:"eu"`
	Addresses  []string `json:"addresses,omitempty" doc:"Where nodes reach it, host:port; absent: as the relay says" maxItems:"8" maxLength:"255" nullable:"false"`
	Tenant     string   `json:"tenant,omitempty" doc:"Serve this tenant's nodes only; by name or identifier" maxLength:"64"`
	Node       string   `json:"node,omitempty" doc:"Make this node of the tenant the relay, beside what else it does: by identifier, name.network, or name. It needs no key" maxLength:"128"`
	TTLSeconds *int64   `json:"ttl_seconds,omitempty" doc:"How long the key can be used; 0: for ever" minimum:"0" maximum:"315360000" default:"86400"`
}

// CreatedRelay is a new relay with the string that makes a machine that relay.
type CreatedRelay struct {
	Relay
	Key string `json:"key,omitempty" doc:"The relay key itself: controller addresses, certificate pin and secret in one string; absent: a node is the relay"`
}

// RelayUsage is what relays have carried for a tenant on one day.
type RelayUsage struct {
	Tenant     ident.Tenant `json:"tenant"`
	TenantName string       `json:"tenant_name,omitempty"`
	Day        string       `json:"day" doc:"UTC" example:"2027-01-31"`
	Bytes      uint64       `json:"bytes"`
}

// The inputs and outputs of the operations on relays.
type (
	ListRelaysOut struct{ Body List[Relay] }
	CreateRelayIn struct {
		Once
		Body NewRelay
	}
	CreateRelayOut struct{ Body CreatedRelay }
	OneRelayIn     struct {
		Relay string `path:"relay" doc:"Relay, by name or identifier" maxLength:"64"`
	}
	RelayOut         struct{ Body Relay }
	ListRelayUsageIn struct {
		Days int `query:"days" doc:"How many days, today included" minimum:"1" maximum:"3660" default:"31"`
	}
	ListRelayUsageOut struct {
		Body struct {
			Items []RelayUsage `json:"items" nullable:"false"`
		}
	}
)
