package main

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/policy/compile"
	"github.com/cvlan/cvlan/policy/filter"
)

const (
	crowdNodes  = 100_000
	crowdGroups = 200
	crowdTags   = 50
	crowdRules  = 500
)

// crowd is a company: users in one to four of 200 groups, a tenth of the nodes tagged, 500 rules of one to three sources and one or two
// destinations.
type crowd struct {
	text  string
	nodes []compile.Node
}

func newCrowd() *crowd {
	r := rand.New(rand.NewPCG(4, 2))
	c := &crowd{}
	groups := c.people(r)
	var b strings.Builder
	b.WriteString(`{"groups": {`)
	for i, g := range groups {
		fmt.Fprintf(&b, `"group:g%d": ["%s"],`, i, strings.Join(g, `","`))
	}
	b.WriteString(`}, "tagOwners": {`)
	for i := range crowdTags {
		fmt.Fprintf(&b, `"tag:t%d": [],`, i)
	}
	b.WriteString(`}, "acls": [`)
	one := func() string {
		if r.IntN(5) == 0 {
			return fmt.Sprintf("tag:t%d", r.IntN(crowdTags))
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
	c.text = b.String() + "]}"
	return c
}

// people makes the nodes, and returns the members of each group. There are 2,000 sets of groups that people are in, some far more common than
// others.
func (c *crowd) people(r *rand.Rand) [][]string {
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
		x := compile.Node{ID: ident.Node(i + 1), Addrs: []netip.Addr{netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})}}
		if i%10 == 0 {
			x.Tags = []string{fmt.Sprintf("tag:t%d", r.IntN(crowdTags))}
		} else {
			x.User = fmt.Sprintf("u%d@example.com", i/2)
			if i%2 == 0 || i%10 == 1 { // once a user, of whom most have two nodes
				for _, g := range profiles[int(float64(len(profiles))*r.Float64()*r.Float64())] {
					groups[g] = append(groups[g], x.User)
				}
			}
		}
		c.nodes = append(c.nodes, x)
	}
	return groups
}

const (
	filterRules    = 1000
	filterPrefixes = 10_000
	filterClasses  = 200
)

// spec is a filter of 20 lists with 1,000 rules each, of which a quarter deny, and 10,000 peers in 200 classes.
func spec() *filter.Spec {
	r := rand.New(rand.NewPCG(3, 1))
	s := &filter.Spec{Locals: 1, Remotes: filterClasses, Lists: [][]filter.Span{nil}}
	s.Local = []filter.Place{{Prefix: netip.MustParsePrefix("10.0.0.1/32")}}
	for i := range filterPrefixes {
		s.Remote = append(s.Remote, filter.Place{Prefix: netip.PrefixFrom(peer(i), 32), Class: uint32(r.IntN(filterClasses))})
	}
	for range 20 {
		var list []filter.Span
		at := uint32(filter.TCP << 16)
		for i := range uint32(filterRules) {
			first := at + uint32(r.IntN(30))
			last := first + uint32(r.IntN(30))
			list = append(list, filter.Span{First: first, Last: last, Rule: i, Deny: r.IntN(4) == 0})
			at = last + 1
		}
		s.Lists = append(s.Lists, list)
	}
	for range filterClasses {
		p := filter.Pair{List: uint32(1 + r.IntN(20))}
		s.In, s.Out = append(s.In, p), append(s.Out, p)
	}
	return s
}

func peer(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}) }

// packets are such as a set lets pass, or such as it does not.
func packets(s *filter.Set, pass bool) (list []filter.Packet) {
	r := rand.New(rand.NewPCG(7, 7))
	for len(list) < 4096 {
		p := filter.Packet{Src: filter.AddressOf(peer(r.IntN(filterPrefixes))), Dst: filter.AddressOf(netip.MustParseAddr("10.0.0.1")), Proto: filter.TCP, DstPort: uint16(r.IntN(30_000))}
		if (s.In(&p, true) == filter.Allowed) == pass {
			list = append(list, p)
		}
	}
	return list
}
