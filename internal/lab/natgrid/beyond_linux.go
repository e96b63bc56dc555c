package main

import (
	"context"
	"fmt"

	"github.com/cvlan/cvlan/internal/lab"
)

// place is a pair of sites outside the grid.
type place struct {
	what   string
	direct bool // it must become direct
	build  func(t *town) (a, b *lab.Site)
}

var places = []place{
	{"sym × sym, one router opens ports (PCP, NAT-PMP)", true, func(t *town) (_, _ *lab.Site) { return t.site("p1", "sym+pm"), t.site("p2", "sym") }},
	{"sym × port, the hard router opens ports", true, func(t *town) (_, _ *lab.Site) { return t.site("q1", "sym+pm"), t.site("q2", "port") }},
	{"one LAN, router without hairpin", true, func(t *town) (_, _ *lab.Site) { s := t.site("lan", "port"); return s, s }},
	{"sym × sym, both with IPv6 behind stateful filters", true, func(t *town) (_, _ *lab.Site) { return t.site("v1", "sym+v6"), t.site("v2", "sym+v6") }},
	{"home behind a carrier's NAT × port", true, func(t *town) (_, _ *lab.Site) {
		return t.site("c1", "port+rand").Site("c1h", "port"), t.site("c2", "port")
	}},
	{"home behind a carrier's symmetric NAT × fullcone", true, func(t *town) (_, _ *lab.Site) {
		return t.site("s1", "sym").Site("s1h", "port"), t.site("s2", "fullcone")
	}},
	{"two homes behind one carrier's NAT with hairpin", true, func(t *town) (_, _ *lab.Site) {
		c := t.site("h1", "port+rand+hairpin")
		return c.Site("h1a", "port"), c.Site("h1b", "port")
	}},
	{"two homes behind one carrier's NAT without hairpin", false, func(t *town) (_, _ *lab.Site) {
		c := t.site("w1", "port+rand")
		return c.Site("w1a", "port"), c.Site("w1b", "port")
	}},
	{"port with mappings of 10 s × port", true, func(t *town) (_, _ *lab.Site) { return t.site("t1", "port+t10"), t.site("t2", "port") }},
}

// beyond tries the places that are no pair of two plain kinds.
func (t *town) beyond(ctx context.Context, runs int) ([]*meeting, error) {
	var sites []*lab.Site
	for _, p := range places {
		a, b := p.build(t)
		sites = append(sites, a, b)
	}
	made, err := t.settle(ctx, sites...)
	if err != nil {
		return nil, err
	}
	var all []*meeting
	for i, p := range places {
		all = append(all, &meeting{a: made[2*i], b: made[2*i+1], long: p.direct})
	}
	meetAll(ctx, t.lab, all, runs, func(m *meeting) {
		for i := range all {
			if all[i] == m {
				fmt.Printf("%s: %s\n", places[i].what, m)
			}
		}
	})
	return all, ctx.Err()
}
