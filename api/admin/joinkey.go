package admin

import (
	"net/http"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
)

// Join keys of a tenant.
var (
	ListJoinKeys = Op[ListJoinKeysIn, ListJoinKeysOut]{Route{
		ID: "listJoinKeys", Method: http.MethodGet, Path: "/api/v1/tenants/{tenant}/join-keys", Scope: JoinKeysRead, Tag: "Join keys",
		Summary: "List join keys"}}
	CreateJoinKey = Op[CreateJoinKeyIn, CreateJoinKeyOut]{Route{
		ID: "createJoinKey", Method: http.MethodPost, Path: "/api/v1/tenants/{tenant}/join-keys", Scope: JoinKeysWrite, Tag: "Join keys",
		Summary: "Create a join key", Detail: "The answer is the only place where the key itself is ever shown."}}
	RevokeJoinKey = Op[OneJoinKeyIn, Nothing]{Route{
		ID: "revokeJoinKey", Method: http.MethodDelete, Path: "/api/v1/tenants/{tenant}/join-keys/{key}", Scope: JoinKeysWrite, Tag: "Join keys",
		Summary: "Revoke a join key", Detail: "Nodes that it admitted stay."}}
)

// Defaults of a new join key: one node, one hour; and how many nodes one may admit that counts them.
const (
	DefaultUses       = 1
	DefaultTTLSeconds = 3600
	MaxTTLSeconds     = 3650 * 24 * 3600 // of every key
	MaxUses           = 1_000_000
)

// JoinKey admits nodes to a network.
type JoinKey struct {
	ID          ident.JoinKey `json:"id"`
	Network     ident.Network `json:"network"`
	NetworkName string        `json:"network_name"`
	State       string        `json:"state" enum:"valid,expired,used-up,revoked"`
	Uses        int           `json:"uses" doc:"How many nodes it may admit; 0: any number"`
	Used        int           `json:"used"`
	Expires     time.Time     `json:"expires,omitzero" doc:"Absent: never"`
	Ephemeral   bool          `json:"ephemeral" doc:"Its nodes go 30 minutes after their session ended"`
	Approve     bool          `json:"approve" doc:"Its nodes wait for approval"`
	User        string        `json:"user,omitempty" doc:"Login of its nodes' owner; absent: nobody's"`
	Tags        []string      `json:"tags" nullable:"false"`
	Created     time.Time     `json:"created"`
	CreatedBy   string        `json:"created_by"`
}

// NewJoinKey is what a join key is made of.
type NewJoinKey struct {
	Network    string   `json:"network" doc:"Network, by name or identifier" maxLength:"64" example:"office"`
	Uses       *int     `json:"uses,omitempty" doc:"How many nodes it may admit; 0: any number" minimum:"0" maximum:"1000000" default:"1"`
	TTLSeconds *int64   `json:"ttl_seconds,omitempty" doc:"How long it is valid; 0: for ever" minimum:"0" maximum:"315360000" default:"3600"`
	Ephemeral  bool     `json:"ephemeral,omitempty" doc:"Its nodes go 30 minutes after their session ended"`
	Approve    bool     `json:"approve,omitempty" doc:"Its nodes wait for approval"`
	User       string   `json:"user,omitempty" doc:"Login of its nodes' owner; asks for the scope nodes:assign" maxLength:"254" example:"alice@example.com"`
	Tags       []string `json:"tags,omitempty" nullable:"false" doc:"Tags that its nodes carry, with or without the prefix tag:; asks for the scope nodes:assign" maxItems:"32" maxLength:"67"`
}

// CreatedJoinKey is a new join key with the string that joins.
type CreatedJoinKey struct {
	JoinKey
	Key     string   `json:"key" doc:"The join key itself: controller addresses, certificate pin and secret in one string"`
	Unknown []string `json:"unknown_tags,omitempty" nullable:"false" doc:"Those of its tags that the network's policy does not list in tagOwners: no rule can mean them"`
}

// The inputs and outputs of the operations on join keys.
type (
	ListJoinKeysIn struct {
		InTenant
		Page
		Network string `query:"network" doc:"Only those of this network" maxLength:"64"`
	}
	ListJoinKeysOut struct{ Body List[JoinKey] }
	CreateJoinKeyIn struct {
		InTenant
		Once
		Body NewJoinKey
	}
	CreateJoinKeyOut struct{ Body CreatedJoinKey }
	OneJoinKeyIn     struct {
		InTenant
		Key string `path:"key" doc:"Identifier of the join key" maxLength:"64"`
	}
)
