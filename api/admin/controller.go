package admin

import (
	"net/http"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/version"
)

// The controller itself, and who asks.
var (
	GetHealth = Op[Nothing, HealthOut]{Route{
		ID: "getHealth", Method: http.MethodGet, Path: "/api/v1/health", Tag: "Controller",
		Summary: "Is the controller well?", Detail: "Status 200 while it serves; degraded when it cannot write its database. It says if an authority's certificate ends within 30 days, or has ended. Needs no key and tells nothing else."}}
	GetController = Op[Nothing, ControllerOut]{Route{
		ID: "getController", Method: http.MethodGet, Path: "/api/v1/controller", Scope: ControllerRead, Tag: "Controller",
		Summary: "Describe the controller"}}
	GetWhoami = Op[Nothing, WhoamiOut]{Route{
		ID: "getWhoami", Method: http.MethodGet, Path: "/api/v1/whoami", Scope: Known, Tag: "Controller",
		Summary: "Describe the key that asks"}}
)

// Health is what everybody may know of a controller.
type Health struct {
	Status      string `json:"status" enum:"ok,degraded"`
	Authorities string `json:"authorities,omitempty" enum:"ending,ended" doc:"That a certificate of an authority ends within 30 days, or has ended; absent: none"`
}

// HealthOut answers GetHealth.
type HealthOut struct{ Body Health }

// Controller describes a controller.
type Controller struct {
	ID          ident.Controller `json:"id"`
	TrustDomain string           `json:"trust_domain" doc:"Label in every certificate's URI"`
	Software    version.Info     `json:"software"`
	Addresses   []string         `json:"addresses" doc:"Where nodes find it" nullable:"false"`
	Pin         string           `json:"pin" doc:"SHA-256 of the root certificate's public key, hexadecimal"`
	Created     time.Time        `json:"created"`
	Started     time.Time        `json:"started"`
	Problem     string           `json:"problem,omitempty" doc:"Why the database cannot be written, if so"`
	Warnings    []string         `json:"warnings,omitempty" doc:"Of authorities whose certificates end soon: the root's and those of tenants"`
}

// ControllerOut answers GetController.
type ControllerOut struct{ Body Controller }

// Whoami describes an API key to its holder.
type Whoami struct {
	ID         ident.APIKey `json:"id"`
	Name       string       `json:"name"`
	Tenant     ident.Tenant `json:"tenant,omitzero" doc:"Absent for a provider's key, which opens all tenants"`
	TenantName string       `json:"tenant_name,omitempty"`
	Scopes     []string     `json:"scopes" doc:"Scopes and roles as they were given" nullable:"false"`
	User       string       `json:"user,omitempty" doc:"For whom it acts"`
	Expires    time.Time    `json:"expires,omitzero" doc:"Absent: never"`
}

// WhoamiOut answers GetWhoami.
type WhoamiOut struct{ Body Whoami }
