package main

import (
	"math/rand/v2"
	"net/netip"

	"github.com/cvlan/cvlan/internal/node/flow"
	"github.com/cvlan/cvlan/policy/filter"
)

const (
	rulesEach = 1000   // for TCP and as many for UDP
	addresses = 10_000 // of others
	classes   = 200
	ports     = 65 // of each rule: for TCP every second allows, for UDP all do, because loads go to any port
)

// filterFor is a filter of an end that may talk to its peer and sees many others.
func filterFor(self, peer netip.Addr) (*flow.Table, error) {
	r := rand.New(rand.NewPCG(1, 2))
	host := func(a netip.Addr, class int) filter.Place {
		return filter.Place{Prefix: netip.PrefixFrom(a, a.BitLen()), Class: uint32(class)}
	}
	s := &filter.Spec{Generation: 1, Locals: 1, Remotes: classes, Local: []filter.Place{host(self, 0)}, Remote: []filter.Place{host(peer, 0)}, Lists: [][]filter.Span{nil, nil}}
	for i := range addresses {
		s.Remote = append(s.Remote, host(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), r.IntN(classes)))
	}
	for _, proto := range []uint32{filter.TCP, filter.UDP} {
		for i := range uint32(rulesEach) {
			s.Lists[1] = append(s.Lists[1], filter.Span{First: proto<<16 | i*ports, Last: proto<<16 | i*ports + ports - 1, Rule: i, Deny: proto == filter.TCP && i%2 != loadRule%2})
		}
	}
	for range classes {
		s.In, s.Out = append(s.In, filter.Pair{List: 1}), append(s.Out, filter.Pair{List: 1})
	}
	set, err := filter.New(s)
	if err != nil {
		return nil, err
	}
	t := flow.New(flow.Config{})
	t.Swap(set)
	return t, nil
}

// loadRule is the rule that lets loads pass: their connections go to port 5201.
const loadRule = 5201 / ports
