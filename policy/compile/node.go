package compile

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/proto/control"
)

// Node is what the directory knows of a node. A Network keeps it; the caller does not change what its slices and maps hold.
type Node struct {
	ID     ident.Node
	User   string   // its owner's login; a node with tags has none
	Tags   []string // with "tag:"
	Addrs  []netip.Addr
	Routes []netip.Prefix // approved ones; 0.0.0.0/0 and ::/0 make it an exit: see Reach
	Attrs  map[string]string
	Speaks control.Tunnels // what tunnels it can be reached by; zero: any, or not known. No class depends on it
}

// speaks is what tunnels a node can be reached by.
func (n *Node) speaks() control.Tunnels {
	if n.Speaks == 0 {
		return control.WireGuard | control.IPsec
	}
	return n.Speaks
}

// Common is by what tunnels two nodes can reach each other.
func (n *Node) Common(o *Node) control.Tunnels { return n.speaks() & o.speaks() }

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
