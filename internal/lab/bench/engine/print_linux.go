package main

import (
	"fmt"
	"os"

	"github.com/cvlan/cvlan/internal/lab/duel"
	"github.com/cvlan/cvlan/internal/lab/figure"
)

// show prints a heat.
func show[T fmt.Stringer](load string, h duel.Heat[T]) {
	fmt.Printf("%-12s stock %v   cvlan %v\n", load, h.Stock, h.Ours)
}

func figureOnce(name string, value float64, unit string) {
	figure.Print(os.Stdout, name, value, unit, "")
}

// spread prints the median of a figure over all runs, and its range.
func spread[T any](name, unit string, runs []T, of func(T) float64) {
	figure.Spread(os.Stdout, name, unit, figure.Each(runs, of))
}
