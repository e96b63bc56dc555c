package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/lab"
	"github.com/cvlan/cvlan/internal/lab/figure"
)

// grid is the town of the kinds: two nodes of each kind, but only those that are needed.
type grid struct {
	town  *town
	nodes map[string]*node
}

// plot builds what the pairs need.
func plot(ctx context.Context, t *town, pairs []pair) (*grid, error) {
	g := &grid{town: t, nodes: map[string]*node{}}
	var sites []*lab.Site
	var ids []string
	for _, p := range pairs {
		for _, id := range []string{left(p.a), right(p.b)} {
			if slices.Contains(ids, id) {
				continue
			}
			ids = append(ids, id)
			var k int
			fmt.Sscanf(id[1:], "%d", &k)
			sites = append(sites, t.site("site"+id, kinds[k].spec))
		}
	}
	made, err := t.settle(ctx, sites...)
	if err != nil {
		return nil, err
	}
	for i, id := range ids {
		g.nodes[id] = made[i]
	}
	return g, nil
}

func left(k int) string  { return fmt.Sprintf("a%d", k) }
func right(k int) string { return fmt.Sprintf("b%d", k) }

func (g *grid) nodesOf(p pair) (a, b *node) { return g.nodes[left(p.a)], g.nodes[right(p.b)] }

// measure tries pairs, and returns what they came to, in their order.
func (g *grid) measure(ctx context.Context, pairs []pair, runs int) ([]*meeting, error) {
	var all []*meeting
	for _, p := range pairs {
		a, b := g.nodesOf(p)
		all = append(all, &meeting{a: a, b: b, long: p.fate() != relayed})
	}
	done := 0
	meetAll(ctx, g.town.lab, all, runs, func(m *meeting) {
		done++
		p := pairs[slices.Index(all, m)]
		fmt.Printf("%2d/%d %-32s %s\n", done, len(all), p, m)
	})
	return all, ctx.Err()
}

func (m *meeting) String() string {
	text := m.outcome()
	if n := m.wrongs(); n > 0 {
		text += fmt.Sprintf(" (the nodes said otherwise %d times)", n)
	}
	return text
}

func (m *meeting) outcome() string {
	switch directs, firsts := m.directs(), m.firsts(); {
	case m.err != nil:
		return "FAILED: " + m.err.Error()
	case len(directs) > 0:
		return fmt.Sprintf("direct in %d of %d, after %v; first answer after %v", len(directs), len(m.tries), round(median(directs)), round(median(firsts)))
	case len(firsts) > 0:
		return fmt.Sprintf("relayed by %s, first answer after %v", m.tries[len(m.tries)-1].relay, round(median(firsts)))
	}
	return "no answer"
}

// figures prints what is quoted of a whole grid.
func figures(pairs []pair, all []*meeting, delay time.Duration) {
	var directs, expected, wrong int
	var quick, first []time.Duration
	for i, m := range all {
		p := pairs[i]
		if len(m.directs()) > 0 {
			directs++
		}
		if f := p.fate(); f == punched || f == guessed {
			expected++
		}
		if independent(kinds[p.a].name, kinds[p.b].name) {
			quick = append(quick, m.directs()...)
		}
		first = append(first, m.firsts()...)
		wrong += m.wrongs()
	}
	figure.Print(os.Stdout, "natgrid_direct_pairs", float64(directs), "pairs", "")
	figure.Print(os.Stdout, "natgrid_expected_pairs", float64(expected), "pairs", "(by punching and by guessing)")
	figure.Print(os.Stdout, "natgrid_total_pairs", float64(len(pairs)), "pairs", "")
	figure.Print(os.Stdout, "natgrid_wrong_reports", float64(wrong), "tries", "(after which nodes named another way than was seen on the wire)")
	tail("eim_direct", quick, fmt.Sprintf("from the first datagram; the round trip is %v", 2*delay))
	tail("first_answer", first, "through the relay or directly")
	if len(first) > 0 && delay > 0 {
		trips := func(d time.Duration) float64 { return float64(d-delay) / float64(2*delay) } // without the answer's own way
		figure.Print(os.Stdout, "first_packet_rtt", trips(p95(first)), "round trips", fmt.Sprintf("(p95; median %.2f of %d; one is %v)", trips(median(first)), len(first), 2*delay))
	}
}

// tail prints the 95th percentile of times.
func tail(name string, all []time.Duration, note string) {
	if len(all) == 0 {
		return
	}
	figure.Print(os.Stdout, name+"_p95_ms", ms(p95(all)), "ms", fmt.Sprintf("(median %.0f, worst %.0f of %d; %s)", ms(median(all)), ms(slices.Max(all)), len(all), note))
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

// p95 is the least time that 95 of 100 do not exceed.
func p95(all []time.Duration) time.Duration { return rank(all, 95) }

func median(all []time.Duration) time.Duration { return rank(all, 50) }

func rank(all []time.Duration, percent int) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[(len(sorted)*percent+99)/100-1]
}
