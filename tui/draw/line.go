package draw

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/cvlan/cvlan/internal/base/cells"
)

// Line is a line under construction. It never grows beyond its room.
type Line struct {
	b     []byte
	room  int // cells
	used  int
	under Style
}

// NewLine returns an empty line of so many cells. Whatever is put on it stands on the ground of under.
func NewLine(room int, under Style) *Line {
	return &Line{b: make([]byte, 0, 4*max(room, 0)), room: max(room, 0), under: under}
}

// Put adds text, or as much as there is room for.
func (l *Line) Put(s Style, text string) *Line {
	text = cells.Cut(text, l.room-l.used)
	if text == "" {
		return l
	}
	l.used += cells.Width(text)
	if s = s.Over(l.under); s == (Style{}) {
		l.b = append(l.b, text...)
		return l
	}
	l.b = append(append(s.begin(l.b), text...), "\x1b[m"...)
	return l
}

// To adds blanks up to a column.
func (l *Line) To(column int) *Line {
	if n := min(column, l.room) - l.used; n > 0 {
		l.Put(Style{}, blanks(n))
	}
	return l
}

// Cell adds text in a field of so many cells, at its left or right end.
func (l *Line) Cell(s Style, text string, width int, right bool) *Line {
	text = cells.Cut(text, min(width, l.room-l.used))
	end := l.used + width
	if right {
		l.To(end - cells.Width(text))
	}
	return l.Put(s, text).To(end)
}

// Put a ready-made, styled text of a known width on the line; it is left out if there is no room for it.
func (l *Line) Raw(text string, width int) *Line {
	if width <= l.room-l.used {
		l.b, l.used = append(l.b, text...), l.used+width
	}
	return l
}

// Left returns how many cells are free.
func (l *Line) Left() int { return l.room - l.used }

// Used returns how many are taken.
func (l *Line) Used() int { return l.used }

// Full returns the line, filled with blanks.
func (l *Line) Full() string { return string(l.To(l.room).b) }

// String returns the line as it is.
func (l *Line) String() string { return string(l.b) }

const space = "                                                                                                                                "

func blanks(n int) string {
	if n <= len(space) {
		return space[:n]
	}
	return strings.Repeat(" ", n)
}

// Rule returns a thin line across.
func Rule(s Style, width int) string { return s.Paint(strings.Repeat("─", max(width, 0))) }

// Fit makes exactly height lines: what is too much is left out, what is missing is empty.
func Fit(lines []string, height int) []string {
	height = max(height, 0)
	for len(lines) < height {
		lines = append(lines, "")
	}
	return lines[:height]
}

// Beside puts two blocks of lines next to each other; the left one is made width cells wide.
func Beside(left []string, width int, gap string, right []string) []string {
	out := make([]string, max(len(left), len(right)))
	for i := range out {
		var l, r string
		if i < len(left) {
			l = left[i]
		}
		if i < len(right) {
			r = right[i]
		}
		out[i] = l + blanks(max(width-cells.Width(l), 0)) + gap + r
	}
	return out
}

// Above lays a block of lines over others, its corner at column x and row y.
func Above(ground []string, block []string, x, y, width int) []string {
	for i, line := range block {
		if at := y + i; at >= 0 && at < len(ground) {
			below := ground[at]
			left := ansi.Truncate(below, x, "")
			ground[at] = left + "\x1b[m" + blanks(max(x-cells.Width(left), 0)) + line + "\x1b[m" + ansi.TruncateLeft(below, x+width, "")
		}
	}
	return ground
}
