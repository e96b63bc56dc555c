package compile

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/policy/acl"
	"github.com/cvlan/cvlan/policy/filter"
)

// world makes random documents and directories, small enough that everything in them collides.
type world struct{ *rand.Rand }

var overlay = []netip.Prefix{netip.MustParsePrefix("10.1.0.0/24"), netip.MustParsePrefix("fd00::/64")}

func (w world) pick(list ...string) string { return list[w.IntN(len(list))] }

func (w world) user() string {
	return w.pick("ann@a.org", "bob@a.org", "cid@a.org", "dot@b.org", "eve@b.org")
}

func (w world) addr() string {
	return w.pick("10.1.0.1", "10.1.0.2/31", "10.1.0.0/29", "fd00::3", "192.168.1.0/25", "192.168.1.7", "192.168.0.0/16", "8.8.8.8", "8.8.0.0/17",
		"10.1.0.2-10.1.0.5", "host", "0.0.0.0/0", "::/0")
}

func (w world) src() string {
	return w.pick("*", w.user(), w.user(), "user:*@a.org", "group:g", "group:h", "group:dir", "tag:x", "tag:y", "autogroup:member", "autogroup:tagged",
		"autogroup:admin", "autogroup:owner", w.addr(), w.addr())
}

func (w world) dst() string {
	d := w.src()
	if w.IntN(6) == 0 {
		d = w.pick("autogroup:self", "autogroup:internet")
	}
	if strings.Contains(d, "::") {
		d = "[" + d + "]"
	}
	return d + ":" + w.pick("*", "22", "80,443", "1-1023", "5000-60000")
}

func (w world) document() string {
	var rules []string
	for range 1 + w.IntN(8) {
		var src, dst []string
		for range 1 + w.IntN(3) {
			src = append(src, w.src())
			dst = append(dst, w.dst())
		}
		r := fmt.Sprintf(`{"src": ["%s"], "dst": ["%s"]`, strings.Join(src, `","`), strings.Join(dst, `","`))
		deny := w.IntN(4) == 0
		if deny {
			r += `, "action": "deny"`
		}
		if w.IntN(4) == 0 {
			r += fmt.Sprintf(`, "priority": %d`, w.IntN(5)-2)
		}
		if w.IntN(4) == 0 {
			r += `, "proto": "` + w.pick("tcp", "udp", "tcp") + `"`
		}
		if w.IntN(5) == 0 {
			r += `, "when": {"days": ["` + w.pick("mon-fri", "sat-sun", "wed") + `"], "hours": "` + w.pick("08:00-18:00", "22:00-06:00") + `"}`
		}
		if w.IntN(6) == 0 {
			r += `, "posture": ["` + w.pick("posture:linux", "posture:new") + `"]`
		}
		if !deny && w.IntN(8) == 0 {
			r += `, "require": ["ipsec"]`
		}
		rules = append(rules, r+"}")
	}
	return `{
		"groups": {"group:g": ["ann@a.org", "group:h"], "group:h": ["bob@a.org", "group:dir"]},
		"tagOwners": {"tag:x": [], "tag:y": []}, "hosts": {"host": "192.168.1.128/25"},
		"postures": {"posture:linux": ["node:os == 'linux'"], "posture:new": ["node:version >= '2'", "node:os IS SET"]},
		"acls": [` + strings.Join(rules, ",\n") + `]}`
}

// edited is a document that mentions nothing which the given one does not: a rule less, or in another place.
func (w world) edited(text string) string {
	head, tail, _ := strings.Cut(text, `"acls": [`)
	rules := strings.Split(strings.TrimSuffix(tail, "]}"), ",\n")
	if i := w.IntN(len(rules)); len(rules) > 1 && w.IntN(2) == 0 {
		rules = slices.Delete(rules, i, i+1)
	} else {
		rules = append(rules, strings.Replace(rules[i], `"src"`, `"priority": 3, "src"`, 1))
		if strings.Contains(rules[i], `"priority"`) {
			rules = rules[:len(rules)-1]
		}
	}
	w.Shuffle(len(rules), func(i, j int) { rules[i], rules[j] = rules[j], rules[i] })
	return head + `"acls": [` + strings.Join(rules, ",\n") + "]}"
}

