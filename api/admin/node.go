package admin

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
)

// Nodes of a tenant.
var (
	ListNodes = Op[ListNodesIn, ListNodesOut]{Route{
		ID: "listNodes", Method: http.MethodGet, Path: "/api/v1/tenants/{tenant}/nodes", Scope: NodesRead, Tag: "Nodes",
		Summary: "List nodes"}}
	GetNode = Op[OneNodeIn, NodeOut]{Route{
		ID: "getNode", Method: http.MethodGet, Path: "/api/v1/tenants/{tenant}/nodes/{node}", Scope: NodesRead, Tag: "Nodes",
		Summary: "Show a node"}}
	ApproveNode = Op[ChangeNodeIn, NodeOut]{Route{
		ID: "approveNode", Method: http.MethodPost, Path: "/api/v1/tenants/{tenant}/nodes/{node}/approve", Scope: NodesWrite, Tag: "Nodes",
		Summary: "Approve a node", Detail: "A node that is approved already is left as it is."}}
	SuspendNode = Op[ChangeNodeIn, NodeOut]{Route{
		ID: "suspendNode", Method: http.MethodPost, Path: "/api/v1/tenants/{tenant}/nodes/{node}/suspend", Scope: NodesWrite, Tag: "Nodes",
		Summary: "Suspend a node", Detail: "It waits for approval again: every other node forgets it at once, and it them. A node that waits already is left as it is."}}
	RenameNode = Op[RenameNodeIn, NodeOut]{Route{
		ID: "renameNode", Method: http.MethodPatch, Path: "/api/v1/tenants/{tenant}/nodes/{node}", Scope: NodesWrite, Tag: "Nodes",
		Summary: "Rename a node"}}
	TagNode = Op[TagNodeIn, TagNodeOut]{Route{
		ID: "tagNode", Method: http.MethodPatch, Path: "/api/v1/tenants/{tenant}/nodes/{node}/tags", Scope: NodesAssign, Tag: "Nodes",
		Summary: "Give tags to a node, or take them",
		Detail:  "While a node has a tag, policy knows it by its tags and not by its user. The node signs its record anew; tunnels go on."}}
	ChangeRoutes = Op[ChangeRoutesIn, NodeOut]{Route{
		ID: "changeRoutes", Method: http.MethodPatch, Path: "/api/v1/tenants/{tenant}/nodes/{node}/routes", Scope: NodesAssign, Tag: "Nodes",
		Summary: "Change what is forwarded through a node",
		Detail: "A node offers prefixes that it forwards to. Those that are approved are told to the nodes that see it; who may reach what is in them the policy says. " +
			"A prefix may be approved before it is offered."}}
	DeleteNode = Op[ChangeNodeIn, Nothing]{Route{
		ID: "deleteNode", Method: http.MethodDelete, Path: "/api/v1/tenants/{tenant}/nodes/{node}", Scope: NodesWrite, Tag: "Nodes",
		Summary: "Remove a node", Detail: "Its session ends at once and every other node forgets it. To come back the machine needs a join key."}}
)

// Node is a machine in a network.
type Node struct {
	ID          ident.Node    `json:"id"`
	Name        string        `json:"name"`
	Network     ident.Network `json:"network"`
	NetworkName string        `json:"network_name"`
	Addresses   []netip.Addr  `json:"addresses" nullable:"false"`
	User        string        `json:"user,omitempty" doc:"Login of its owner, fixed when it joined; absent: none"`
	Tags        []string      `json:"tags" nullable:"false"`
	Pending     bool          `json:"pending" doc:"Waits for approval: sees nobody and is shown to nobody"`
	Ephemeral   bool          `json:"ephemeral" doc:"Goes 30 minutes after its session ended"`
	Online      bool          `json:"online" doc:"Has a live session with this controller"`
	LastSeen    time.Time     `json:"last_seen,omitzero" doc:"Absent: never"`
	Endpoints   int           `json:"endpoints" doc:"How many addresses it can be reached at, as it reports"`
	Key         string        `json:"key" doc:"WireGuard public key"`
	CertUntil   time.Time     `json:"certificate_until,omitzero" doc:"End of its newest certificate"`
	OS          string        `json:"os,omitempty"`
	Software    string        `json:"software,omitempty" doc:"Version of its daemon"`
	// Attributes is what postures of a policy compare.
	Attributes map[string]string `json:"attributes,omitempty" doc:"What it reports of itself, as the postures of a policy name it" example:"{\"node:os\":\"linux\"}"`
	Routes     []NodeRoute       `json:"routes,omitempty" nullable:"false" doc:"Prefixes that it offers to forward to, and those that are approved or revoked; absent: none"`
	JoinedBy   ident.JoinKey     `json:"joined_by,omitzero"`
	Created    time.Time         `json:"created"`
	Version    uint64            `json:"version"`
}

