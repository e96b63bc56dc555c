package explain

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/policy/acl"
	"github.com/cvlan/cvlan/policy/compile"
)

// Directory is users and nodes as people write them down, for questions that no controller is asked. Its JSON is that of the admin
// API's lists of users and nodes, of which it reads the fields that matter to policy.
type Directory struct {
	Ranges []netip.Prefix `json:"ranges"` // from which nodes have their addresses
	Groups []GroupEntry   `json:"groups"` // those without members too
	Users  []UserEntry    `json:"users"`
	Nodes  []NodeEntry    `json:"nodes"`
}

// GroupEntry is a group of the directory.
type GroupEntry struct {
	Name string `json:"name"` // with "group:"
}

// UserEntry is a user of the directory.
type UserEntry struct {
	Login  string   `json:"login"`
	Role   string   `json:"role"` // "member" if empty, "admin", "owner"
	Groups []string `json:"groups"`
}

// NodeEntry is a node of the directory.
type NodeEntry struct {
	Name       string            `json:"name"`
	User       string            `json:"user"`
	Tags       []string          `json:"tags"`
	Addresses  []netip.Addr      `json:"addresses"`
	Routes     []netip.Prefix    `json:"routes"`
	Attributes map[string]string `json:"attributes"`
}

// Add appends what another directory holds.
func (d *Directory) Add(e Directory) {
	d.Ranges = append(d.Ranges, e.Ranges...)
	d.Groups = append(d.Groups, e.Groups...)
	d.Users = append(d.Users, e.Users...)
	d.Nodes = append(d.Nodes, e.Nodes...)
}

// GroupNames are the groups that there are, sorted: acl.Options wants to know them.
func (d *Directory) GroupNames() []string {
	known := map[string]bool{}
	for _, g := range d.Groups {
		known[g.Name] = true
	}
	for _, u := range d.Users {
		for _, g := range u.Groups {
			known[g] = true
		}
	}
	return slices.Sorted(maps.Keys(known))
}

var roles = map[string]compile.Role{"": compile.Member, "member": compile.Member, "admin": compile.Admin, "owner": compile.Owner}

// Network compiles a document for the directory. The nodes have the numbers 1, 2, … in their order, under which Names finds them.
func (d *Directory) Network(doc *acl.Document) (*compile.Network, Names, error) {
	n := compile.New(doc, d.Ranges...)
	for i, u := range d.Users {
		role, ok := roles[u.Role]
		if !ok || !strings.Contains(u.Login, "@") {
			return nil, nil, fmt.Errorf("users[%d]: login %q, role %q; such as alice@example.com, member", i, u.Login, u.Role)
		}
		n.PutUser(compile.User{Login: strings.ToLower(u.Login), Role: role, Groups: u.Groups}, nil)
	}
	names := make(map[string]ident.Node, len(d.Nodes))
	nodes := make([]compile.Node, len(d.Nodes))
	for i, x := range d.Nodes {
		nodes[i] = compile.Node{ID: ident.Node(i + 1), User: strings.ToLower(x.User), Tags: x.Tags, Addrs: x.Addresses, Routes: x.Routes, Attrs: x.Attributes}
		names[x.Name] = nodes[i].ID
	}
	n.Load(nodes)
	return n, func(name string) (ident.Node, bool) { id, ok := names[name]; return id, ok }, nil
}
