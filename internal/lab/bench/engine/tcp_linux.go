package main

import (
	"context"
	"fmt"

	"github.com/cvlan/cvlan/internal/lab/duel"
	"github.com/cvlan/cvlan/internal/lab/figure"
)

// tcpLoad is one of the TCP loads, with all that it gave.
type tcpLoad struct {
	name    string
	streams int
	reverse bool
	heats   []duel.Heat[duel.Run]
}

// tcp measures bulk transfer: throughput, the daemons' processor time, segments sent again.
func tcp(ctx context.Context, f *arena) error {
	loads := []tcpLoad{
		{name: "tcp1", streams: 1}, {name: "tcp1_reverse", streams: 1, reverse: true},
		{name: "tcp4", streams: 4}, {name: "tcp10", streams: 10}, {name: "tcp100", streams: 100},
	}
	for n := range f.runs {
		for i := range loads {
			l := &loads[i]
			h, err := duel.Compare(n, f.ours, f.stock, func(p *duel.Pair) (duel.Run, error) {
				return p.TCP(ctx, duel.TCP{Streams: l.streams, For: f.each, Reverse: l.reverse})
			})
			if err != nil {
				return fmt.Errorf("%s: %w", l.name, err)
			}
			show(l.name, h)
			l.heats = append(l.heats, h)
		}
	}
	report(loads)
	return profile(ctx, f)
}

func report(loads []tcpLoad) {
	var ours, stock float64
	for _, l := range loads {
		spread("engine_"+l.name+"_ratio", "x", l.heats, duel.Ratio(duel.Run.Speed))
		if l.reverse {
			continue // its sender is the server, which does not tell what it sent again
		}
		spread("engine_"+l.name+"_retransmits", "segments", l.heats, duel.Ours(duel.Run.SentAgain))
		spread("stock_"+l.name+"_retransmits", "segments", l.heats, duel.Stock(duel.Run.SentAgain))
		ours += figure.Sum(figure.Each(l.heats, duel.Ours(duel.Run.SentAgain)))
		stock += figure.Sum(figure.Each(l.heats, duel.Stock(duel.Run.SentAgain)))
	}
	if stock > 0 {
		figureOnce("engine_retransmits_ratio", ours/stock, "x")
	}
	one := loads[0].heats
	spread("engine_cpu_per_gb_ratio", "x", one, duel.Ratio(duel.Run.CPUPerGB))
	spread("engine_cpu_s_per_gb", "s/GB", one, duel.Ours(duel.Run.CPUPerGB))
	spread("stock_cpu_s_per_gb", "s/GB", one, duel.Stock(duel.Run.CPUPerGB))
	spread("engine_tcp1_gbps", "Gbit/s", one, duel.Ours(duel.Run.Speed))
	spread("stock_tcp1_gbps", "Gbit/s", one, duel.Stock(duel.Run.Speed))
}