// NodeRoute is a prefix that is forwarded through a node if it is both offered and approved.
type NodeRoute struct {
	Prefix   netip.Prefix `json:"prefix" example:"10.20.0.0/16"`
	Offered  bool         `json:"offered" doc:"The node offers it"`
	Approved bool         `json:"approved" doc:"An admin, or the policy's autoApprovers, approve it"`
	ByAdmin  bool         `json:"by_admin" doc:"An admin has approved it"`
	ByPolicy bool         `json:"by_policy" doc:"The policy's autoApprovers approve it, for as long as they do"`
	Revoked  bool         `json:"revoked" doc:"An admin has revoked it: autoApprovers do not approve it"`
}

// RouteChange is what ChangeRoutes does.
type RouteChange struct {
	Approve []netip.Prefix `json:"approve,omitempty" nullable:"false" doc:"Prefixes to approve" maxItems:"64"`
	Revoke  []netip.Prefix `json:"revoke,omitempty" nullable:"false" doc:"Prefixes to revoke, offered or not: the policy does not approve them again" maxItems:"64"`
}

// NodeName is what RenameNode changes.
type NodeName struct {
	Name string `json:"name" doc:"Label (RFC 1123), unique in the network" minLength:"1" maxLength:"63" example:"db-7"`
}

// TagChange is what TagNode does. The prefix tag: may be left out.
type TagChange struct {
	Add    []string `json:"add,omitempty" nullable:"false" doc:"Tags to give" maxItems:"32" maxLength:"67"`
	Remove []string `json:"remove,omitempty" nullable:"false" doc:"Tags to take; those that it has not are ignored" maxItems:"32" maxLength:"67"`
}

// TaggedNode is a node after its tags were changed.
type TaggedNode struct {
	Node
	Unknown []string `json:"unknown_tags,omitempty" nullable:"false" doc:"Those of its tags that its network's policy does not list in tagOwners: no rule can mean them"`
}

// The inputs and outputs of the operations on nodes.
type (
	ListNodesIn struct {
		InTenant
		Page
		Network string `query:"network" doc:"Only those of this network, by name or identifier" maxLength:"64"`
		Pending bool   `query:"pending" doc:"Only those that wait for approval"`
		User    string `query:"user" doc:"Only those of this user" maxLength:"254"`
		Routes  bool   `query:"routes" doc:"Only those that offer routes, or have some approved"`
	}
	ListNodesOut struct{ Body List[Node] }
	OneNodeIn    struct {
		InTenant
		Node string `path:"node" doc:"Node, by identifier, name.network, or name if only one has it" maxLength:"130"`
	}
	ChangeNodeIn struct {
		OneNodeIn
		IfMatch
	}
	RenameNodeIn struct {
		OneNodeIn
		IfMatch
		Body NodeName
	}
	TagNodeIn struct {
		OneNodeIn
		IfMatch
		Body TagChange
	}
	TagNodeOut struct {
		ETag string `header:"ETag"`
		Body TaggedNode
	}
	ChangeRoutesIn struct {
		OneNodeIn
		IfMatch
		Body RouteChange
	}
	NodeOut struct {
		ETag string `header:"ETag"`
		Body Node
	}
)
