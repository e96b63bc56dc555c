package explain

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/policy/acl"
	"github.com/cvlan/cvlan/policy/compile"
)

// Failure is a test of the document that the document does not pass.
type Failure struct {
	Path   string // "tests[0]"
	Pos    acl.Pos
	Src    string // as written
	Probe  string // the destination as written
	Accept bool   // what was expected
	Asked  Question
	Answer Answer
	Err    error // the test cannot be run
}

// Why says what was expected and what is.
func (f Failure) Why() string {
	if f.Err != nil {
		return fmt.Sprintf("%s to %s cannot be tested: %v", f.Src, f.Probe, f.Err)
	}
	want := "be denied"
	if f.Accept {
		want = "be accepted"
	}
	return fmt.Sprintf("%s to %s should %s, but is %v", f.Src, f.Probe, want, f.Answer)
}

// MaxFailures bounds the failures that Test tells.
const MaxFailures = 1000

// Test runs the document's tests against the network, until MaxFailures have failed. A test that names no instant is run at now. Before
// each question it asks whether to go on, unless that is nil; whole tells whether all were asked.
func Test(n *compile.Network, now time.Time, on func() bool) (failures []Failure, whole bool) {
	for _, t := range n.Document().Tests {
		when := t.When
		if when.IsZero() {
			when = now
		}
		for i, probes := range [][]acl.Probe{t.Accept, t.Deny} {
			for _, p := range probes {
				f := Failure{Path: t.Path, Pos: t.Pos, Src: t.Src.Text, Probe: p.Text, Accept: i == 0}
				if on != nil && !on() {
					return failures, false
				}
				if holds(n, t, p, when, &f) {
					continue
				}
				if failures = append(failures, f); len(failures) == MaxFailures {
					return failures, true
				}
			}
		}
	}
	return failures, true
}

// holds runs one probe for everybody whom the test's source and destination stand for, and notes the first that disappoints.
func holds(n *compile.Network, t acl.Test, p acl.Probe, when time.Time, f *Failure) bool {
	sources, err := standFor(n, t.Src, nil)
	if err != nil {
		f.Err = err
		return false
	}
	for _, src := range sources {
		if t.Attrs != nil {
			src.Node.Attrs = t.Attrs
		}
		destinations, err := standFor(n, p.Selector, &src.Node)
		if err != nil {
			f.Err = err
			return false
		}
		for _, dst := range destinations {
			f.Asked = Question{Src: src, Dst: dst, Service: p.Services[0].First, At: when}
			if allowed(n, f.Asked) != f.Accept {
				f.Answer = Explain(n, f.Asked)
				return false
			}
		}
	}
	return true
}

// somebody is the login of a user of whom a domain only is known. It is no valid address, so that nobody has it.
const somebody = "*"

// standFor makes the parties that a selector of a test stands for: nodes that need not exist, so that a test does not change its result
// when somebody leaves. Addresses are those of nodes and routers that there are.
func standFor(n *compile.Network, s acl.Selector, src *compile.Node) ([]compile.Side, error) {
	node := func(x compile.Node) ([]compile.Side, error) { return []compile.Side{{Node: x}}, nil }
	switch s.Kind {
	case acl.User:
		return node(compile.Node{User: s.Name})
	case acl.Domain:
		return node(compile.Node{User: somebody + "@" + s.Name})
	case acl.GroupOf:
		return members(n, s.Name)
	case acl.Tag:
		return node(compile.Node{Tags: []string{s.Name}})
	case acl.Tagged:
		return node(compile.Node{Tags: []string{"tag:"}})
	case acl.Member:
		return node(compile.Node{})
	case acl.Address:
		return at(n, s.Prefixes[0].Addr()), nil
	case acl.Self:
		if src != nil && src.User != "" {
			return node(compile.Node{User: src.User})
		}
	case acl.Internet:
		any4 := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		return []compile.Side{{Node: compile.Node{Tags: []string{"tag:"}, Routes: []netip.Prefix{any4}}, Addr: publicAddress}}, nil
	}
	return nil, fmt.Errorf("%s stands for nobody in particular; name a user, a tag or an address", s.Text)
}

var publicAddress = netip.MustParseAddr("1.1.1.1")
