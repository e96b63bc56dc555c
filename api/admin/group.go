package admin

import (
	"net/http"
	"time"
)

// Groups of a tenant's users. In paths the prefix group: may be left out.
var (
	ListGroups = Op[ListGroupsIn, ListGroupsOut]{Route{
		ID: "listGroups", Method: http.MethodGet, Path: "/api/v1/tenants/{tenant}/groups", Scope: UsersRead, Tag: "Groups",
		Summary: "List groups", Detail: "In the order of names."}}
	CreateGroup = Op[CreateGroupIn, GroupOut]{Route{
		ID: "createGroup", Method: http.MethodPost, Path: "/api/v1/tenants/{tenant}/groups", Scope: UsersWrite, Tag: "Groups",
		Summary: "Create a group", Detail: "A rule that names a group means the users of this directory's group and those of the policy document's own group of that name."}}
	GetGroup = Op[OneGroupIn, GroupOut]{Route{
		ID: "getGroup", Method: http.MethodGet, Path: "/api/v1/tenants/{tenant}/groups/{group}", Scope: UsersRead, Tag: "Groups",
		Summary: "Show a group"}}
	DeleteGroup = Op[OneGroupIn, Nothing]{Route{
		ID: "deleteGroup", Method: http.MethodDelete, Path: "/api/v1/tenants/{tenant}/groups/{group}", Scope: UsersWrite, Tag: "Groups",
		Summary: "Delete a group", Detail: "Its members stay, as users."}}
	ListMembers = Op[ListMembersIn, ListMembersOut]{Route{
		ID: "listMembers", Method: http.MethodGet, Path: "/api/v1/tenants/{tenant}/groups/{group}/members", Scope: UsersRead, Tag: "Groups",
		Summary: "List a group's members", Detail: "In the order of logins."}}
	ChangeMembers = Op[ChangeMembersIn, GroupOut]{Route{
		ID: "changeMembers", Method: http.MethodPatch, Path: "/api/v1/tenants/{tenant}/groups/{group}/members", Scope: UsersWrite, Tag: "Groups",
		Summary: "Add members to a group, or remove them", Detail: "All of it or nothing. Who is a member already, or is none, is left as it is."}}
)

// Group is a group of users.
type Group struct {
	Name    string    `json:"name" example:"group:dev"`
	Members int       `json:"members" doc:"How many"`
	Created time.Time `json:"created"`
}

// NewGroup is what a group is made of.
type NewGroup struct {
	Name string `json:"name" doc:"With or without the prefix group:; lower case letters, digits, hyphens, dots and underscores" minLength:"1" maxLength:"69" example:"group:dev"`
}

// MemberChange is what ChangeMembers does.
type MemberChange struct {
	Add    []string `json:"add,omitempty" nullable:"false" doc:"Logins" maxItems:"1000" maxLength:"254"`
	Remove []string `json:"remove,omitempty" nullable:"false" doc:"Logins" maxItems:"1000" maxLength:"254"`
}

// The inputs and outputs of the operations on groups.
type (
	ListGroupsIn struct {
		InTenant
		Page
	}
	ListGroupsOut struct{ Body List[Group] }
	CreateGroupIn struct {
		InTenant
		Once
		Body NewGroup
	}
	OneGroupIn struct {
		InTenant
		Group string `path:"group" doc:"Name of the group" maxLength:"69" example:"group:dev"`
	}
	ListMembersIn struct {
		OneGroupIn
		Page
	}
	ListMembersOut  struct{ Body List[string] }
	ChangeMembersIn struct {
		OneGroupIn
		Body MemberChange
	}
	GroupOut struct{ Body Group }
)
