package explain

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/policy/acl"
	"github.com/cvlan/cvlan/policy/compile"
)

// Names finds a node by the name that people use; nil knows none.
type Names func(name string) (ident.Node, bool)

// maxSides bounds the nodes that one word stands for.
const maxSides = 64

// Sides finds what a word of a question stands for: a node's name or address, an address behind a router, a user (the nodes of that
// user, or any that it might get), a group, a tag that the document or a node has.
func Sides(n *compile.Network, names Names, word string) ([]compile.Side, error) {
	if names != nil {
		if id, ok := names(word); ok {
			if x, ok := n.Node(id); ok {
				return []compile.Side{{Node: x}}, nil
			}
		}
	}
	if a, err := netip.ParseAddr(word); err == nil {
		return at(n, a.Unmap()), nil
	}
	for _, h := range n.Document().Hosts {
		if h.Name == word {
			return at(n, h.Prefix.Addr()), nil
		}
	}
	switch {
	case strings.HasPrefix(word, "tag:") && !n.Knows(word):
		return nil, fmt.Errorf("no node has %s, and tagOwners does not list it", word)
	case strings.HasPrefix(word, "tag:"):
		return []compile.Side{{Node: compile.Node{Tags: []string{word}}}}, nil
	case strings.HasPrefix(word, "group:"):
		return members(n, word)
	case strings.Contains(word, "*"):
		return nil, fmt.Errorf("%q is many; ask about one: a node, an address, a user, a group or a tag", word)
	case strings.Contains(word, "@"), strings.HasPrefix(word, "user:"):
		return user(n, strings.TrimPrefix(word, "user:")), nil
	}
	return nil, fmt.Errorf("nobody is called %q; ask about a node, an address, a user, a group or a tag", word)
}

// at finds who has an address: a node, else its routers, else somebody who might route it.
func at(n *compile.Network, a netip.Addr) (out []compile.Side) {
	if x, ok := n.NodeAt(a); ok {
		return []compile.Side{{Node: x}}
	}
	for _, r := range n.Routers(a) {
		out = append(out, compile.Side{Node: r, Addr: a})
	}
	if len(out) > maxSides {
		out = out[:maxSides]
	}
	if out == nil {
		out = []compile.Side{{Node: compile.Node{Tags: []string{"tag:"}, Routes: []netip.Prefix{netip.PrefixFrom(a, a.BitLen())}}, Addr: a}}
	}
	return out
}

func user(n *compile.Network, login string) (out []compile.Side) {
	for _, x := range n.NodesOf(login) {
		if len(out) == maxSides {
			return out
		}
		out = append(out, compile.Side{Node: x})
	}
	if out == nil {
		out = []compile.Side{{Node: compile.Node{User: login}}}
	}
	return out
}

// members stands for anybody in a group, of the document or the directory.
func members(n *compile.Network, group string) (out []compile.Side, err error) {
	for _, m := range n.Members(group, maxSides) {
		out = append(out, compile.Side{Node: compile.Node{User: m}})
	}
	if out == nil {
		return nil, fmt.Errorf("%s is no group, or has no members; ask about a user", group)
	}
	return out, nil
}

// ParseTarget reads "web-1:443/tcp", "web-1:443", "[fd00::1]:53/udp", "web-1/icmp".
func ParseTarget(s string) (name string, service uint32, err error) {
	rest, proto, named := strings.Cut(s, "/")
	if !named {
		proto = "tcp"
	}
	number, ok := acl.ProtocolNumber(proto)
	if !ok {
		return "", 0, fmt.Errorf("unknown protocol %q; such as tcp, udp, icmp", proto)
	}
	if !acl.HasPorts(number) {
		return strings.Trim(strings.TrimSuffix(rest, ":*"), "[]"), uint32(number) << 16, nil
	}
	colon := strings.LastIndexByte(rest, ':')
	port, err := strconv.ParseUint(rest[colon+1:], 10, 16)
	if colon < 1 || err != nil {
		return "", 0, fmt.Errorf("%q does not end in the number of a port", s)
	}
	return strings.Trim(rest[:colon], "[]"), uint32(number)<<16 | uint32(port), nil
}
