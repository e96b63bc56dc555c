package compile

import (
	"math/rand/v2"
	"testing"

	"github.com/cvlan/cvlan/policy/acl"
)

// TestApprovalKnowsGroupsAsRulesDo compares the two ways in which a user is found in a group.
func TestApprovalKnowsGroupsAsRulesDo(t *testing.T) {
	for seed := range uint64(50) {
		w := world{rand.New(rand.NewPCG(seed, 8))}
		ref := &reference{parse(t, w.document()), w.users()}
		n := New(ref.doc, overlay...)
		for _, u := range ref.users {
			n.PutUser(u, nil)
		}
		for _, login := range []string{"ann@a.org", "bob@a.org", "cid@a.org", "dot@b.org", "eve@b.org"} {
			for _, s := range []acl.Selector{
				{Kind: acl.GroupOf, Name: "group:g"}, {Kind: acl.GroupOf, Name: "group:h"}, {Kind: acl.GroupOf, Name: "group:dir"},
				{Kind: acl.Admin}, {Kind: acl.Owner}, {Kind: acl.Member}, {Kind: acl.Domain, Name: "a.org"}, {Kind: acl.User, Name: "ann@a.org"},
			} {
				x := &Node{User: login}
				if got, want := n.named([]acl.Selector{s}, x), ref.selects(&s, party{node: x}, party{}); got != want {
					t.Fatalf("seed %d: %s by %+v: %v, want %v", seed, login, s, got, want)
				}
			}
		}
	}
}
