package admin

import (
	"net/http"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
)

// Tenants, for the provider.
var (
	ListTenants = Op[Page, ListTenantsOut]{Route{
		ID: "listTenants", Method: http.MethodGet, Path: "/api/v1/tenants", Scope: TenantsRead, Tag: "Tenants",
		Summary: "List tenants"}}
	CreateTenant = Op[CreateTenantIn, TenantOut]{Route{
		ID: "createTenant", Method: http.MethodPost, Path: "/api/v1/tenants", Scope: TenantsWrite, Tag: "Tenants",
		Summary: "Create a tenant", Detail: "Makes its certificate authority too."}}
)

// Tenant is the unit of isolation: it owns networks, nodes and keys.
type Tenant struct {
	ID      ident.Tenant `json:"id"`
	Name    string       `json:"name"`
	Created time.Time    `json:"created"`
}

// NewTenant is what a tenant is made of.
type NewTenant struct {
	Name string `json:"name" doc:"Label (RFC 1123), unique" minLength:"1" maxLength:"63" example:"acme"`
}

// CreateTenantIn asks for a tenant.
type CreateTenantIn struct {
	Once
	Body NewTenant
}

// TenantOut answers with a tenant.
type TenantOut struct{ Body Tenant }

// ListTenantsOut answers ListTenants.
type ListTenantsOut struct{ Body List[Tenant] }
