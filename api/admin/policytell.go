package admin

import (
	"net/netip"
	"strings"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/policy/acl"
	"github.com/cvlan/cvlan/policy/explain"
)

// PolicyProblem is one thing that is wrong with a document, or to be known about it.
type PolicyProblem struct {
	Line     int32  `json:"line" doc:"From 1; 0: about no place in particular"`
	Column   int32  `json:"column" doc:"From 1, in characters"`
	Severity string `json:"severity" enum:"error,warning"`
	Path     string `json:"path,omitempty" example:"acls[3].src[0]"`
	Text     string `json:"text,omitempty" doc:"What stands there"`
	What     string `json:"what"`
	Hint     string `json:"hint,omitempty" doc:"What to do"`
	More     int    `json:"more,omitempty" doc:"So many of this severity were found that are not told; without it, this is one"`
}

// PolicyFailure is a test of a document that the document does not pass.
type PolicyFailure struct {
	Path        string       `json:"path" example:"tests[0]"`
	Line        int32        `json:"line"`
	Column      int32        `json:"column"`
	Src         string       `json:"src" doc:"The source as it is written" example:"alice@example.com"`
	Probe       string       `json:"probe" doc:"The destination as it is written" example:"tag:db:5432"`
	Expected    string       `json:"expected" enum:"accept,deny"`
	Why         string       `json:"why" doc:"For people"`
	Explanation *Explanation `json:"explanation,omitempty" doc:"Of the first ones; absent if the test cannot be run"`
}

// PolicyReview is what there is to say of a document before it applies.
type PolicyReview struct {
	Valid    bool            `json:"valid" doc:"Whether it could be put in force: no error, and every test passes"`
	Rules    int             `json:"rules"`
	Tests    int             `json:"tests"`
	Problems []PolicyProblem `json:"problems" nullable:"false"`
	Failures []PolicyFailure `json:"failures" nullable:"false" doc:"Tests that it does not pass"`
	Affected int             `json:"affected,omitempty" doc:"Nodes whose rules, or view of others, differ from what is in force"`
}

// PolicyRule names a rule of a document.
type PolicyRule struct {
	Number      int    `json:"number" doc:"From 0, those of acls first, then those of grants"`
	Path        string `json:"path" example:"acls[3]"`
	Line        int32  `json:"line"`
	Column      int32  `json:"column"`
	Action      string `json:"action" enum:"accept,deny"`
	Priority    int    `json:"priority,omitempty"`
	Description string `json:"description,omitempty"`
}

// PolicyStep is a rule that was looked at.
type PolicyStep struct {
	PolicyRule
	Matches bool     `json:"matches"`
	Decides bool     `json:"decides"`
	Missing []string `json:"missing,omitempty" nullable:"false" doc:"What of it does not match: source, destination, protocol, port, posture, window"`
}

// PolicyParty is one end of a question.
type PolicyParty struct {
	Node    ident.Node `json:"node,omitzero" doc:"Absent: a node that does not exist, but might"`
	Name    string     `json:"name,omitempty"`
	User    string     `json:"user,omitempty"`
	Tags    []string   `json:"tags,omitempty" nullable:"false"`
	Address netip.Addr `json:"address,omitzero" doc:"An address behind the node"`
}

