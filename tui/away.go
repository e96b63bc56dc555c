package tui

import (
	"errors"
	"io/fs"
	"strings"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/words"
	"github.com/cvlan/cvlan/tui/draw"
)

// absent says, in the place of everything, why there is nothing to show yet and what to do.
func (w *world) absent(width, height int) []string {
	t := w.theme
	if w.away == nil {
		return centred([]string{t.Dim.Paint("asking the daemon …")}, width, height)
	}
	room := min(width-4, 66)
	lines := []string{t.Fair.Strong().Paint(draw.Cut("The daemon cvland does not answer", room)), ""}
	steps := []string{"find what is wrong:   cvlan doctor", "start it by hand:     sudo cvland"}
	if w.systemd {
		steps = append([]string{"start it:             sudo systemctl start cvland", "see why it ended:     journalctl -u cvland"}, steps...)
	}
	var refused *local.Error
	switch {
	case errors.As(w.away, &refused):
		lines[0] = t.Fair.Strong().Paint(draw.Cut(cleanText(refused.Title), room))
		steps = []string{cleanText(refused.Detail), cleanText(refused.Hint)}
	case errors.Is(w.away, fs.ErrPermission):
		steps = []string{"you may not open its socket", "as an operator:   sudo cvlan tui"}
	default:
		lines = append(lines, paragraph(t.Dim, cleanText(strings.TrimPrefix(w.away.Error(), local.ErrNoDaemon.Error()+" ")), room)...)
		lines = append(lines, "")
	}
	for _, s := range steps {
		lines = append(lines, paragraph(t.Text, s, room)...)
	}
	lines = append(lines, "", t.Dim.Paint(draw.Cut("I go on trying each second; q quits", room)))
	return centred(lines, width, height)
}

// banner says above what was last known that it is not the state of now.
func (w *world) banner(width int) string {
	l := draw.NewLine(width, draw.Style{})
	return l.Put(w.theme.Bad.Strong(), " ! ").Put(w.theme.Bad, "The daemon does not answer; this is what it said "+orNow(words.Ago(w.now, w.heard))+". Trying again …").String()
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
		wide = max(wide, draw.Width(l))
	}
	left, above := max((width-wide)/2, 0), max((height-len(lines))/2, 0)
	out := make([]string, above, above+len(lines))
	for _, l := range lines {
		out = append(out, draw.NewLine(width, draw.Style{}).To(left).String()+l)
	}
	return out
}