func (w world) users() []User {
	return []User{{"ann@a.org", Role(w.IntN(3)), nil}, {"dot@b.org", Role(w.IntN(3)), []string{"group:dir"}}, {"eve@b.org", Member, []string{"group:g"}[:w.IntN(2)]}}
}

func (w world) node(i int) Node {
	x := Node{ID: ident.Node(i), Addrs: []netip.Addr{netip.AddrFrom4([4]byte{10, 1, 0, byte(i)}), netip.MustParseAddr(fmt.Sprintf("fd00::%x", i))}}
	switch w.IntN(6) {
	case 0, 1:
		x.Tags = slices.Compact([]string{w.pick("tag:x", "tag:y"), w.pick("tag:x", "tag:y")})
	case 2:
	default:
		x.User = w.user()
	}
	if w.IntN(4) == 0 {
		for range 1 + w.IntN(2) {
			x.Routes = append(x.Routes, netip.MustParsePrefix(w.pick("192.168.1.0/24", "192.168.0.0/16", "8.8.0.0/16", "0.0.0.0/0", "192.168.1.128/26")))
		}
		slices.SortFunc(x.Routes, func(a, b netip.Prefix) int { return strings.Compare(a.String(), b.String()) })
		x.Routes = slices.Compact(x.Routes)
	}
	if w.IntN(2) == 0 {
		x.Attrs = map[string]string{"node:os": w.pick("linux", "macos"), "node:version": w.pick("1.9", "2.1")}
	}
	return x
}

func parse(t testing.TB, text string) *acl.Document {
	t.Helper()
	d, problems := acl.Parse([]byte(text), acl.Options{Groups: []string{"group:dir"}})
	if d == nil {
		t.Fatalf("%s\n%v", text, problems)
	}
	return d
}

// party is one end of a packet: a node, or an address behind one.
type party struct {
	node   *Node
	addr   netip.Addr
	behind bool
}

// reference decides as the text of policy/acl says, rule by rule.
type reference struct {
	doc   *acl.Document
	users []User
}

func (r *reference) selects(s *acl.Selector, p party, other party) bool {
	n := p.node
	if p.behind && slices.ContainsFunc(overlay, func(o netip.Prefix) bool { return o.Contains(p.addr) }) {
		return false
	}
	owner := n.owner()
	switch s.Kind {
	case acl.Any:
		return true
	case acl.Address:
		addrs := n.Addrs
		if p.behind {
			addrs = []netip.Addr{p.addr}
		}
		return slices.ContainsFunc(s.Prefixes, func(x netip.Prefix) bool { return slices.ContainsFunc(addrs, x.Contains) })
	case acl.Internet:
		return p.behind && !isSpecial(netip.PrefixFrom(p.addr, p.addr.BitLen()))
	}
	if p.behind {
		return false
	}
	switch s.Kind {
	case acl.Self:
		return owner != "" && !other.behind && owner == other.node.owner()
	case acl.Member:
		return len(n.Tags) == 0
	case acl.Tagged:
		return len(n.Tags) > 0
	case acl.Tag:
		return slices.Contains(n.Tags, s.Name)
	}
	if owner == "" {
		return false
	}
	switch s.Kind {
	case acl.User:
		return owner == s.Name
	case acl.Domain:
		return strings.HasSuffix(owner, "@"+s.Name)
	case acl.GroupOf:
		return r.inGroup(owner, s.Name)
	case acl.Admin, acl.Owner:
		want := map[acl.Kind]Role{acl.Admin: Admin, acl.Owner: Owner}[s.Kind]
		return slices.ContainsFunc(r.users, func(u User) bool { return u.Login == owner && u.Role >= want })
	}
	return false
}

func (r *reference) inGroup(user, group string) bool {
	for _, u := range r.users {
		if u.Login == user && slices.Contains(u.Groups, group) {
			return true
		}
	}
	for _, g := range r.doc.Groups {
		if g.Name == group {
			return slices.Contains(g.Users, user) || slices.ContainsFunc(g.Groups, func(inner string) bool { return r.inGroup(user, inner) })
		}
	}
	return false
}

