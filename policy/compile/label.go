package compile

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/gaissmai/bart"

	"github.com/cvlan/cvlan/policy/acl"
)

// labels numbers what the rules of one document mention, and finds the labels of nodes and prefixes.
type labels struct {
	n        int
	known    map[string]int
	users    map[string][]int // login -> labels of the user and of the document's groups it is in
	domains  map[string]int
	groups   map[string][]int // group -> labels of those that contain it, for members whom the directory names
	tags     map[string]int
	roles    [3]int // Member, Admin, Owner
	any      int
	tagged   int
	internet int
	prefixes bart.Table[[]int]
	overlay  []netip.Prefix // the network's own ranges: never behind a router
	postures []posture
}

type posture struct {
	*acl.Posture
	label int
}

const none = -1

func newLabels(overlay []netip.Prefix) *labels {
	l := &labels{overlay: overlay, known: map[string]int{}, users: map[string][]int{}, domains: map[string]int{}, groups: map[string][]int{},
		tags: map[string]int{}, roles: [3]int{none, none, none}, any: none, tagged: none, internet: none}
	for _, p := range overlay {
		l.place(p, none)
	}
	return l
}

// label numbers a selector; none for what nobody has by itself.
func (l *labels) label(s *acl.Selector, groups map[string]*acl.Group) int {
	key := keyOf(s)
	if key == "" {
		return none
	}
	id, fresh := l.number(key)
	if !fresh {
		return id
	}
	switch s.Kind {
	case acl.Any:
		l.any = id
	case acl.User:
		l.users[s.Name] = append(l.users[s.Name], id)
	case acl.Domain:
		l.domains[s.Name] = id
	case acl.GroupOf:
		l.group(s.Name, id, groups)
	case acl.Tag:
		l.tags[s.Name] = id
	case acl.Member:
		l.roles[Member] = id
	case acl.Admin:
		l.roles[Admin] = id
	case acl.Owner:
		l.roles[Owner] = id
	case acl.Tagged:
		l.tagged = id
	case acl.Internet:
		l.internet = id
		for _, p := range special {
			l.place(p, none)
		}
	case acl.Address:
		for _, p := range s.Prefixes {
			l.place(p, id)
		}
	}
	return id
}

func (l *labels) number(key string) (id int, fresh bool) {
	if id, ok := l.known[key]; ok {
		return id, false
	}
	l.known[key] = l.n
	l.n++
	return l.n - 1, true
}

// group gives a group's label to its members. Groups of the directory that stand in a group of the document count as well.
func (l *labels) group(name string, id int, groups map[string]*acl.Group) {
	seen := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		if seen[name] {
			return
		}
		seen[name] = true
		l.groups[name] = append(l.groups[name], id)
		if g := groups[name]; g != nil {
			for _, inner := range g.Groups {
				visit(inner)
			}
		}
	}
	visit(name)
	if g := groups[name]; g != nil {
		for _, u := range g.Members {
			l.users[u] = append(l.users[u], id)
		}
	}
}

func (l *labels) place(p netip.Prefix, id int) {
	have, _ := l.prefixes.Get(p)
	if id != none {
		have = append(have[:len(have):len(have)], id)
	}
	l.prefixes.Insert(p, have)
}

func (l *labels) posture(p *acl.Posture) int {
	id, fresh := l.number(postureKey(p.Name))
	if fresh {
		l.postures = append(l.postures, posture{p, id})
	}
	return id
}

// of collects the labels of a node.
func (l *labels) of(n *Node, u *User, s set) set {
	put := func(id int) {
		if id != none {
			s = s.add(id)
		}
	}
	put(l.any)
	for _, a := range n.Addrs {
		s = l.covering(netip.PrefixFrom(a, a.BitLen()), s)
	}
	for _, p := range l.postures {
		if p.Holds(n.Attrs) {
			put(p.label)
		}
	}
	if len(n.Tags) > 0 {
		put(l.tagged)
		for _, t := range n.Tags {
			if id, ok := l.tags[t]; ok {
				put(id)
			}
		}
		return s
	}
	put(l.roles[Member])
	if login := n.owner(); login != "" {
		s = l.ofUser(login, u, s)
	}
	return s
}

// ofUser adds the labels of a user. u is what the directory knows, nil if nothing.
func (l *labels) ofUser(login string, u *User, s set) set {
	for _, id := range l.users[login] {
		s = s.add(id)
	}
	if _, domain, ok := strings.Cut(login, "@"); ok {
		if id, ok := l.domains[domain]; ok {
			s = s.add(id)
		}
	}
	if u == nil {
		return s
	}
	for _, g := range u.Groups {
		for _, id := range l.groups[g] {
			s = s.add(id)
		}
	}
	for r := Admin; r <= u.Role; r++ {
		if id := l.roles[r]; id != none {
			s = s.add(id)
		}
	}
	return s
}

// covering adds the labels of all address selectors that contain a prefix.
func (l *labels) covering(p netip.Prefix, s set) set {
	for _, ids := range l.prefixes.Supernets(p) {
		for _, id := range ids {
			s = s.add(id)
		}
	}
	return s
}

// inOverlay reports whether a prefix lies in the network's own ranges.
func (l *labels) inOverlay(p netip.Prefix) bool {
	return slices.ContainsFunc(l.overlay, func(o netip.Prefix) bool { return o.Bits() <= p.Bits() && o.Contains(p.Addr()) })
}

// behind collects the labels of a prefix behind a router: none for the network's own ranges, lest a router of 0.0.0.0/0 speak for
// nodes.
func (l *labels) behind(p netip.Prefix) set {
	if l.inOverlay(p) {
		return nil
	}
	s := l.covering(p, newSet(l.n))
	if l.any != none {
		s = s.add(l.any)
	}
	if l.internet != none && !isSpecial(p) {
		s = s.add(l.internet)
	}
	return s
}

// split returns a route and the selectors inside it: prefixes of which the longest that contains an address names its face.
func (l *labels) split(route netip.Prefix) []netip.Prefix {
	out := []netip.Prefix{route}
	for p := range l.prefixes.Subnets(route) {
		if p != route && (!l.inOverlay(p) || slices.Contains(l.overlay, p)) {
			out = append(out, p)
		}
	}
	return out
}

// special are the ranges that are not the internet: RFC 6890 and multicast.
var special = func() (list []netip.Prefix) {
	for _, p := range []string{"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
		"192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
		"::/8", "100::/64", "2001::/23", "2001:db8::/32", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8"} {
		list = append(list, netip.MustParsePrefix(p))
	}
	return list
}()

func isSpecial(p netip.Prefix) bool {
	for _, x := range special {
		if x.Bits() <= p.Bits() && x.Contains(p.Addr()) {
			return true
		}
	}
	return false
}
