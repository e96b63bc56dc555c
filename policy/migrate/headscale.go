package migrate

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tailscale/hujson"

	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/policy/acl"
)

// ErrDomain: there are users without a domain, and none to give.
var ErrDomain = errors.New("users have no domain")

// Headscale reads a Headscale policy, which is a policy document but for its users: they may have a name only, "alice@" or, in old ones,
// "alice". They get the domain, and everything else stays as it is, comments included. It is
// ErrDomain if there is none to give. Prefixes with bits behind their length, which Headscale takes, lose these and are noted.
// What is said of a place in the document is about Moves.Back of it in src.
func Headscale(src []byte, domain string) ([]byte, []Note, Moves, error) {
	if len(src) > acl.MaxSize {
		return nil, nil, nil, fmt.Errorf("%d bytes, at most %d are allowed", len(src), acl.MaxSize)
	}
	if _, err := acl.Format(src); err != nil { // is too deep, or no JSON: the reader of documents says where
		return src, nil, nil, nil
	}
	root, err := hujson.Parse(src)
	if err != nil {
		return src, nil, nil, nil
	}
	h := &headscale{src: src, domain: domain, hosts: map[string]bool{}}
	h.section(&root, "hosts", func(v *hujson.Value) { h.each(v, func(name string, _ *hujson.Value) { h.hosts[name] = true }) })
	h.section(&root, "hosts", func(v *hujson.Value) { h.each(v, h.host) })
	h.document(&root)
	if len(h.users) > 0 && domain == "" {
		return nil, nil, nil, fmt.Errorf("%d %w, such as %s", len(h.users), ErrDomain, clean.Line(strconv.Quote(h.users[0]), 80))
	}
	return root.Pack(), h.notes, newMoves(src, h.edits), nil
}

type headscale struct {
	src    []byte
	domain string
	hosts  map[string]bool
	edits  []edit
	users  []string // that had no domain, each once
	notes  []Note
}

// host cuts what stands behind the length of a host's prefix.
func (h *headscale) host(name string, v *hujson.Value) {
	if l, ok := v.Value.(hujson.Literal); ok && l.Kind() == '"' {
		if cut, ok := h.cut("hosts."+name, l.String()); ok {
			h.replace(v, cut)
		}
	}
}

// replace writes another string in place of one.
func (h *headscale) replace(v *hujson.Value, s string) {
	to := hujson.String(s)
	h.edits = append(h.edits, edit{v.StartOffset, utf8.RuneCount(h.src[v.StartOffset:v.EndOffset]), utf8.RuneCount(to)})
	v.Value = to
}

// cut takes away what stands behind a prefix's length, and notes it. ok: there was something.
func (h *headscale) cut(where, prefix string) (cut string, ok bool) {
	p, err := netip.ParsePrefix(prefix)
	if err != nil || p == p.Masked() {
		return "", false
	}
	n := Note{Where: clean.Line(where, 200), What: p.String() + " has bits behind its length, and becomes " + p.Masked().String()}
	if !slices.Contains(h.notes, n) {
		h.notes = append(h.notes, n)
	}
	return p.Masked().String(), true
}

// document goes through every place where users stand. ssh grants nothing here and stays as it is.
func (h *headscale) document(root *hujson.Value) {
	lists := func(v *hujson.Value) { h.each(v, func(_ string, v *hujson.Value) { h.list(v, false) }) }
	h.section(root, "groups", lists)
	h.section(root, "tagOwners", lists)
	h.section(root, "acls", func(v *hujson.Value) { h.rules(v, true) })
	h.section(root, "grants", func(v *hujson.Value) { h.rules(v, false) })
	h.section(root, "autoApprovers", func(v *hujson.Value) {
		h.section(v, "routes", func(v *hujson.Value) { h.names(v); lists(v) })
		h.section(v, "exitNode", func(v *hujson.Value) { h.list(v, false) })
	})
	h.section(root, "tests", func(v *hujson.Value) { h.rules(v, true) })
}

// rules goes through a list of rules or tests; ports: they stand behind the destinations.
func (h *headscale) rules(v *hujson.Value, ports bool) {
	a, ok := v.Value.(*hujson.Array)
	if !ok {
		return
	}
	for i := range a.Elements {
		rule := &a.Elements[i]
		for _, name := range []string{"src", "users", "user"} {
			h.section(rule, name, func(v *hujson.Value) { h.list(v, false) })
		}
		for _, name := range []string{"dst", "ports", "accept", "allow", "deny"} {
			h.section(rule, name, func(v *hujson.Value) { h.list(v, ports) })
		}
	}
}

// names cuts the names of members that are prefixes.
func (h *headscale) names(v *hujson.Value) {
	o, ok := v.Value.(*hujson.Object)
	if !ok {
		return
	}
	for i := range o.Members {
		if l, ok := o.Members[i].Name.Value.(hujson.Literal); ok {
			if cut, ok := h.cut("autoApprovers.routes", l.String()); ok {
				h.replace(&o.Members[i].Name, cut)
			}
		}
	}
}

// section calls f for the members of an object with a name, in upper or lower case.
func (h *headscale) section(v *hujson.Value, name string, f func(*hujson.Value)) {
	h.each(v, func(n string, v *hujson.Value) {
		if strings.EqualFold(n, name) {
			f(v)
		}
	})
}

func (h *headscale) each(v *hujson.Value, f func(name string, v *hujson.Value)) {
	o, ok := v.Value.(*hujson.Object)
	if !ok {
		return
	}
	for i := range o.Members {
		if l, ok := o.Members[i].Name.Value.(hujson.Literal); ok {
			f(l.String(), &o.Members[i].Value)
		}
	}
}

// list gives the users in a list, or in a single string, their domain.
func (h *headscale) list(v *hujson.Value, ports bool) {
	switch x := v.Value.(type) {
	case *hujson.Array:
		for i := range x.Elements {
			h.list(&x.Elements[i], ports)
		}
	case hujson.Literal:
		if x.Kind() != '"' {
			return
		}
		name, port := x.String(), ""
		if at := strings.LastIndexByte(name, ':'); ports && at >= 0 {
			name, port = name[:at], name[at:]
		}
		if bare, ok := h.bare(name); ok {
			h.replace(v, bare+"@"+h.domain+port)
		} else if cut, ok := h.cut("rules", name); ok {
			h.replace(v, cut+port)
		}
	}
}

// bare returns a user's name that has no domain.
func (h *headscale) bare(name string) (string, bool) {
	user, at := strings.CutSuffix(name, "@")
	if user == "" || strings.ContainsAny(user, ":@*/, ") || h.hosts[user] && !at {
		return "", false
	}
	if _, err := netip.ParseAddr(user); err == nil || !at && strings.Contains(user, "-") && isRange(user) {
		return "", false
	}
	if !slices.Contains(h.users, name) {
		h.users = append(h.users, name)
	}
	return user, true
}

// isRange reports whether a word is two addresses with a hyphen between.
func isRange(s string) bool {
	from, to, _ := strings.Cut(s, "-")
	_, err := netip.ParseAddr(from)
	_, err2 := netip.ParseAddr(to)
	return err == nil && err2 == nil
}
