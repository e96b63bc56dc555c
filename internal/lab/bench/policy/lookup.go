package main

import (
	"cmp"
	"math/rand/v2"
	"net/netip"
	"slices"

	"github.com/gaissmai/bart"
)

// lookup is the least that a filter without state does, with what the library of the field has: whose rules by the longest prefix of the source, whether
// one has the port by halving. No header is taken apart, and nothing is remembered or counted. It tells machines apart, and what a figure of the filter is worth there.
type lookup struct {
	whose bart.Fast[uint32]
	lists [][]ports // of a source, sorted, none beside another
	asked []asked
}

type ports struct{ first, last uint16 }

type asked struct {
	source netip.Addr
	port   uint16
}

// newLookup has 1,000 rules, each for 20 of 20,000 sources, and 4,096 packets, of which half are allowed.
func newLookup() *lookup {
	const sources, of = 20_000, 20
	r := rand.New(rand.NewPCG(2, 2))
	rules := map[netip.Addr][]ports{}
	l := &lookup{asked: make([]asked, 4096)}
	for range filterRules {
		first := uint16(r.IntN(60_000))
		for range of {
			a := peer(r.IntN(sources))
			rules[a] = append(rules[a], ports{first, first + uint16(r.IntN(50))})
		}
	}
	var all []netip.Addr
	for a, list := range rules {
		all = append(all, a)
		l.whose.Insert(netip.PrefixFrom(a, 32), uint32(len(l.lists)))
		l.lists = append(l.lists, joined(list))
	}
	slices.SortFunc(all, netip.Addr.Compare)
	for i := range l.asked {
		if x := &l.asked[i]; i%2 == 0 {
			x.source = all[r.IntN(len(all))]
			x.port = rules[x.source][0].first
		} else {
			x.source, x.port = peer(r.IntN(sources)), uint16(r.IntN(1<<16))
		}
	}
	r.Shuffle(len(l.asked), func(i, j int) { l.asked[i], l.asked[j] = l.asked[j], l.asked[i] })
	return l
}

// joined sorts ranges and makes one of those that overlap.
func joined(list []ports) (all []ports) {
	slices.SortFunc(list, func(a, b ports) int { return cmp.Compare(a.first, b.first) })
	for _, x := range list {
		if n := len(all); n > 0 && x.first <= all[n-1].last {
			all[n-1].last = max(all[n-1].last, x.last)
			continue
		}
		all = append(all, x)
	}
	return all
}

// ask takes packets.
func (l *lookup) ask(n int) {
	for i := range n {
		l.allows(&l.asked[i%len(l.asked)])
	}
}

func (l *lookup) allows(x *asked) bool {
	list, ok := l.whose.Lookup(x.source)
	if !ok {
		return false
	}
	at, _ := slices.BinarySearchFunc(l.lists[list], x.port, func(p ports, port uint16) int { return cmp.Compare(p.last, port) })
	return at < len(l.lists[list]) && l.lists[list][at].first <= x.port
}
