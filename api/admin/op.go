// Package admin is the door to the controller for people and scripts: REST and JSON over HTTPS under /api/v1.
//
// Each operation is declared once, as a value: method, path, what goes in, what comes out, and the scope that it asks for. The
// controller serves the values and writes the OpenAPI document from them; Call is a client of any of them.
//
// In and Out are plain structs. Of In, fields tagged path, query and header are parameters and the field Body is the JSON body;
// of Out, fields tagged header are headers and Body is the JSON body. The tags doc, example, default, minimum, maximum,
// minLength, maxLength, maxItems, pattern and enum say what is accepted and become the documentation.
//
// # Conventions
//
// Tenants, networks, nodes, peers and relays are named in paths by name or identifier. Lists are in order of creation, or of names where it is people, a page at a time: next is
// the cursor to give for the page after this one, and is absent on the last. Every object has an etag, its version: an operation
// with If-Match is done only if that is still the current one (else 412). A POST with an Idempotency-Key may be sent again, for
// an hour and while the controller runs, and is answered as the first time. Errors are problems (RFC 9457) with a code for
// scripts and a hint for people.
package admin

// Route is where an operation is found, and what it asks of its caller.
type Route struct {
	ID      string // operationId of the OpenAPI document
	Method  string
	Path    string
	Scope   Scope // "": everybody, without a key
	Tag     string
	Summary string
	Detail  string
	MaxBody int64 // bounds the request's body, in bytes; 0: MaxBody
}

// Op is an operation that takes an In and answers with an Out.
type Op[In, Out any] struct{ Route }

// Routes returns every operation's route, in the order of the document: the controller serves each, and no other.
func Routes() []Route {
	return []Route{
		GetHealth.Route, GetController.Route, GetWhoami.Route,
		ListTenants.Route, CreateTenant.Route,
		ListNetworks.Route, CreateNetwork.Route, GetNetwork.Route, SetAccess.Route, ChangeNetwork.Route, DeleteNetwork.Route,
		GetPolicy.Route, SetPolicy.Route, CheckPolicy.Route, ComparePolicy.Route, ExplainPolicy.Route, GetPolicyStatus.Route, ListPolicies.Route, GetPolicyVersion.Route,
		ListJoinKeys.Route, CreateJoinKey.Route, RevokeJoinKey.Route,
		ListNodes.Route, GetNode.Route, ApproveNode.Route, SuspendNode.Route, RenameNode.Route, TagNode.Route, ChangeRoutes.Route, DeleteNode.Route,
		ListUsers.Route, CreateUser.Route, GetUser.Route, ChangeUser.Route, DeleteUser.Route,
		ListGroups.Route, CreateGroup.Route, GetGroup.Route, DeleteGroup.Route, ListMembers.Route, ChangeMembers.Route,
		ListPeers.Route, CreatePeer.Route, GetPeer.Route, DeletePeer.Route,
		ListAPIKeys.Route, CreateAPIKey.Route, RevokeAPIKey.Route,
		GetCA.Route, ListCertificates.Route, CreateCertificate.Route, GetCertificate.Route, RevokeCertificate.Route, ListCRLs.Route, RequestCertificate.Route, InstallChain.Route, BeginRotation.Route, FinishRotation.Route,
		ListEvents.Route,
		ListRelays.Route, CreateRelay.Route, GetRelay.Route, DeleteRelay.Route, ListRelayUsage.Route,
	}
}

// MaxBody bounds a request's body, in bytes, unless its Route says otherwise.
const MaxBody = 256 << 10

// BodyLimit bounds the body of a request to the route, in bytes.
func (r Route) BodyLimit() int64 {
	if r.MaxBody > 0 {
		return r.MaxBody
	}
	return MaxBody
}

// DefaultTenant is the tenant that every controller makes at its first start.
const DefaultTenant = "default"

// InTenant is part of every operation on what a tenant owns.
type InTenant struct {
	Tenant string `path:"tenant" doc:"Tenant, by name or identifier" maxLength:"64" example:"default"`
}

// Page asks for a part of a list.
type Page struct {
	Limit int    `query:"limit" doc:"How many at most" minimum:"1" maximum:"1000" default:"100"`
	After string `query:"cursor" doc:"The next of the page before; absent for the first page" maxLength:"256"`
}

// List is a page.
type List[T any] struct {
	Items []T    `json:"items" nullable:"false"`
	Next  string `json:"next,omitempty" doc:"Cursor of the next page; absent on the last"`
}

// IfMatch makes an operation conditional.
type IfMatch struct {
	IfMatch string `header:"If-Match" doc:"Do it only if this is still the object's etag" maxLength:"64" example:"\"42\""`
}

// Once makes a POST safe to repeat.
type Once struct {
	IdempotencyKey string `header:"Idempotency-Key" doc:"The same key again gets the first answer again" maxLength:"128"`
}

// Nothing answers operations that leave nothing to tell.
type Nothing struct{}

// TenantName returns the tenant that an operation is about.
func (i InTenant) TenantName() string { return i.Tenant }

// Conditional reports whether a condition was given.
func (i IfMatch) Conditional() bool { return i.IfMatch != "" && i.IfMatch != "*" }