// rules calls f with every rule and target that match two parties, at any time and for any service.
func (r *reference) rules(src, dst party, f func(i int, x *acl.Rule, t *acl.Target)) {
	for i := range r.doc.Rules {
		x := &r.doc.Rules[i]
		if !slices.ContainsFunc(x.Src, func(s acl.Selector) bool { return r.selects(&s, src, dst) }) {
			continue
		}
		if len(x.Postures) > 0 && (src.behind || !slices.ContainsFunc(r.doc.Postures, func(p acl.Posture) bool {
			return slices.Contains(x.Postures, p.Name) && p.Holds(src.node.Attrs)
		})) {
			continue
		}
		for j := range x.Dst {
			if r.selects(&x.Dst[j].Selector, dst, src) {
				f(i, x, &x.Dst[j])
			}
		}
	}
}

// decide is the reason for a packet, and the rule if there is one.
func (r *reference) decide(src, dst party, service uint32, t time.Time) (filter.Reason, int) {
	best, number := (*acl.Rule)(nil), -1
	r.rules(src, dst, func(i int, x *acl.Rule, target *acl.Target) {
		if x.When != nil && !x.When.Active(t) {
			return
		}
		if !slices.ContainsFunc(target.Services, func(s acl.Service) bool { return s.First <= service && service <= s.Last }) {
			return
		}
		if best == nil || x.Priority > best.Priority || x.Priority == best.Priority && x.Deny && !best.Deny {
			best, number = x, i
		}
	})
	switch {
	case best == nil:
		return filter.NoRule, -1
	case best.Deny:
		return filter.Denied, number
	}
	return filter.Allowed, number
}

// opens reports whether some service is allowed when windows that allow are open and those that deny are not.
func (r *reference) opens(src, dst party) bool {
	type span struct {
		acl.Service
		*acl.Rule
	}
	var all []span
	r.rules(src, dst, func(i int, x *acl.Rule, t *acl.Target) {
		if x.Deny && x.When != nil {
			return
		}
		for _, s := range t.Services {
			all = append(all, span{s, x})
		}
	})
	for _, probe := range all { // what decides changes only where a range begins or behind its end
		for _, at := range []uint32{probe.First, probe.Last + 1} {
			var best *acl.Rule
			for _, s := range all {
				if s.First <= at && at <= s.Last && (best == nil || s.Priority > best.Priority || s.Priority == best.Priority && s.Deny) {
					best = s.Rule
				}
			}
			if best != nil && !best.Deny {
				return true
			}
		}
	}
	return false
}

// parties are a node and samples of what it routes, one in each piece that some selector or route makes.
func parties(n *Node) []party {
	out := []party{{node: n, addr: n.Addrs[0]}}
	for _, a := range samples {
		a := netip.MustParseAddr(a)
		if slices.ContainsFunc(n.Routes, func(r netip.Prefix) bool { return leads(r, a) }) {
			out = append(out, party{n, a, true})
		}
	}
	return out
}

// leads reports whether a route leads to an address: a route to everything does not to private ones.
func leads(r netip.Prefix, a netip.Addr) bool {
	return r.Contains(a) && (r.Bits() > 0 || !a.IsPrivate())
}

var samples = []string{"192.168.1.7", "192.168.1.8", "192.168.1.129", "192.168.1.200", "192.168.9.1", "8.8.8.8", "8.8.9.9", "8.8.200.1", "9.9.9.9", "10.1.0.99", "10.1.0.6"}

func (r *reference) sees(a, b *Node) bool {
	for _, x := range parties(a) {
		for _, y := range parties(b) {
			if r.opens(x, y) || r.opens(y, x) {
				return true
			}
		}
	}
	return false
}

func (r *reference) needsIPsec(a, b *Node) (needs bool) {
	for _, x := range parties(a) {
		for _, y := range parties(b) {
			note := func(_ int, rule *acl.Rule, _ *acl.Target) { needs = needs || rule.IPsec }
			r.rules(x, y, note)
			r.rules(y, x, note)
		}
	}
	return needs
}
