package admin

import (
	"net/http"
	"time"
)

// Users of a tenant.
var (
	ListUsers = Op[ListUsersIn, ListUsersOut]{Route{
		ID: "listUsers", Method: http.MethodGet, Path: "/api/v1/tenants/{tenant}/users", Scope: UsersRead, Tag: "Users",
		Summary: "List users", Detail: "In the order of logins."}}
	CreateUser = Op[CreateUserIn, UserOut]{Route{
		ID: "createUser", Method: http.MethodPost, Path: "/api/v1/tenants/{tenant}/users", Scope: UsersWrite, Tag: "Users",
		Summary: "Create a user", Detail: "A user owns nodes: those that join with a key made for the user. It does not log in to the controller."}}
	GetUser = Op[OneUserIn, UserOut]{Route{
		ID: "getUser", Method: http.MethodGet, Path: "/api/v1/tenants/{tenant}/users/{user}", Scope: UsersRead, Tag: "Users",
		Summary: "Show a user"}}
	ChangeUser = Op[ChangeUserIn, UserOut]{Route{
		ID: "changeUser", Method: http.MethodPatch, Path: "/api/v1/tenants/{tenant}/users/{user}", Scope: UsersWrite, Tag: "Users",
		Summary: "Change a user's role or groups", Detail: "What is left out stays as it is."}}
	DeleteUser = Op[DeleteUserIn, DeleteUserOut]{Route{
		ID: "deleteUser", Method: http.MethodDelete, Path: "/api/v1/tenants/{tenant}/users/{user}", Scope: UsersWrite, Tag: "Users",
		Summary: "Delete a user", Detail: "The user's join keys are revoked. While it owns nodes without tags it is refused, unless force is given: then they are removed too. " +
			"Nodes with tags stay, as nobody's."}}
)

// UserRole is what a user may do in the tenant's networks, for the rules that name it.
type UserRole string

// The roles of users: autogroup:admin means admins and owners, autogroup:owner owners.
const (
	UserMember UserRole = "member"
	UserAdmin  UserRole = "admin"
	UserOwner  UserRole = "owner"
)

// User is a person of the tenant's directory.
type User struct {
	Login   string    `json:"login" example:"alice@example.com"`
	Role    UserRole  `json:"role" enum:"member,admin,owner"`
	Groups  []string  `json:"groups" nullable:"false" example:"[\"group:dev\"]"`
	Created time.Time `json:"created"`
	Version uint64    `json:"version"`
}

// NewUser is what a user is made of.
type NewUser struct {
	Login  string   `json:"login" doc:"In the form of a mail address; upper case is written in lower case" minLength:"3" maxLength:"254" example:"alice@example.com"`
	Role   UserRole `json:"role,omitempty" enum:"member,admin,owner" default:"member"`
	Groups []string `json:"groups,omitempty" nullable:"false" doc:"Groups that there are; the prefix group: may be left out" maxItems:"256" maxLength:"69"`
}

// UserChange is what ChangeUser changes.
type UserChange struct {
	Role   UserRole  `json:"role,omitempty" enum:"member,admin,owner"`
	Groups *[]string `json:"groups,omitempty" doc:"All groups that the user shall be in" maxItems:"256"`
}

// Gone is what went with a user.
type Gone struct {
	Nodes   int `json:"nodes" doc:"Nodes that were removed"`
	Orphans int `json:"orphans" doc:"Nodes with tags, which are nobody's now"`
	Keys    int `json:"keys" doc:"Join keys that were revoked"`
}

// The inputs and outputs of the operations on users.
type (
	ListUsersIn struct {
		InTenant
		Page
	}
	ListUsersOut struct{ Body List[User] }
	CreateUserIn struct {
		InTenant
		Once
		Body NewUser
	}
	OneUserIn struct {
		InTenant
		User string `path:"user" doc:"Login of the user" maxLength:"254" example:"alice@example.com"`
	}
	ChangeUserIn struct {
		OneUserIn
		IfMatch
		Body UserChange
	}
	DeleteUserIn struct {
		OneUserIn
		IfMatch
		Force bool `query:"force" doc:"Remove the user's nodes too"`
	}
	DeleteUserOut struct{ Body Gone }
	UserOut       struct {
		ETag string `header:"ETag"`
		Body User
	}
)
