package tui

import "github.com/cvlan/cvlan/tui/draw"

// dialog is a question over the screen: yes or no, a line to type, or one of several to choose.
type dialog struct {
	title   string
	lines   []string // below the title
	typed   bool
	line    draw.Editor
	choices []string
	list    list
	then    func(text string) action
	pick    func(i int) action
}

// mostChoices is how many choices are seen at a time.
const mostChoices = 10

// key answers the question; open is false when it is answered.
func (d *dialog) key(name string) (a action, open bool) {
	switch {
	case name == "esc" || !d.typed && (name == "n" || name == "q"):
		return nil, false
	case d.choices != nil && name == "enter":
		return d.pick(d.list.at), false
	case d.choices != nil:
		d.list.key(name)
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
	wide := 44
	for _, l := range append(append([]string{d.title}, d.lines...), d.choices...) {
		wide = max(wide, draw.Width(l)+6)
	}
	wide = min(wide, width-2)
	if wide < 8 || len(lines) < 5 {
		return append([]string{draw.Cut(d.title, width)}, lines[min(1, len(lines)):]...)
	}
	box := boxed(t, d.body(t, wide-4, len(lines)-4), wide)
	return draw.Above(lines, box, (width-wide)/2, max((len(lines)-len(box))/2, 0), wide)
}

func (d *dialog) body(t *draw.Theme, room, height int) []string {
	body := paragraph(t.Text.Strong(), d.title, room)
	for _, l := range d.lines {
		body = append(body, paragraph(t.Accent, "  "+l, room)...)
	}
	if d.lines != nil {
		body = append(body, "")
	}
	answer := draw.NewLine(room, draw.Style{})
	switch {
	case d.choices != nil:
		return append(append(body, d.chosen(t, room, height)...), t.Dim.Paint(draw.Cut("enter takes it, esc does not", room)))
	case d.typed:
		answer.Put(t.Accent, "› ")
		d.line.Draw(answer, t.Text, true)
		return append(body, answer.String(), t.Dim.Paint(draw.Cut("enter does it, esc does not", room)))
	}
	return append(body, answer.Put(t.Accent, "y").Put(t.Dim, " yes   ").Put(t.Accent, "n").Put(t.Dim, " no").String())
}

// chosen draws the choices that are seen.
func (d *dialog) chosen(t *draw.Theme, room, height int) (lines []string) {
	d.list.fit(len(d.choices), max(min(mostChoices, height-2), 1))
	from, to := d.list.seen()
	for i := from; i < to; i++ {
		ground, bar := draw.Style{}, "  "
		if i == d.list.at {
			ground, bar = t.Chosen, "▌ "
		}
		lines = append(lines, draw.NewLine(room, ground).Put(t.Accent, bar).Put(t.Text, d.choices[i]).Full())
	}
	return lines
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
