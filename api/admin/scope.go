package admin

import (
	"fmt"
	"slices"
	"strings"
)

// Scope is a right: a noun and a verb, mostly read or write. Write does not include read.
type Scope string

// The scopes.
const (
	ControllerRead Scope = "controller:read"
	TenantsRead    Scope = "tenants:read"
	TenantsWrite   Scope = "tenants:write"
	NetworksRead   Scope = "networks:read"
	NetworksWrite  Scope = "networks:write"
	JoinKeysRead   Scope = "join-keys:read"
	JoinKeysWrite  Scope = "join-keys:write"
	NodesRead      Scope = "nodes:read"
	NodesWrite     Scope = "nodes:write"
	// NodesAssign is the right to say whose a node is, which tags it has and what is forwarded through it, which decide what policy lets it reach.
	NodesAssign  Scope = "nodes:assign"
	UsersRead    Scope = "users:read" // and groups
	UsersWrite   Scope = "users:write"
	PolicyRead   Scope = "policy:read"
	PolicyWrite  Scope = "policy:write"
	PeersRead    Scope = "peers:read"
	PeersWrite   Scope = "peers:write"
	APIKeysRead  Scope = "api-keys:read"
	APIKeysWrite Scope = "api-keys:write"
	EventsRead   Scope = "events:read"
	// CertificatesWrite is the right to issue certificates for devices and to revoke them, AuthoritiesWrite that to give the authority a new key.
	CertificatesRead  Scope = "certificates:read"
	CertificatesWrite Scope = "certificates:write"
	AuthoritiesWrite  Scope = "authorities:write"
	RelaysRead        Scope = "relays:read"
	RelaysWrite       Scope = "relays:write"
	// Known is what every valid key may: ask who it is.
	Known Scope = "known"
)

// Role is a named set of scopes. A key's scopes are scopes and roles in any mix.
type Role string

// The roles. Provider stands above tenants; only a key without a tenant can have it.
const (
	Owner    Role = "owner"
	Admin    Role = "admin"
	Operator Role = "operator"
	Auditor  Role = "auditor"
	Provider Role = "provider"
)

// Scopes returns what a role may; nil if there is no such role.
func (r Role) Scopes() []Scope {
	auditor := []Scope{NetworksRead, JoinKeysRead, NodesRead, UsersRead, PolicyRead, PeersRead, APIKeysRead, EventsRead, CertificatesRead}
	operator := []Scope{NetworksRead, JoinKeysRead, JoinKeysWrite, NodesRead, NodesWrite, UsersRead, PolicyRead, PeersRead, PeersWrite, EventsRead, CertificatesRead}
	admin := append(slices.Clone(operator), NetworksWrite, NodesAssign, UsersWrite, PolicyWrite, APIKeysRead, CertificatesWrite)
	owner := append(slices.Clone(admin), APIKeysWrite, AuthoritiesWrite)
	switch r {
	case Owner:
		return owner
	case Admin:
		return admin
	case Operator:
		return operator
	case Auditor:
		return auditor
	case Provider:
		return append(owner, ControllerRead, TenantsRead, TenantsWrite, RelaysRead, RelaysWrite)
	}
	return nil
}

// AboveTenants reports whether a scope is the provider's alone.
func (s Scope) AboveTenants() bool {
	return slices.Contains([]Scope{ControllerRead, TenantsRead, TenantsWrite, RelaysRead, RelaysWrite}, s)
}

// Expand returns the scopes that names (scopes and roles) amount to, sorted, and says which name is neither.
func Expand(names []string) ([]Scope, error) {
	every := Provider.Scopes()
	var out []Scope
	for _, n := range names {
		switch r := Role(n).Scopes(); {
		case r != nil:
			out = append(out, r...)
		case slices.Contains(every, Scope(n)):
			out = append(out, Scope(n))
		default:
			return nil, fmt.Errorf("%.40q is neither a scope nor a role; roles are %s", n, strings.Join(RoleNames(), ", "))
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// RoleNames lists the roles, the mightiest last.
func RoleNames() []string {
	return []string{string(Auditor), string(Operator), string(Admin), string(Owner), string(Provider)}
}
