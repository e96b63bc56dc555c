package tui

import (
	"errors"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/cells"
	"github.com/cvlan/cvlan/internal/base/words"
	"github.com/cvlan/cvlan/tui/draw"
)

// absent says, in the place of everything, why there is nothing to show yet and what to do.
func (s *healthScreen) absent(width, height int) []string {
	t := s.theme
	if s.away == nil {
		return centred([]string{t.Dim.Paint("asking the daemon …")}, width, height)
	}
	room := max(min(width-4, 72), 1)
	lines := []string{t.Fair.Strong().Paint(cells.Cut("The daemon cvland "+s.silence(), room)), ""}
	if s.examined.IsZero() {
		lines = append(lines, t.Dim.Paint(cells.Cut("looking for the reason …", room)), "")
	}
	for i := range s.found.Findings {
		if f := &s.found.Findings[i]; f.Severity != Note {
			lines = append(lines, s.finding(f, room)...)
		}
	}
	return centred(append(lines, t.Dim.Paint(cells.Cut("It is tried again each second; q quits", room))), width, height)
}

// silence says in a word or two what keeps the daemon's state from being known: it may answer, and not be understood.
func (w *world) silence() string {
	var l *local.Error
	switch {
	case !errors.As(w.away, &l):
		return "does not answer"
	case l.Code == local.CodeSkew:
		return "is of another version"
	}
	return "answers with an error"
}

// banner says above what was last known that it is not the state of now.
func (w *world) banner(width int) string {
	l := draw.NewLine(width, draw.Style{})
	return l.Put(w.theme.Bad.Strong(), "✗ ").Put(w.theme.Bad, "The daemon "+w.silence()+"; this is what it said "+orNow(words.Ago(w.now, w.heard))+". 2: what to do").String()
}

func orNow(ago string) string {
	if ago == "now" {
		return "just now"
	}
	return ago
}

// centred puts lines in the middle, as a block.
func centred(lines []string, width, height int) []string {
	wide := 0
	for _, l := range lines {
		wide = max(wide, cells.Width(l))
	}
	left, above := max((width-wide)/2, 0), max((height-len(lines))/2, 0)
	out := make([]string, above, above+len(lines))
	for _, l := range lines {
		out = append(out, draw.NewLine(width, draw.Style{}).To(left).String()+l)
	}
	return out
}
