package draw

import (
	"math"
	"strings"
)

// eighths are the blocks of one to eight eighths of a cell.
var eighths = [...]rune{'▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'}

// eighth returns the block that is nearest to a part of a cell, and never nothing.
func eighth(part float64) rune {
	return eighths[max(min(int(math.Round(part*8)), 8), 1)-1]
}

// Spark draws the last values as one line of blocks, the newest at the right. high is the highest, which leaves an eighth of the cell free:
// lines above each other do not meet. Before there are values it is empty.
func Spark(values []float64, width int, high float64) string {
	if width <= 0 {
		return ""
	}
	values = values[max(len(values)-width, 0):]
	var b strings.Builder
	b.WriteString(blanks(width - len(values)))
	for _, v := range values {
		switch {
		case v <= 0 || math.IsNaN(v):
			b.WriteByte(' ')
		default:
			b.WriteRune(eighth(v / high * 7 / 8))
		}
	}
	return b.String()
}

// Bars draws the last values as columns of blocks, height lines high, the newest at the right; high is the upper end, and style says how
// a value looks. A value that is not a number, one that was lost, is a cross at the bottom.
func Bars(values []float64, width, height int, high float64, style func(i int) Style) []string {
	if width <= 0 || height <= 0 {
		return nil
	}
	from := max(len(values)-width, 0)
	lines := make([]string, height)
	for row := range lines {
		floor := float64(height - 1 - row) // of this row, in cells from the bottom
		l := NewLine(width, Style{}).To(width - (len(values) - from))
		for i := from; i < len(values); {
			s := style(i)
			var run strings.Builder
			for ; i < len(values) && style(i) == s; i++ {
				run.WriteRune(block(values[i]/high*float64(height), floor, row == height-1))
			}
			l.Put(s, run.String())
		}
		lines[row] = l.Full()
	}
	return lines
}

// block is what a column of some height, in cells, shows in the row above floor.
func block(cells, floor float64, lowest bool) rune {
	switch {
	case math.IsNaN(cells) && lowest:
		return '×'
	case math.IsNaN(cells):
		return ' '
	case cells >= floor+1:
		return '█'
	case cells > floor:
		return eighth(cells - floor)
	case lowest && cells == 0:
		return '▁'
	default:
		return ' '
	}
}

// Highest returns the largest value, at least low.
func Highest(values []float64, low float64) float64 {
	for _, v := range values {
		if v > low {
			low = v
		}
	}
	return low
}
