package tui

import "github.com/cvlan/cvlan/tui/draw"

// dialog is a question over the screen: yes or no, or a line to type.
type dialog struct {
	title string
	typed bool
	line  draw.Editor
	then  func(text string) action
}

// key answers the question; open is false when it is answered.
func (d *dialog) key(name string) (a action, open bool) {
	switch {
	case name == "esc" || !d.typed && (name == "n" || name == "q"):
		return nil, false
	case d.typed && name == "enter":
		return d.then(d.line.Text()), false
	case !d.typed && (name == "y" || name == "Y"):
		return d.then(""), false
	case d.typed && !d.line.Key(name):
		d.line.Insert(typedText(name))
	}
	return nil, true
}

// over draws the question in the middle of lines.
func (d *dialog) over(t *draw.Theme, lines []string, width int) []string {
	wide := min(max(draw.Width(d.title)+4, 44), width-2)
	if wide < 8 || len(lines) < 5 {
		return append([]string{draw.Cut(d.title, width)}, lines[min(1, len(lines)):]...)
	}
	room := wide - 4
	body := paragraph(t.Text.Strong(), d.title, room)
	answer := draw.NewLine(room, draw.Style{})
	if d.typed {
		answer.Put(t.Accent, "› ")
		d.line.Draw(answer, t.Text, true)
		body = append(body, answer.String(), t.Dim.Paint(draw.Cut("enter does it, esc does not", room)))
	} else {
		body = append(body, answer.Put(t.Accent, "y").Put(t.Dim, " yes   ").Put(t.Accent, "n").Put(t.Dim, " no").String())
	}
	box := boxed(t, body, wide)
	return draw.Above(lines, box, (width-wide)/2, max((len(lines)-len(box))/2, 0), wide)
}

// boxed draws a frame around lines.
func boxed(t *draw.Theme, lines []string, width int) []string {
	bar := func(left, right string) string {
		return t.Accent.Paint(left) + draw.Rule(t.Accent, width-2) + t.Accent.Paint(right)
	}
	out := []string{bar("╭", "╮")}
	for _, l := range lines {
		in := draw.NewLine(width-4, draw.Style{}).Raw(l, draw.Width(l))
		out = append(out, t.Accent.Paint("│")+" "+in.Full()+" "+t.Accent.Paint("│"))
	}
	return append(out, bar("╰", "╯"))
}
