package admin

import (
	"net/http"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
)

// API keys of a tenant.
var (
	ListAPIKeys = Op[ListAPIKeysIn, ListAPIKeysOut]{Route{
		ID: "listAPIKeys", Method: http.MethodGet, Path: "/api/v1/tenants/{tenant}/api-keys", Scope: APIKeysRead, Tag: "API keys",
		Summary: "List API keys"}}
	CreateAPIKey = Op[CreateAPIKeyIn, CreateAPIKeyOut]{Route{
		ID: "createAPIKey", Method: http.MethodPost, Path: "/api/v1/tenants/{tenant}/api-keys", Scope: APIKeysWrite, Tag: "API keys",
		Summary: "Create an API key", Detail: "It may do no more than the key that makes it. The answer is the only place where the key itself is ever shown."}}
	RevokeAPIKey = Op[OneAPIKeyIn, Nothing]{Route{
		ID: "revokeAPIKey", Method: http.MethodDelete, Path: "/api/v1/tenants/{tenant}/api-keys/{key}", Scope: APIKeysWrite, Tag: "API keys",
		Summary: "Revoke an API key"}}
)

// APIKey opens this API.
type APIKey struct {
	ID      ident.APIKey `json:"id"`
	Name    string       `json:"name"`
	State   string       `json:"state" enum:"valid,expired,revoked"`
	Scopes  []string     `json:"scopes" doc:"Scopes and roles" nullable:"false"`
	User    string       `json:"user,omitempty" doc:"For whom it acts"`
	Expires time.Time    `json:"expires,omitzero" doc:"Absent: never"`
	Created time.Time    `json:"created"`
}

// NewAPIKey is what an API key is made of.
type NewAPIKey struct {
	Name       string   `json:"name" doc:"What it is for: a label (RFC 1123)" minLength:"1" maxLength:"63" example:"terraform"`
	Scopes     []string `json:"scopes" doc:"Scopes and roles" minItems:"1" maxItems:"32" maxLength:"40" nullable:"false" example:"[\"operator\"]"`
	User       string   `json:"user,omitempty" doc:"User for whom it acts, by login: it may give nodes to that user only, and give and take only tags that the user owns by tagOwners" maxLength:"254"`
	TTLSeconds *int64   `json:"ttl_seconds,omitempty" doc:"How long it is valid; 0 or absent: for ever" minimum:"0" maximum:"315360000"`
}

// CreatedAPIKey is a new API key with its secret, in two forms.
type CreatedAPIKey struct {
	APIKey
	Token  string `json:"token" doc:"For programs: Authorization: Bearer TOKEN"`
	Ticket string `json:"ticket" doc:"For cvlan admin login: controller addresses, certificate pin and secret in one string"`
}

// The inputs and outputs of the operations on API keys.
type (
	ListAPIKeysIn struct {
		InTenant
		Page
	}
	ListAPIKeysOut struct{ Body List[APIKey] }
	CreateAPIKeyIn struct {
		InTenant
		Once
		Body NewAPIKey
	}
	CreateAPIKeyOut struct{ Body CreatedAPIKey }
	OneAPIKeyIn     struct {
		InTenant
		Key string `path:"key" doc:"Identifier of the API key" maxLength:"64"`
	}
)
