package admin

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/policy/acl"
	"github.com/cvlan/cvlan/policy/compile"
	"github.com/cvlan/cvlan/policy/explain"
)

// Bounds of a review.
const (
	maxReviews = 2                // at once: a document of 8 MB takes much memory while it is read
	testWhile  = 15 * time.Second // for all tests of a document
	maxIdle    = 100              // rules about nobody that are told
	maxCut     = 20               // nodes of admins that are looked at
)

// when is the instant that a question is about.
func (s *server) when(at time.Time) time.Time {
	if at.IsZero() {
		return s.Now()
	}
	return at
}

// review reads a document and finds everything that there is to say about it. The document is nil if it has errors.
func (s *server) review(ctx context.Context, t *tenant, n store.Network, text string, at time.Time) (*acl.Document, *admin.PolicyReview, error) {
	if len(text) > acl.MaxSize {
		return nil, nil, tooLong(t.route, len(text))
	}
	select {
	case s.reviews <- struct{}{}:
		defer func() { <-s.reviews }()
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	groups, err := everything(func(after string, limit int) ([]store.Group, error) { return t.Groups(ctx, after, limit) }, func(g store.Group) string { return g.Name })
	if err != nil {
		return nil, nil, err
	}
	opt := acl.Options{Zone: time.LoadLocation}
	for _, g := range groups {
		opt.Groups = append(opt.Groups, g.Name)
	}
	r := &admin.PolicyReview{Failures: []admin.PolicyFailure{}}
	doc, problems := acl.Parse([]byte(text), opt)
	if r.Problems = admin.TellProblems(problems); doc == nil {
		return nil, r, nil
	}
	r.Rules, r.Tests = len(doc.Rules), len(doc.Tests)
	users, err := everything(func(after string, limit int) ([]store.User, error) { return t.Users(ctx, after, limit) }, func(u store.User) string { return u.Login })
	if err != nil {
		return nil, nil, err
	}
	if err := s.test(ctx, t, n, doc, users, at, r); err != nil {
		return nil, nil, err
	}
	r.Valid = len(r.Failures) == 0
	return doc, r, s.foresee(ctx, t, n, doc, users, r)
}

// everything fetches all of a list that is given in pieces.
func everything[T any](page func(after string, limit int) ([]T, error), name func(T) string) (all []T, err error) {
	const piece = 1000
	for after := ""; ; {
		l, err := page(after, piece)
		if err != nil {
			return nil, err
		}
		if all = append(all, l...); len(l) < piece {
			return all, nil
		}
		after = name(l[piece-1])
	}
}

// test runs the document's tests apart from the network in force, which nobody has to wait for: of its nodes only those are there whose
// addresses the tests name.
func (s *server) test(ctx context.Context, t *tenant, n store.Network, doc *acl.Document, users []store.User, at time.Time, r *admin.PolicyReview) error {
	if len(doc.Tests) == 0 {
		return nil
	}
	apart := compile.New(doc, n.Range4, n.Range6)
	for _, u := range users {
		apart.PutUser(compile.User{Login: u.Login, Role: compile.Role(u.Role), Groups: u.Groups}, nil)
	}
	err := s.Rules.Ask(ctx, t.ID, n.ID, func(c *compile.Network) {
		for a := range tested(doc) {
			if x, ok := c.NodeAt(a); ok {
				apart.Load([]compile.Node{x})
			}
			for _, x := range c.Routers(a) {
				apart.Load([]compile.Node{x})
			}
		}
	})
	if err != nil {
		return err
	}
	end := time.Now().Add(testWhile)
	failures, whole := explain.Test(apart, at, func() bool { return ctx.Err() == nil && time.Now().Before(end) })
	if !whole {
		return admin.CodeLimit.Problem(title(t.route), "the document's tests take longer than "+testWhile.String(), "make fewer tests, or fewer rules about the same nodes")
	}
	r.Failures = admin.TellFailures(failures, t.namer(ctx))
	return nil
}

// tested yields the addresses that a document's tests name.
func tested(doc *acl.Document) func(func(netip.Addr) bool) {
	return func(yield func(netip.Addr) bool) {
		for i := range doc.Tests {
			x := &doc.Tests[i]
			all := []*acl.Selector{&x.Src}
			for _, probes := range [][]acl.Probe{x.Accept, x.Deny} {
				for j := range probes {
					all = append(all, &probes[j].Selector)
				}
			}
			for _, sel := range all {
				if sel.Kind == acl.Address && len(sel.Prefixes) > 0 && !yield(sel.Prefixes[0].Addr()) {
					return
				}
			}
		}
	}
}

// foresee adds what the document would do to the nodes that there are: how many it concerns, which rules concern nobody, whom it cuts off.
func (s *server) foresee(ctx context.Context, t *tenant, n store.Network, doc *acl.Document, users []store.User, r *admin.PolicyReview) error {
	var idle []int
	var cut []loss
	var unmet []compile.Unmet
	var pairs int
	var routes []approval
	routers, err := s.routers(ctx, t, n, doc)
	if err != nil {
		return err
	}
	plains, err := t.Plains(ctx, n.ID)
	if err != nil {
		return err
	}
	err = s.Rules.Ask(ctx, t.ID, n.ID, func(c *compile.Network) {
		next, affected := c.Replace(doc, nil)
		r.Affected = len(affected)
		if n := heavy(next, affected); n > 0 {
			r.Valid = false
			r.Problems = append(r.Problems, admin.PolicyProblem{Severity: "error", Hint: "make fewer rules with long lists of ports about the same nodes",
				What: fmt.Sprintf("what one node would be told has %d bytes, at most %d are allowed", n, compile.MaxCharter)})
		}
		if c.Len() > 0 { // in a network without nodes every rule is about nobody
			idle = next.Idle()
		}
		cut = s.losses(c, next, users)
		unmet, pairs = next.Unmet(1, pairing(plains))
		routes = approvals(next, routers)
		if c.Len() > 1 && allows(c.Document()) && !allows(doc) {
			r.Problems = append(r.Problems, admin.PolicyProblem{Severity: "warning",
				What: fmt.Sprintf("no rule allows anything: the %d nodes of the network lose each other", c.Len())})
		}
	})
	if err != nil {
		return err
	}
	r.Problems = append(r.Problems, tellApprovals(routes)...)
	for i, number := range idle {
		if i == maxIdle {
			r.Problems = append(r.Problems, admin.PolicyProblem{Severity: "warning", More: len(idle) - maxIdle,
				What: fmt.Sprintf("%d more rules are about nobody now", len(idle)-maxIdle)})
			break
		}
		rule := &doc.Rules[number]
		r.Problems = append(r.Problems, admin.PolicyProblem{Line: rule.Pos.Line, Column: rule.Pos.Column, Severity: "warning", Path: rule.Path,
			What: "is about nobody now: no node is among its sources, or none among its destinations"})
	}
	name := t.namer(ctx)
	for _, u := range unmet {
		r.Problems = append(r.Problems, tellUnmet(doc, u, pairs, name))
	}
	for _, l := range cut {
		r.Problems = append(r.Problems, admin.PolicyProblem{Severity: "warning", What: l.tell(name(l.node)),
			Hint: "the controller is reached outside of the network's policy, so that this can be undone: cvlan policy rollback"})
	}
	return nil
}

// pairing reports of two nodes whether they are a pair: a plain device is one only with the nodes that are named for it.
func pairing(plains []store.Plain) func(a, b ident.Node) bool {
	of := make(map[ident.Node][]ident.Node, len(plains))
	for _, p := range plains {
		of[ident.Node(p.ID)] = p.Nodes
	}
	return func(a, b ident.Node) bool {
		for _, x := range [][2]ident.Node{{a, b}, {b, a}} {
			if nodes, plain := of[x[0]]; plain && !slices.Contains(nodes, x[1]) {
				return false
			}
		}
		return true
	}
}

// tellUnmet tells of pairs of nodes that the document lets speak and that have not the protocol for it, by one of them.
func tellUnmet(doc *acl.Document, u compile.Unmet, pairs int, name func(ident.Node) string) admin.PolicyProblem {
	p := admin.PolicyProblem{Severity: "warning", Hint: "let both speak one protocol; what a node speaks is told there by cvlan peers"}
	what := fmt.Sprintf("%s and %s have no tunnel protocol in common, so that nothing passes between them", name(u.A), name(u.B))
	if u.Required {
		what = fmt.Sprintf("IPsec is required of %s and %s, and one of them does not speak it, so that nothing passes between them", name(u.A), name(u.B))
		p.Hint = "let both speak IPsec, or take require out of the rule for them"
		if i := slices.IndexFunc(doc.Rules, func(r acl.Rule) bool { return r.IPsec }); i >= 0 {
			p.Line, p.Column, p.Path = doc.Rules[i].Pos.Line, doc.Rules[i].Pos.Column, doc.Rules[i].Path
		}
	}
	if pairs > 1 {
		what += fmt.Sprintf(", nor between %d more such pairs", pairs-1)
	}
	p.What = what
	return p
}

// heavy returns the size of the first charter among those of some nodes that is over the limit; 0: none is. Short documents make none.
func heavy(c *compile.Network, nodes []ident.Node) int {
	const short = 1000
	if len(c.Document().Rules) < short {
		return 0
	}
	seen := map[uint32]bool{}
	for _, id := range nodes {
		class, ok := c.Class(&compile.Node{ID: id})
		if !ok || seen[class] {
			continue
		}
		seen[class] = true
		if b, _ := c.Charter(class, 1).Encode(); len(b) > compile.MaxCharter {
			return len(b)
		}
	}
	return 0
}

func allows(doc *acl.Document) bool {
	return slices.ContainsFunc(doc.Rules, func(r acl.Rule) bool { return !r.Deny })
}

// loss is somebody who would be cut off.
type loss struct {
	node   ident.Node
	user   store.User // who owns it; zero: the controller runs on it
	before int        // how many nodes it sees
	after  int
}

func (l *loss) tell(name string) string {
	if l.user.Login == "" {
		return fmt.Sprintf("cuts the machine that this controller runs on, %s, off from %d of the %d nodes that see it", name, l.before-l.after, l.before)
	}
	return fmt.Sprintf("cuts %s, a node of %s who is %s, off from all %d nodes that it sees", name, l.user.Login, l.user.Role, l.before)
}

// losses finds which nodes of admins would see nobody any more, and whether the controller is reached through the network and would not be.
func (s *server) losses(old, next *compile.Network, users []store.User) (out []loss) {
	looked := 0
	for _, u := range users {
		if u.Role < store.Admin {
			continue
		}
		for _, x := range old.NodesOf(u.Login) {
			if looked++; looked > maxCut {
				break
			}
			before, after := len(old.Peers(x.ID, nil)), len(next.Peers(x.ID, nil))
			if before > 0 && after == 0 {
				out = append(out, loss{x.ID, u, before, after})
			}
		}
	}
	for _, addr := range s.Addrs {
		host, err := netip.ParseAddrPort(addr)
		if err != nil {
			continue
		}
		if x, ok := old.NodeAt(host.Addr()); ok {
			before, after := len(old.Peers(x.ID, nil)), len(next.Peers(x.ID, nil))
			if after < before {
				out = append(out, loss{node: x.ID, before: before, after: after})
			}
		}
	}
	return out
}

// namer finds the names of nodes, one by one.
func (t *tenant) namer(ctx context.Context) func(ident.Node) string {
	known := map[ident.Node]string{}
	return func(id ident.Node) string {
		name, ok := known[id]
		if !ok {
			if n, err := t.Node(ctx, id); err == nil {
				name = n.Name
			} else if p, err := t.Plain(ctx, ident.Plain(id)); err == nil {
				name = p.Name
			}
			known[id] = name
		}
		return name
	}
}

// nodeNamed finds the nodes and devices of a network by name, with or without the network's, or by identifier.
func (t *tenant) nodeNamed(ctx context.Context, n store.Network) (explain.Names, error) {
	nodes, err := t.Nodes(ctx, n.ID)
	if err != nil {
		return nil, err
	}
	plains, err := t.Plains(ctx, n.ID)
	if err != nil {
		return nil, err
	}
	byName := make(map[string]ident.Node, 2*len(nodes)+2*len(plains))
	for _, p := range plains {
		byName[p.ID.String()], byName[p.Name] = ident.Node(p.ID), ident.Node(p.ID)
	}
	for _, x := range nodes {
		byName[x.ID.String()] = x.ID
	}
	for _, x := range nodes {
		byName[x.Name] = x.ID
	}
	return func(word string) (ident.Node, bool) {
		id, ok := byName[strings.TrimSuffix(word, "."+n.Name)]
		return id, ok
	}, nil
}
