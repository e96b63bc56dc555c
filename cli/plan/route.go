package plan

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Router is a node of a network, and what an admin has said of the networks behind it. What the policy's autoApprovers approve is not in the file: the
// policy is.
type Router struct {
	Node     string   `toml:"node"`
	Approved []string `toml:"approved"` // prefixes
	Revoked  []string `toml:"revoked"`  // that no policy approves
}

// maxRoutes is how many prefixes a controller takes of a node, of each kind.
const maxRoutes = 64

func (r *Router) check(network string) error {
	var all []error
	wrong := func(format string, args ...any) {
		all = append(all, fmt.Errorf("the node %.80q of the network %.80q "+format, append([]any{r.Node, network}, args...)...))
	}
	if r.Node == "" {
		wrong("has no name")
	}
	for _, text := range slices.Concat(r.Approved, r.Revoked) {
		if p, err := netip.ParsePrefix(text); err != nil || p != p.Masked() {
			wrong("has the route %.80q: write it like 10.20.0.0/16", text)
		} else if slices.Contains(r.Approved, text) && slices.Contains(r.Revoked, text) {
			wrong("has the route %s both approved and revoked", text)
			break
		}
	}
	if max(len(r.Approved), len(r.Revoked)) > maxRoutes {
		wrong("has more than %d routes", maxRoutes)
	}
	return errors.Join(all...)
}

// normal writes prefixes as the controller does.
func (r *Router) normal() {
	for _, list := range [][]string{r.Approved, r.Revoked} {
		for i, text := range list {
			if p, err := netip.ParsePrefix(text); err == nil {
				list[i] = p.String()
			}
		}
	}
}

func (r *Router) write(b *bytes.Buffer) {
	fmt.Fprintf(b, "\n[[network.router]]\nnode = %s\n", quote(r.Node))
	for _, list := range []struct {
		name   string
		routes []string
	}{{"approved", r.Approved}, {"revoked", r.Revoked}} {
		if len(list.routes) > 0 {
			fmt.Fprintf(b, "%s = [%s]\n", list.name, quoteAll(list.routes))
		}
	}
}

// routers approves and revokes what the file names. A node that has not joined yet is told of, and waited for.
func (d *diff) routers(have, want *Network) {
	for _, w := range want.Routers {
		s := Step{Verb: Change, Kind: OfRoutes, Name: w.Node + "." + want.Name}
		i := slices.IndexFunc(have.Routers, func(h Router) bool { return h.Node == w.Node })
		if i < 0 {
			s.Verb, s.Detail = Await, []string{"no such node has joined; apply the file again when it has"}
			d.add(s)
			continue
		}
		h := &have.Routers[i]
		s.Router = Router{w.Node, without(w.Approved, h.Approved), without(w.Revoked, h.Revoked)}
		if s.Detail = s.Router.detail(); s.Detail != nil {
			d.add(s)
		}
	}
}

func (r *Router) detail() (words []string) {
	if len(r.Approved) > 0 {
		words = append(words, "approve "+strings.Join(r.Approved, ", "))
	}
	if len(r.Revoked) > 0 {
		words = append(words, "revoke "+strings.Join(r.Revoked, ", "))
	}
	return words
}

// without returns what stands in a and not in b.
func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(x string) bool { return slices.Contains(b, x) })
}
