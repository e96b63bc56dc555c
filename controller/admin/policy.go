package admin

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/controller/hub"
	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/policy/acl"
	"github.com/cvlan/cvlan/policy/compile"
)

// Rulebook answers questions of networks' policies as they are in force.
type Rulebook interface {
	// Ask lets f ask a network's policy. f runs under a lock: it is quick, keeps nothing of the Network and does not change it.
	Ask(ctx context.Context, tenant ident.Tenant, network ident.Network, f func(*compile.Network)) error
	// Applied reports how far the newest document has come.
	Applied(tenant ident.Tenant, network ident.Network) hub.Applied
}

func (s *server) getPolicy(ctx context.Context, t *tenant, in *admin.OneNetworkIn) (*admin.PolicyOut, error) {
	n, err := t.network(ctx, in.Network)
	if err != nil {
		return nil, err
	}
	p, err := t.Policy(ctx, n.ID)
	if err != nil {
		return nil, err
	}
	return policyOut(n, p), nil
}

func (s *server) getPolicyVersion(ctx context.Context, t *tenant, in *admin.PolicyVersionIn) (*admin.PolicyOut, error) {
	n, err := t.network(ctx, in.Network)
	if err != nil {
		return nil, err
	}
	p, err := t.PolicyAt(ctx, n.ID, uint64(in.Number))
	if err != nil {
		return nil, err
	}
	return policyOut(n, p), nil
}

func policyOut(n store.Network, p store.Policy) *admin.PolicyOut {
	return &admin.PolicyOut{ETag: strconv.Quote(p.ETag), Body: admin.Policy{PolicyVersion: showPolicy(p), NetworkName: n.Name, Text: string(p.Text)}}
}

func showPolicy(p store.Policy) admin.PolicyVersion {
	return admin.PolicyVersion{Network: p.Network, Number: p.Number, ETag: p.ETag, Author: p.Author, Comment: p.Comment, At: p.At}
}

func (s *server) listPolicies(ctx context.Context, t *tenant, in *admin.ListPoliciesIn) (*admin.ListPoliciesOut, error) {
	n, err := t.network(ctx, in.Network)
	if err != nil {
		return nil, err
	}
	var below uint64
	if in.After != "" {
		if below, err = strconv.ParseUint(in.After, 10, 63); err != nil || below == 0 {
			return nil, invalid(t.route, "the cursor is none that a page before gave", "start without a cursor")
		}
	}
	all, err := t.PolicyHistory(ctx, n.ID, below, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return &admin.ListPoliciesOut{Body: pageByName(all, in.Limit, func(p store.Policy) string { return strconv.FormatUint(p.Number, 10) }, showPolicy)}, nil
}

// setPolicy looks at the document first, and puts it in force only if there is nothing wrong with it.
func (s *server) setPolicy(ctx context.Context, t *tenant, in *admin.SetPolicyIn) (*admin.SetPolicyOut, error) {
	n, before, err := t.policyIs(ctx, in.Network, in.IfMatch)
	if err != nil {
		return nil, err
	}
	_, review, err := s.review(ctx, t, n, in.Body.Text, s.Now())
	if err != nil {
		return nil, err
	}
	if !review.Valid {
		return nil, refusal(t.route, review)
	}
	p, err := t.PutPolicy(ctx, n.ID, []byte(in.Body.Text), t.actor(), in.Body.Comment, etagOf(in.IfMatch))
	if err != nil {
		return nil, err
	}
	return &admin.SetPolicyOut{ETag: strconv.Quote(p.ETag), Body: admin.PolicySet{Policy: showPolicy(p), Changed: p.Number != before.Number, Review: *review}}, nil
}

// policyIs finds the policy in force, and refuses early who means another one. The store asks again when it writes.
func (t *tenant) policyIs(ctx context.Context, network string, want admin.IfMatch) (store.Network, store.Policy, error) {
	n, err := t.network(ctx, network)
	if err != nil {
		return n, store.Policy{}, err
	}
	p, err := t.Policy(ctx, n.ID)
	if tag := etagOf(want); err == nil && tag != "" && tag != p.ETag {
		err = admin.CodeChanged.Problem(title(t.route), fmt.Sprintf("version %d is in force meanwhile, by %s", p.Number, p.Author), "look at it, and decide again")
	}
	return n, p, err
}

func etagOf(m admin.IfMatch) string {
	if !m.Conditional() {
		return ""
	}
	return strings.Trim(m.IfMatch, `"`)
}

// refusal is the problem of a document that cannot be put in force.
func refusal(r admin.Route, review *admin.PolicyReview) error {
	code, detail, hint := admin.CodePolicyTest, "", "change the document, or its tests"
	for _, p := range review.Problems {
		if p.Severity == "error" {
			code, hint = admin.CodePolicy, "mend the document; all of its errors are in the review"
			detail = fmt.Sprintf("line %d, column %d: %s", p.Line, p.Column, p.What)
			break
		}
	}
	if code == admin.CodePolicyTest {
		detail, _, _ = strings.Cut(review.Failures[0].Path+": "+review.Failures[0].Why, "\n")
	}
	p := code.Problem(title(r), detail, hint)
	p.Review = review
	return p
}

func (s *server) checkPolicy(ctx context.Context, t *tenant, in *admin.CheckPolicyIn) (*admin.CheckPolicyOut, error) {
	n, err := t.network(ctx, in.Network)
	if err != nil {
		return nil, err
	}
	_, review, err := s.review(ctx, t, n, in.Body.Text, s.when(in.Body.At))
	if err != nil {
		return nil, err
	}
	return &admin.CheckPolicyOut{Body: *review}, nil
}

func (s *server) getPolicyStatus(ctx context.Context, t *tenant, in *admin.OneNetworkIn) (*admin.PolicyStatusOut, error) {
	n, err := t.network(ctx, in.Network)
	if err != nil {
		return nil, err
	}
	p, err := t.Policy(ctx, n.ID)
	if err != nil {
		return nil, err
	}
	out := admin.PolicyStatus{PolicyVersion: showPolicy(p)}
	if err := s.Rules.Ask(ctx, t.ID, n.ID, func(c *compile.Network) { out.Rules = len(c.Document().Rules) }); err != nil {
		return nil, err
	}
	a := s.Rules.Applied(t.ID, n.ID)
	out.Nodes, out.Current, out.Affected = a.Nodes, a.Current, a.Affected
	out.P50, out.P99, out.Max = a.P50.Seconds(), a.P99.Seconds(), a.Max.Seconds()
	return &admin.PolicyStatusOut{Body: out}, nil
}

// tooLong is the problem of a document over the limit.
func tooLong(r admin.Route, size int) error {
	return admin.CodeTooLarge.Problem(title(r), fmt.Sprintf("the document has %d bytes, at most %d are allowed", size, acl.MaxSize),
		"put lists of addresses into \"hosts\" as prefixes, and people into groups of the directory")
}
