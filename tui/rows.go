package tui

import (
	"slices"

	"github.com/cvlan/cvlan/tui/draw"
)

// cell is what a column says of a row.
type cell struct {
	style draw.Style
	text  string
}

// rows draws a head and the rows of a list that are seen, the one under the cursor on another ground.
func rows(t *draw.Theme, columns []draw.Column, l *list, width int, cells func(row int) []cell) []string {
	widths := draw.Widths(measured(columns, l.rows, cells), width-2)
	head := draw.NewLine(width, draw.Style{}).To(2)
	for i, c := range columns {
		if widths[i] > 0 {
			head.Cell(t.Title, c.Title, widths[i], c.Right).To(head.Used() + draw.Gap)
		}
	}
	lines := []string{head.String()}
	from, to := l.seen()
	for row := from; row < to; row++ {
		ground, bar := draw.Style{}, "  "
		if row == l.at {
			ground, bar = t.Chosen, "▌ "
		}
		line := draw.NewLine(width, ground).Put(t.Accent, bar)
		for i, c := range cells(row) {
			if widths[i] > 0 {
				line.Cell(c.style, c.text, widths[i], columns[i].Right).To(line.Used() + draw.Gap)
			}
		}
		lines = append(lines, line.Full())
	}
	return lines
}

// measuredRows is how many rows say how wide columns have to be.
const measuredRows = 200

// measured returns columns that take no more room than the first rows want, so that others have it.
func measured(columns []draw.Column, n int, cells func(row int) []cell) []draw.Column {
	out := slices.Clone(columns)
	for i := range out {
		out[i].Most = min(draw.Width(out[i].Title), out[i].Most)
	}
	for row := range min(n, measuredRows) {
		for i, c := range cells(row) {
			out[i].Most = min(max(out[i].Most, draw.Width(c.text)), columns[i].Most)
		}
	}
	return out
}
