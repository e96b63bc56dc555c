package explain

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cvlan/cvlan/policy/acl"
	"github.com/cvlan/cvlan/policy/compile"
	"github.com/cvlan/cvlan/policy/filter"
	"github.com/cvlan/cvlan/proto/control"
)

// Question asks whether Src may begin to talk to a service of Dst.
type Question struct {
	Src, Dst compile.Side
	Service  uint32 // protocol<<16 | port, see acl.Service
	At       time.Time
}

// Answer is what the filters say, and why.
type Answer struct {
	Allowed bool
	Reason  filter.Reason
	Side    string // who drops the packet first: "sender", "receiver"; empty if nobody
	Rule    *Rule  // the one that decides; nil if none does
	Visible bool   // whether the two nodes see each other at all
	IPsec   bool   // they talk through IPsec only
	Closed  string // why the two cannot speak although a rule allows it: they have not the tunnel protocol for it; else ""
	Until   time.Time
	Steps   []Step
	Others  int // rules that are not among the steps: they name neither end, or only one, or there are too many
}

// Rule names a rule of the document.
type Rule struct {
	Number      int
	Path        string // "acls[3]"
	Pos         acl.Pos
	Deny        bool
	Priority    int
	Description string
}

// Step is a rule that was looked at.
type Step struct {
	Rule
	Matches bool
	Decides bool
	Missing []string // what does not match: "source", "destination", "protocol", "port", "posture", "window"
}

// turns reports whether the rule may match at another time, or match no more.
func (s *Step) turns(n *compile.Network) bool {
	return n.Document().Rules[s.Number].When != nil && (s.Matches || slices.Equal(s.Missing, []string{"window"}))
}

// Bounds of the steps that are told, beside the one that decides.
const (
	maxNear  = 20 // when no rule names both ends
	maxSteps = 200
)

// Explain answers a question.
func Explain(n *compile.Network, q Question) Answer {
	out, outRule := ask(n, q, true)
	in, inRule := ask(n, q, false)
	a := Answer{Reason: out.reason, Visible: visible(out.plan), IPsec: out.ipsec, Until: out.until}
	number := outRule
	switch {
	case out.reason != filter.Allowed:
		a.Side = "sender"
	case in.reason != filter.Allowed:
		a.Side, a.Reason, number = "receiver", in.reason, inRule
	}
	a.Allowed = a.Reason == filter.Allowed
	if number >= 0 {
		r := ruleOf(n, number)
		a.Rule = &r
	}
	a.Steps, a.Others = steps(n, q, number)
	if len(a.Steps) < maxSteps && !slices.ContainsFunc(a.Steps, func(s Step) bool { return s.turns(n) }) {
		a.Until = time.Time{}
	}
	a.meet(q)
	return a
}

// meet closes what a rule allows and the two nodes have no tunnel for.
func (a *Answer) meet(q Question) {
	if !a.Allowed {
		return
	}
	switch both := q.Src.Node.Common(&q.Dst.Node); {
	case both == 0:
		a.Reason = filter.UnknownDestination
		a.Closed = fmt.Sprintf("they have no tunnel protocol in common: the source speaks %s only, the destination %s", q.Src.Node.Speaks, q.Dst.Node.Speaks)
	case a.IPsec && both&control.IPsec == 0:
		a.Reason = filter.NeedsIPsec
		who, speaks := "destination", q.Dst.Node.Speaks
		if speaks == 0 || speaks&control.IPsec != 0 {
			who, speaks = "source", q.Src.Node.Speaks
		}
		a.Closed = fmt.Sprintf("the %s speaks %s only", who, speaks)
	default:
		return
	}
	a.Allowed, a.Side = false, "sender"
}

// allowed is what matters most of an Answer.
func allowed(n *compile.Network, q Question) bool {
	out, _ := ask(n, q, true)
	if out.reason != filter.Allowed {
		return false
	}
	in, _ := ask(n, q, false)
	return in.reason == filter.Allowed
}

// verdict is what one end's filter says.
type verdict struct {
	plan   *compile.Plan
	reason filter.Reason
	ipsec  bool
	until  time.Time
}

// Stand-ins for nodes without an address: documentation addresses, which no selector is asked about.
var (
	standIn4 = [2]netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}
	standIn6 = [2]netip.Addr{netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")}
)

// ask makes the filter of one end and asks it about the packet. The rule is -1 if none decides.
func ask(n *compile.Network, q Question, sender bool) (v verdict, rule int) {
	local, remote := q.Src, q.Dst
	if !sender {
		local, remote = q.Dst, q.Src
	}
	plan := n.PlanBetween(local.Node, remote.Node)
	src, dst := addresses(q.Src, q.Dst)
	mine, other := src, dst
	if !sender {
		mine, other = dst, src
	}
	if !local.Addr.IsValid() {
		plan.Local = append(plan.Local, filter.Place{Prefix: netip.PrefixFrom(mine, mine.BitLen())})
	}
	if !remote.Addr.IsValid() {
		plan.Remote = append(plan.Remote, filter.Place{Prefix: netip.PrefixFrom(other, other.BitLen())})
	}
	spec, until := plan.At(q.At)
	v.plan, v.until = plan, until
	set, err := filter.New(spec)
	if err != nil { // the compiler made what the filter refuses: nothing passes
		return verdict{plan: plan, reason: filter.Malformed}, -1
	}
	p := filter.Packet{Src: filter.AddressOf(src), Dst: filter.AddressOf(dst), Proto: uint8(q.Service >> 16), DstPort: uint16(q.Service)}
	var number uint32
	var known bool
	if sender {
		v.reason = set.Out(&p, true)
		v.ipsec = v.reason == filter.Allowed && set.Out(&p, false) == filter.NeedsIPsec
		number, known = set.RuleOut(&p)
	} else {
		v.reason = set.In(&p, true)
		v.ipsec = v.reason == filter.Allowed && set.In(&p, false) == filter.NeedsIPsec
		number, known = set.RuleIn(&p)
	}
	if !known {
		return v, -1
	}
	return v, int(number)
}

