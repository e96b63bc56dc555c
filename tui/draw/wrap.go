package draw

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/cvlan/cvlan/internal/base/cells"
)

// Wrap breaks a plain text into lines of at most width cells: at blanks, and within words that are longer than a line. It never breaks
// at a hyphen: what is to be typed stays whole. Lines that go on are as far in as the first.
func Wrap(text string, width int) (lines []string) {
	if width < 1 {
		return nil
	}
	for part := range strings.SplitSeq(text, "\n") {
		lines = append(lines, wrapLine(part, width)...)
	}
	return lines
}

func wrapLine(text string, width int) (lines []string) {
	if cells.Width(text) <= width {
		return []string{text}
	}
	body := strings.TrimLeft(text, " ")
	in := text[:min(len(text)-len(body), width/2)]
	room := width - len(in)
	line, used := "", 0
	for word := range strings.SplitSeq(body, " ") {
		n := cells.Width(word)
		if used > 0 && used+1+n <= room {
			line, used = line+" "+word, used+1+n
			continue
		}
		if used > 0 {
			lines = append(lines, in+line)
		}
		for ; n > room; n = cells.Width(word) {
			head := ansi.Truncate(word, room, "")
			if head == "" { // not even a cell of it has room
				word = ""
				break
			}
			lines, word = append(lines, in+head), word[len(head):]
		}
		line, used = word, n
	}
	return append(lines, in+line)
}
