package compile

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/cvlan/cvlan/policy/acl"
)

// Approves reports whether a route that a node offers is approved without being asked: all of it stands in a prefix of "autoApprovers"
// that names the node's owner or tags.
func (n *Network) Approves(x *Node, route netip.Prefix) bool {
	if route.Bits() == 0 {
		return n.named(n.doc.ExitNode, x)
	}
	return slices.ContainsFunc(n.doc.Routes, func(a acl.RouteApprover) bool {
		return a.Prefix.Bits() <= route.Bits() && a.Prefix.Contains(route.Addr()) && n.named(a.Approvers, x)
	})
}

// MayTag reports whether a user may give a tag to a node.
func (n *Network) MayTag(login, tag string) bool {
	x := &Node{User: login}
	return slices.ContainsFunc(n.doc.TagOwners, func(o acl.TagOwner) bool { return o.Tag == tag && n.named(o.Owners, x) })
}

// AdminsMayTag reports whether a tag is for every admin to give, whoever that is.
func (n *Network) AdminsMayTag(tag string) bool {
	return slices.ContainsFunc(n.doc.TagOwners, func(o acl.TagOwner) bool {
		return o.Tag == tag && slices.ContainsFunc(o.Owners, func(s acl.Selector) bool { return s.Kind == acl.Admin })
	})
}

// named reports whether selectors select a node by its owner or tags.
func (n *Network) named(list []acl.Selector, x *Node) bool {
	owner := x.owner()
	return slices.ContainsFunc(list, func(s acl.Selector) bool {
		switch s.Kind {
		case acl.Tag:
			return slices.Contains(x.Tags, s.Name)
		case acl.Member:
			return len(x.Tags) == 0
		}
		if owner == "" {
			return false
		}
		switch s.Kind {
		case acl.User:
			return owner == s.Name
		case acl.Domain:
			_, domain, _ := strings.Cut(owner, "@")
			return domain == s.Name
		case acl.GroupOf:
			return n.inGroup(owner, s.Name)
		case acl.Admin:
			return n.users[owner].Role >= Admin
		case acl.Owner:
			return n.users[owner].Role >= Owner
		}
		return false
	})
}

// inGroup reports whether a user is in a group, as the document or the directory says. The parser has made sure that it ends.
func (n *Network) inGroup(login, group string) bool {
	if slices.Contains(n.users[login].Groups, group) {
		return true
	}
	i := slices.IndexFunc(n.doc.Groups, func(g acl.Group) bool { return g.Name == group })
	if i < 0 {
		return false
	}
	g := &n.doc.Groups[i]
	if _, member := slices.BinarySearch(g.Members, login); member {
		return true
	}
	return slices.ContainsFunc(g.Groups, func(inner string) bool { return n.inGroup(login, inner) })
}

// Members returns the users in a group, as the document and the directory say, sorted; at most limit.
func (n *Network) Members(group string, limit int) []string {
	within := map[string]bool{}
	found := map[string]bool{}
	var enter func(name string)
	enter = func(name string) { // once each, so that it ends
		if within[name] {
			return
		}
		within[name] = true
		for i := range n.doc.Groups {
			if g := &n.doc.Groups[i]; g.Name == name {
				for _, m := range g.Members {
					found[m] = true
				}
				for _, inner := range g.Groups {
					enter(inner)
				}
			}
		}
	}
	enter(group)
	for login, u := range n.users {
		if slices.ContainsFunc(u.Groups, func(g string) bool { return within[g] }) {
			found[login] = true
		}
	}
	out := slices.Sorted(maps.Keys(found))
	return out[:min(len(out), limit)]
}
