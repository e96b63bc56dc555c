package compile

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/policy/acl"
)

const (
	crowdNodes  = 100_000
	crowdGroups = 200
	crowdRules  = 500
)

// crowd is a company: users in one to four of 200 groups, a tenth of the nodes tagged, 500 rules of one to three sources and one or two
// destinations.
func crowd() (text string, nodes []Node) {
	r := rand.New(rand.NewPCG(4, 2))
	groups := make([][]string, crowdGroups)
	var profiles [][]int
	for range 2000 {
		var p []int
		for range 1 + r.IntN(4) {
			p = append(p, r.IntN(crowdGroups))
		}
		profiles = append(profiles, p)
	}
	for i := range crowdNodes {
		x := Node{ID: ident.Node(i + 1), Addrs: []netip.Addr{netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})}}
		if i%10 == 0 {
			x.Tags = []string{fmt.Sprintf("tag:t%d", r.IntN(50))}
		} else {
			x.User = fmt.Sprintf("u%d@example.com", i/2)
			if i%2 == 0 || i%10 == 1 {
				for _, g := range profiles[int(float64(len(profiles))*r.Float64()*r.Float64())] {
					groups[g] = append(groups[g], x.User)
				}
			}
		}
		nodes = append(nodes, x)
	}
	var b strings.Builder
	b.WriteString(`{"groups": {`)
	for i, g := range groups {
		fmt.Fprintf(&b, `"group:g%d": ["%s"],`, i, strings.Join(g, `","`))
	}
	b.WriteString(`}, "tagOwners": {`)
	for i := range 50 {
		fmt.Fprintf(&b, `"tag:t%d": [],`, i)
	}
	b.WriteString(`}, "acls": [`)
	one := func() string {
		if r.IntN(5) == 0 {
			return fmt.Sprintf("tag:t%d", r.IntN(50))
		}
		return fmt.Sprintf("group:g%d", r.IntN(crowdGroups))
	}
	for range crowdRules {
		var src, dst []string
		for range 1 + r.IntN(3) {
			src = append(src, `"`+one()+`"`)
		}
		for range 1 + r.IntN(2) {
			dst = append(dst, fmt.Sprintf(`"%s:%d"`, one(), 1+r.IntN(60000)))
		}
		fmt.Fprintf(&b, `{"src": [%s], "dst": [%s]},`, strings.Join(src, ","), strings.Join(dst, ","))
	}
	b.WriteString("]}")
	return b.String(), nodes
}

func BenchmarkCrowd(b *testing.B) {
	text, nodes := crowd()
	var doc *acl.Document
	b.Run("parse", func(b *testing.B) {
		for b.Loop() {
			doc, _ = acl.Parse([]byte(text), acl.Options{})
		}
	})
	var n *Network
	b.Run("compile", func(b *testing.B) {
		for b.Loop() {
			n = New(doc)
			n.Load(nodes)
			for i := range n.faces {
				n.row(uint32(i), nil)
			}
		}
		b.ReportMetric(float64(n.Classes()), "classes")
	})
	b.Run("node", func(b *testing.B) {
		var told []ident.Node
		tags := []string{"tag:t1", "tag:t2"}
		i := 0
		for b.Loop() {
			x := nodes[10]
			x.Tags = tags[i%2 : i%2+1]
			told = n.Put(x, told[:0])
			i++
		}
		b.ReportMetric(float64(len(told)), "nodes-told")
	})
	b.Run("edit", func(b *testing.B) {
		var told []ident.Node
		changed, _ := acl.Parse([]byte(strings.Replace(text, `"acls": [`, `"acls": [{"src": ["group:g7"], "dst": ["tag:t3:99"]},`, 1)), acl.Options{})
		for b.Loop() {
			_, told = n.Replace(changed, told[:0])
		}
		b.ReportMetric(float64(len(told)), "nodes-told")
	})
	b.Run("plan", func(b *testing.B) {
		i := 0
		for b.Loop() {
			p, _ := n.Plan(nodes[i*7919%crowdNodes].ID, 1)
			p.At(instants[0])
			i++
		}
	})
}
