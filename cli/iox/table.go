package iox

import (
	"strings"

	"github.com/cvlan/cvlan/internal/base/cells"
)

// Table is rows under headings, aligned. The zero Table without headings prints rows alone.
type Table struct {
	Indent string
	Heads  []string
	rows   [][]cell
}

type cell struct {
	text  string
	style Style
}

// Cell is a styled cell for Row.
func Cell(style Style, text string) any { return cell{Clean(text), style} }

// Row adds a row of strings and Cells.
func (t *Table) Row(cells ...any) {
	row := make([]cell, len(cells))
	for i, c := range cells {
		switch v := c.(type) {
		case cell:
			row[i] = v
		case string:
			row[i] = cell{text: Clean(v)}
		}
		if row[i].text == "" {
			row[i].text = "-"
		}
	}
	t.rows = append(t.rows, row)
}

const (
	gap       = "  "
	narrowest = 8 // columns are never cut below this
)

// Print writes the table. Where the terminal is narrower than the table, the widest columns are cut and end in "…".
func (t *Table) Print(o *IO) {
	rows := t.rows
	if t.Heads != nil {
		head := make([]cell, len(t.Heads))
		for i, h := range t.Heads {
			head[i] = cell{h, Dim}
		}
		rows = append([][]cell{head}, rows...)
	}
	widths := fit(measure(rows), o.Width-cells.Width(t.Indent))
	var b strings.Builder
	for _, row := range rows {
		b.WriteString(t.Indent)
		for i, c := range row {
			text := cells.Cut(c.text, widths[i])
			b.WriteString(o.Paint(c.style, text))
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-cells.Width(text)) + gap)
			}
		}
		b.WriteByte('\n')
	}
	o.Out.Write([]byte(b.String()))
}

func measure(rows [][]cell) []int {
	var widths []int
	for _, row := range rows {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], cells.Width(c.text))
		}
	}
	return widths
}

// fit takes columns off the widest until the table fits.
func fit(widths []int, room int) []int {
	if room <= 0 {
		return widths
	}
	total := len(gap) * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	for ; total > room; total-- {
		widest := 0
		for i, w := range widths {
			if w > widths[widest] {
				widest = i
			}
		}
		if widths[widest] <= narrowest {
			break
		}
		widths[widest]--
	}
	return widths
}
