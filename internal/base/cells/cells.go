// Package cells says how much room a text takes on a terminal. Ideographs and most emoji take two cells, combining marks none.
package cells

import "github.com/charmbracelet/x/ansi"

// Width returns how many cells a text takes; its styles take none.
func Width(text string) int {
	for i := range len(text) {
		if c := text[i]; c < 0x20 || c > 0x7e {
			return ansi.StringWidth(text)
		}
	}
	return len(text)
}

// Cut returns a plain text that takes at most width cells; one that was longer ends in "…".
func Cut(text string, width int) string {
	switch {
	case width <= 0:
		return ""
	case Width(text) <= width:
		return text
	default:
		return ansi.Truncate(text, width, "…")
	}
}
