package admin

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/policy/acl"
	"github.com/cvlan/cvlan/policy/compile"
	"github.com/cvlan/cvlan/policy/explain"
	"github.com/cvlan/cvlan/proto/control"
)

// maxPairs bounds the pairs of nodes that one question is answered for.
const maxPairs = 20

func (s *server) explainPolicy(ctx context.Context, t *tenant, in *admin.ExplainPolicyIn) (*admin.ExplainPolicyOut, error) {
	n, err := t.network(ctx, in.Network)
	if err != nil {
		return nil, err
	}
	target, service, err := explain.ParseTarget(in.Body.Dst)
	if err != nil {
		return nil, invalid(t.route, err.Error(), "such as web-1:443, web-1:53/udp or web-1/icmp")
	}
	names, err := t.nodeNamed(ctx, n)
	if err != nil {
		return nil, err
	}
	doc, err := s.instead(ctx, t, n, in.Body)
	if err != nil {
		return nil, err
	}
	q := explain.Question{Service: service, At: s.when(in.Body.At)}
	var asked []explain.Question
	var answers []explain.Answer
	var unknown error
	out := admin.PolicyAnswers{Answers: []admin.Explanation{}}
	if doc == nil {
		p, err := t.Policy(ctx, n.ID)
		if err != nil {
			return nil, err
		}
		out.Number = p.Number
	}
	err = s.Rules.Ask(ctx, t.ID, n.ID, func(c *compile.Network) {
		if doc != nil {
			c, _ = c.Replace(doc, nil)
		}
		asked, out.More, unknown = pairs(c, names, in.Body.Src, target, q)
		for _, q := range asked {
			answers = append(answers, explain.Explain(c, q))
		}
	})
	if err != nil {
		return nil, err
	}
	if unknown != nil {
		return nil, admin.CodeNotFound.Problem(title(t.route), unknown.Error(), "see which nodes there are: cvlan admin node list --network "+n.Name)
	}
	name := t.namer(ctx)
	for i := range asked {
		out.Answers = append(out.Answers, admin.TellAnswer(asked[i], answers[i], name))
	}
	return &admin.ExplainPolicyOut{Body: out}, nil
}

// instead reads the document that a question brings; nil if it brings none.
func (s *server) instead(ctx context.Context, t *tenant, n store.Network, q admin.PolicyQuestion) (*acl.Document, error) {
	if q.Text == "" {
		return nil, nil
	}
	doc, review, err := s.review(ctx, t, n, q.Text, s.when(q.At))
	if err == nil && doc == nil {
		err = refusal(t.route, review)
	}
	return doc, err
}

// pairs makes a question for each pair that two words stand for. Nobody asks whether a node reaches itself.
func pairs(c *compile.Network, names explain.Names, src, dst string, q explain.Question) (out []explain.Question, more int, err error) {
	from, err := explain.Sides(c, names, src)
	if err != nil {
		return nil, 0, err
	}
	to, err := explain.Sides(c, names, dst)
	if err != nil {
		return nil, 0, err
	}
	for _, q.Src = range from {
		for _, q.Dst = range to {
			same := !q.Src.Node.ID.IsZero() && q.Src.Node.ID == q.Dst.Node.ID && !q.Src.Addr.IsValid() && !q.Dst.Addr.IsValid()
			switch {
			case same:
			case len(out) == maxPairs:
				more++
			default:
				out = append(out, q)
			}
		}
	}
	return out, more, nil
}

func (s *server) comparePolicy(ctx context.Context, t *tenant, in *admin.ComparePolicyIn) (*admin.ComparePolicyOut, error) {
	n, err := t.network(ctx, in.Network)
	if err != nil {
		return nil, err
	}
	at := s.when(in.Body.At)
	doc, review, err := s.review(ctx, t, n, in.Body.Text, at)
	if err != nil {
		return nil, err
	}
	out := &admin.ComparePolicyOut{Body: admin.PolicyComparison{Review: *review, Differences: []admin.PolicyDifference{}}}
	if doc == nil {
		return nil, refusal(t.route, review)
	}
	var list []compile.Difference
	err = s.Rules.Ask(ctx, t.ID, n.ID, func(c *compile.Network) {
		next, _ := c.Replace(doc, nil)
		list, out.Body.More = compile.Compare(c, next, at)
	})
	if err != nil {
		return nil, err
	}
	name := t.namer(ctx)
	crowd := func(c compile.Crowd) admin.PolicyCrowd {
		p := admin.PolicyCrowd{Nodes: c.Nodes, Behind: c.Behind}
		if c.Nodes > 0 {
			if p.Sample = name(c.Sample); p.Sample == "" {
				p.Sample = c.Sample.String()
			}
		}
		return p
	}
	for _, d := range list {
		out.Body.Differences = append(out.Body.Differences, admin.PolicyDifference{Src: crowd(d.Src), Dst: crowd(d.Dst), SameUser: d.SameUser,
			Opened: services(d.Opened), Closed: services(d.Closed)})
	}
	slices.SortStableFunc(out.Body.Differences, func(a, b admin.PolicyDifference) int {
		return cmp.Or(cmp.Compare(a.Src.Sample, b.Src.Sample), control.CompareRoutes(a.Src.Behind, b.Src.Behind),
			cmp.Compare(a.Dst.Sample, b.Dst.Sample), control.CompareRoutes(a.Dst.Behind, b.Dst.Behind))
	})
	return out, nil
}

// maxServices bounds the services that are listed of one difference.
const maxServices = 100

// services writes services as people know them.
func services(list []acl.Service) []string {
	out := []string{}
	for i, s := range list {
		if i == maxServices {
			return append(out, "and "+strconv.Itoa(len(list)-i)+" more")
		}
		out = append(out, s.String())
	}
	return out
}
