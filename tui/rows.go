package tui

import (
	"slices"

	"github.com/cvlan/cvlan/internal/base/cells"
	"github.com/cvlan/cvlan/tui/draw"
)

// cell is what a column says of a row.
type cell struct {
	style draw.Style
	text  string
}

// sorting is by which column a table is sorted. A click on a column's head sorts by it, another one turns it round.
type sorting struct {
	column int
	back   bool
	widths []int // of the columns, as they were drawn
}

func (s *sorting) click(x int) {
	switch column := draw.At(s.widths, x-rowBar); {
	case column < 0:
	case column == s.column:
		s.back = !s.back
	default:
		s.column, s.back = column, false
	}
}

// key sorts by the next column that is seen, or turns round.
func (s *sorting) key(name string, columns int) {
	if name == "O" {
		s.back = !s.back
		return
	}
	for range columns {
		s.column = (s.column + 1) % columns
		if s.column >= len(s.widths) || s.widths[s.column] > 0 {
			return
		}
	}
}

// turned is a comparison as it counts in this direction.
func (s *sorting) turned(c int) int {
	if s.back {
		return -c
	}
	return c
}

// compareBool puts what is not so before what is.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// rowBar is how much room the mark of the row under the cursor takes.
const rowBar = 2

// rows draws a head and the rows of a list that are seen, the one under the cursor on another ground. by is nil where rows are not sorted.
func rows(t *draw.Theme, columns []draw.Column, l *list, by *sorting, width int, in func(row int) []cell) []string {
	widths := shared(columns, l.rows, in, width-rowBar)
	sorted, back := -1, false
	if by != nil {
		by.widths, sorted, back = widths, by.column, by.back
	}
	lines := []string{draw.NewLine(width, draw.Style{}).To(rowBar).Raw(heads(t, columns, widths, sorted, back, width-rowBar)).String()}
	from, to := l.seen()
	for row := from; row < to; row++ {
		ground, bar := draw.Style{}, "  "
		if row == l.at {
			ground, bar = t.Chosen, "▌ "
		}
		line := draw.NewLine(width, ground).Put(t.Accent, bar)
		for i, c := range in(row) {
			if widths[i] > 0 {
				line.Cell(c.style, c.text, widths[i], columns[i].Right).To(line.Used() + draw.Gap)
			}
		}
		lines = append(lines, line.Full())
	}
	return lines
}

// heads draws the titles of columns; the one that a table is sorted by has an arrow.
func heads(t *draw.Theme, columns []draw.Column, widths []int, sorted int, back bool, width int) (text string, used int) {
	l := draw.NewLine(width, draw.Style{})
	for i, c := range columns {
		if widths[i] == 0 {
			continue
		}
		style, title := t.Title, c.Title
		if i == sorted {
			style, title = t.Accent.Strong(), title+arrow(back)
		}
		l.Cell(style, title, widths[i], c.Right).To(l.Used() + draw.Gap)
	}
	return l.String(), l.Used()
}

// measuredRows is how many rows say how wide columns have to be.
const measuredRows = 200

// shared shares room among columns by what the first rows want. Where one would be cut, those beside it give what they do not need, if all rows are
// known; else they keep it, so that columns keep still while times and states change.
func shared(columns []draw.Column, n int, in func(row int) []cell, room int) []int {
	want := wanted(columns, n, in)
	all := slices.Clone(columns)
	for i := range all {
		all[i].Most = min(want[i], all[i].Most)
	}
	widths := draw.Widths(all, room)
	cut := false
	for i, w := range widths {
		cut = cut || w > 0 && w < all[i].Most
	}
	if !cut || n > measuredRows {
		return widths
	}
	for i := range all {
		if all[i].Min = min(want[i], all[i].Min); widths[i] == 0 {
			all[i].Min = noRoom
		}
	}
	return draw.Widths(all, room)
}

// wanted is how wide the columns would have to be for their titles, with an arrow, and the first rows.
func wanted(columns []draw.Column, n int, in func(row int) []cell) []int {
	want := make([]int, len(columns))
	for i, c := range columns {
		want[i] = cells.Width(c.Title) + cells.Width(arrow(false))
	}
	for row := range min(n, measuredRows) {
		for i, c := range in(row) {
			want[i] = max(want[i], cells.Width(c.text))
		}
	}
	return want
}
