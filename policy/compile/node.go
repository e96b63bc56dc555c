package compile

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/cvlan/cvlan/internal/base/ident"
)

// Node is what the directory knows of a node. A Network keeps it; the caller does not change what its slices and maps hold.
type Node struct {
	ID     ident.Node
	User   string   // its owner's login; a node with tags has none
	Tags   []string // with "tag:"
	Addrs  []netip.Addr
	Routes []netip.Prefix // approved ones; 0.0.0.0/0 and ::/0 make it an exit node
	Attrs  map[string]string
}

// owner is the user whose node this is, "" if it has tags or belongs to nobody.
func (n *Node) owner() string {
	if len(n.Tags) > 0 {
		return ""
	}
	return strings.ToLower(n.User)
}

// sameUser reports whether autogroup:self holds between two nodes.
func sameUser(a, b *Node) bool { return a.owner() != "" && a.owner() == b.owner() }

// Role is what a user may do in the network.
type Role uint8

// The roles. An owner is an admin too.
const (
	Member Role = iota
	Admin
	Owner
)

// User is what the directory knows of a user, beyond what the document says.
type User struct {
	Login  string
	Role   Role
	Groups []string // with "group:"
}

func (u *User) equal(v *User) bool {
	return u.Role == v.Role && slices.Equal(u.Groups, v.Groups)
}