// visible reports whether a Plan for one peer allows anything at any time.
func visible(p *compile.Plan) bool {
	for _, pairs := range [][]filter.Pair{p.In, p.Out} {
		for _, pair := range pairs {
			if p.Opens(pair.List) {
				return true
			}
		}
	}
	return false
}

// addresses picks those of the packet: of one family, real ones if there are.
func addresses(src, dst compile.Side) (from, to netip.Addr) {
	for _, v6 := range []bool{false, true} {
		a, ok := addressOf(src, v6, 0)
		b, ok2 := addressOf(dst, v6, 1)
		if ok && ok2 {
			return a, b
		}
	}
	return standIn4[0], standIn4[1]
}

func addressOf(s compile.Side, v6 bool, i int) (netip.Addr, bool) {
	if s.Addr.IsValid() {
		return s.Addr, s.Addr.Is6() == v6
	}
	for _, a := range s.Node.Addrs {
		if a.Is6() == v6 {
			return a, true
		}
	}
	if v6 {
		return standIn6[i], true
	}
	return standIn4[i], true
}

func ruleOf(n *compile.Network, number int) Rule {
	r := &n.Document().Rules[number]
	return Rule{number, r.Path, r.Pos, r.Deny, r.Priority, r.Description}
}

// steps tells which rules were near, and why they do not match.
func steps(n *compile.Network, q Question, decides int) (out []Step, others int) {
	matches := n.Trace(q.Src, q.Dst, q.Service, q.At)
	both := slices.ContainsFunc(matches, func(m compile.Match) bool { return m.Src && m.Dst })
	for _, m := range matches {
		near := m.Src && m.Dst && len(out) < maxSteps
		if !both {
			near = (m.Src || m.Dst) && len(out) < maxNear
		}
		near = near || m.Rule == decides
		if !near {
			others++
			continue
		}
		s := Step{Rule: ruleOf(n, m.Rule), Matches: m.All(), Decides: m.Rule == decides}
		for _, part := range []struct {
			ok   bool
			name string
		}{{m.Src, "source"}, {m.Dst, "destination"}, {m.Service || !m.Foreign, "protocol"}, {m.Service || m.Foreign, "port"}, {m.Posture, "posture"}, {m.Active, "window"}} {
			if !part.ok {
				s.Missing = append(s.Missing, part.name)
			}
		}
		out = append(out, s)
	}
	return out, others
}

// String writes the answer in a few lines for people.
func (a Answer) String() string {
	var b strings.Builder
	switch {
	case a.Allowed:
		fmt.Fprintf(&b, "allowed by %s at line %d", a.Rule.Path, a.Rule.Pos.Line)
		if a.IPsec {
			b.WriteString(", through IPsec only")
		}
	case a.Closed != "":
		fmt.Fprintf(&b, "denied: allowed by %s at line %d", a.Rule.Path, a.Rule.Pos.Line)
		if a.IPsec {
			b.WriteString(", through IPsec only")
		}
		b.WriteString(", but " + a.Closed)
	case a.Rule != nil:
		fmt.Fprintf(&b, "denied by %s at line %d, at the %s", a.Rule.Path, a.Rule.Pos.Line, a.Side)
	case a.Visible:
		fmt.Fprintf(&b, "denied: no rule allows it; dropped at the %s", a.Side)
	default:
		b.WriteString("denied: no rule allows anything between them, so that they do not see each other")
	}
	if !a.Until.IsZero() {
		fmt.Fprintf(&b, "; a window opens or closes %s", a.Until.Format(time.RFC3339))
	}
	for _, s := range a.Steps {
		word := "allows"
		if s.Deny {
			word = "denies"
		}
		fmt.Fprintf(&b, "\n  %s (line %d) %s", s.Path, s.Pos.Line, word)
		switch {
		case s.Decides:
			b.WriteString(": decides")
		case s.Matches:
			b.WriteString(": matches, but another decides")
		default:
			b.WriteString(": another " + strings.Join(s.Missing, ", another "))
		}
		if s.Priority != 0 {
			fmt.Fprintf(&b, " (priority %d)", s.Priority)
		}
	}
	switch {
	case a.Others == 1:
		b.WriteString("\n  1 other rule is about others")
	case a.Others > 1:
		fmt.Fprintf(&b, "\n  %d other rules are about others", a.Others)
	}
	return b.String()
}
