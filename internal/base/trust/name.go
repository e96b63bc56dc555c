package trust

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/ident"
)

// Role is what the holder of a certificate is.
type Role uint8

// The roles. The zero Role is nobody's.
const (
	RoleTenant Role = iota + 1 // a tenant's intermediate authority
	RoleNode
	RoleController
	RoleRelay
)

// String names the role for people.
func (r Role) String() string {
	switch r {
	case RoleTenant:
		return "tenant authority"
	case RoleNode:
		return "node"
	case RoleController:
		return "controller"
	case RoleRelay:
		return "relay"
	}
	return "nobody"
}

// Name is what the URI of a certificate says. The role says which identifiers are set: Tenant for a tenant's authority, Tenant
// and Node for a node, Controller or Relay for those.
type Name struct {
	Role       Role
	Domain     string // trust domain: one RFC 1123 label
	Tenant     ident.Tenant
	Node       ident.Node
	Controller ident.Controller
	Relay      ident.Relay
}

// TenantName names a tenant's intermediate authority.
func TenantName(domain string, t ident.Tenant) Name {
	return Name{Role: RoleTenant, Domain: domain, Tenant: t}
}

// NodeName names a node of a tenant.
func NodeName(domain string, t ident.Tenant, n ident.Node) Name {
	return Name{Role: RoleNode, Domain: domain, Tenant: t, Node: n}
}

// ControllerName names a controller.
func ControllerName(domain string, c ident.Controller) Name {
	return Name{Role: RoleController, Domain: domain, Controller: c}
}

// RelayName names a relay.
func RelayName(domain string, r ident.Relay) Name {
	return Name{Role: RoleRelay, Domain: domain, Relay: r}
}

// String returns the URI.
func (n Name) String() string {
	switch n.Role {
	case RoleTenant:
		return "spiffe://" + n.Domain + "/tenant/" + n.Tenant.String()
	case RoleNode:
		return "spiffe://" + n.Domain + "/tenant/" + n.Tenant.String() + "/node/" + n.Node.String()
	case RoleController:
		return "spiffe://" + n.Domain + "/controller/" + n.Controller.String()
	case RoleRelay:
		return "spiffe://" + n.Domain + "/relay/" + n.Relay.String()
	}
	return ""
}

// URI returns what goes into the certificate.
func (n Name) URI() *url.URL {
	u, err := url.Parse(n.String())
	if err != nil {
		panic("trust: a name that is no URI: " + err.Error()) // a domain that is no label; see Parse
	}
	return u
}

// Parse reads what String writes, and nothing else that means the same: no capital, no escape, no port, no query.
func Parse(uri string) (Name, error) {
	n, err := parse(uri)
	if err == nil && n.String() != uri {
		err = errors.New("not in its canonical form")
	}
	if err != nil {
		return Name{}, fmt.Errorf("certificate URI %.120q: %w", uri, err)
	}
	return n, nil
}

func parse(uri string) (n Name, err error) {
	rest, ok := strings.CutPrefix(uri, "spiffe://")
	if !ok {
		return n, errors.New("does not begin with spiffe://")
	}
	p := strings.Split(rest, "/")
	if n.Domain = p[0]; !clean.IsLabel(n.Domain) {
		return n, errors.New("its trust domain is not a label")
	}
	switch {
	case len(p) == 3 && p[1] == "tenant":
		n.Role = RoleTenant
		err = n.Tenant.UnmarshalText([]byte(p[2]))
	case len(p) == 5 && p[1] == "tenant" && p[3] == "node":
		n.Role = RoleNode
		err = errors.Join(n.Tenant.UnmarshalText([]byte(p[2])), n.Node.UnmarshalText([]byte(p[4])))
	case len(p) == 3 && p[1] == "controller":
		n.Role = RoleController
		err = n.Controller.UnmarshalText([]byte(p[2]))
	case len(p) == 3 && p[1] == "relay":
		n.Role = RoleRelay
		err = n.Relay.UnmarshalText([]byte(p[2]))
	default:
		err = errors.New("names no role that is known here")
	}
	return n, err
}

// NameOf reads the name in a certificate, without asking who signed it: for chains that have been verified.
func NameOf(c *x509.Certificate) (Name, error) {
	if len(c.URIs) != 1 {
		return Name{}, fmt.Errorf("certificate has %d URIs, want exactly one", len(c.URIs))
	}
	return Parse(c.URIs[0].String())
}
