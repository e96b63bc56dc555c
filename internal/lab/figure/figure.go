// Package figure does the arithmetic of a benchmark and prints what it found, each figure as a line
//
//	FIGURE name value unit (lowest to highest in n runs)
//
// A figure is a median. With an even number of runs that is the mean of the two in the middle.
package figure

import (
	"fmt"
	"io"
	"slices"
)

// Print prints a figure that was taken once. The note, which may be empty, follows the unit.
func Print(w io.Writer, name string, value float64, unit, note string) {
	if note != "" {
		note = " " + note
	}
	fmt.Fprintf(w, "FIGURE %s %.2f %s%s\n", name, value, unit, note)
}

// Spread prints the median of what all runs gave, and its range. Without runs it prints nothing.
func Spread(w io.Writer, name, unit string, runs []float64) {
	if len(runs) == 0 {
		return
	}
	Print(w, name, Median(runs), unit, fmt.Sprintf("(%.2f to %.2f in %d runs)", slices.Min(runs), slices.Max(runs), len(runs)))
}

// Median returns the value in the middle; 0 of none. It leaves values as they are.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// Each takes one number of each run.
func Each[T any](runs []T, of func(T) float64) []float64 {
	values := make([]float64, len(runs))
	for i, r := range runs {
		values[i] = of(r)
	}
	return values
}

// Sum adds them up.
func Sum(values []float64) (total float64) {
	for _, v := range values {
		total += v
	}
	return total
}