// Explanation says whether one may begin to talk to another, and why.
type Explanation struct {
	Src     PolicyParty  `json:"src"`
	Dst     PolicyParty  `json:"dst"`
	Service string       `json:"service" example:"tcp:443"`
	At      time.Time    `json:"at"`
	Allowed bool         `json:"allowed"`
	Reason  string       `json:"reason" doc:"As the nodes count it" example:"no_rule"`
	Side    string       `json:"side,omitempty" doc:"Who drops the packet first: sender or receiver"`
	Rule    *PolicyRule  `json:"rule,omitempty" doc:"The one that decides; absent if none does"`
	Visible bool         `json:"visible" doc:"Whether the two see each other at all"`
	IPsec   bool         `json:"ipsec,omitempty" doc:"They talk through IPsec only"`
	Closed  string       `json:"closed,omitempty" doc:"Why the two cannot speak although a rule allows it: they have not the tunnel protocol for it"`
	Until   time.Time    `json:"until,omitzero" doc:"When a window opens or closes, which may change the answer"`
	Steps   []PolicyStep `json:"steps" nullable:"false" doc:"The rules that are near, in the order of the document"`
	Others  int          `json:"others" doc:"Rules about others, which are not among the steps"`
	Text    string       `json:"text" doc:"All of it for people"`
}

// TellProblems writes what the parser says for people and scripts.
func TellProblems(list acl.Problems) []PolicyProblem {
	out := make([]PolicyProblem, len(list))
	for i, p := range list {
		out[i] = PolicyProblem{p.Pos.Line, p.Pos.Column, "error", p.Path, p.Text, p.What, p.Hint, p.More}
		if p.Warning {
			out[i].Severity = "warning"
		}
	}
	return out
}

// maxExplained bounds the failures that are explained step by step.
const maxExplained = 20

// TellFailures writes which tests failed, and explains the first ones. name finds a node's name; nil knows none.
func TellFailures(list []explain.Failure, name func(ident.Node) string) []PolicyFailure {
	out := make([]PolicyFailure, len(list))
	for i, f := range list {
		out[i] = PolicyFailure{Path: f.Path, Line: f.Pos.Line, Column: f.Pos.Column, Src: f.Src, Probe: f.Probe, Expected: "deny", Why: f.Why()}
		if f.Accept {
			out[i].Expected = "accept"
		}
		if i >= maxExplained {
			out[i].Why, _, _ = strings.Cut(out[i].Why, "\n")
		} else if f.Err == nil {
			e := TellAnswer(f.Asked, f.Answer, name)
			out[i].Explanation = &e
		}
	}
	return out
}

// TellAnswer writes an answer with its question.
func TellAnswer(q explain.Question, a explain.Answer, name func(ident.Node) string) Explanation {
	e := Explanation{Service: acl.Service{First: q.Service, Last: q.Service}.String(), At: q.At, Allowed: a.Allowed, Reason: a.Reason.String(), Side: a.Side,
		Visible: a.Visible, IPsec: a.IPsec, Closed: a.Closed, Until: a.Until, Steps: []PolicyStep{}, Others: a.Others, Text: a.String()}
	e.Src.Node, e.Src.User, e.Src.Tags, e.Src.Address = q.Src.Node.ID, q.Src.Node.User, tagsOf(q.Src.Node.Tags), q.Src.Addr
	e.Dst.Node, e.Dst.User, e.Dst.Tags, e.Dst.Address = q.Dst.Node.ID, q.Dst.Node.User, tagsOf(q.Dst.Node.Tags), q.Dst.Addr
	for _, p := range []*PolicyParty{&e.Src, &e.Dst} {
		if name != nil && !p.Node.IsZero() {
			p.Name = name(p.Node)
		}
	}
	if a.Rule != nil {
		r := tellRule(*a.Rule)
		e.Rule = &r
	}
	for _, s := range a.Steps {
		e.Steps = append(e.Steps, PolicyStep{tellRule(s.Rule), s.Matches, s.Decides, s.Missing})
	}
	return e
}

// tagsOf leaves out the tag of stand-ins, which nobody wrote.
func tagsOf(tags []string) []string {
	if len(tags) == 1 && tags[0] == "tag:" {
		return nil
	}
	return tags
}

func tellRule(r explain.Rule) PolicyRule {
	out := PolicyRule{r.Number, r.Path, r.Pos.Line, r.Pos.Column, "accept", r.Priority, r.Description}
	if r.Deny {
		out.Action = "deny"
	}
	return out
}
