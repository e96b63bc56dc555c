package tui

import (
	"strings"

	"github.com/cvlan/cvlan/internal/base/cells"
	"github.com/cvlan/cvlan/tui/draw"
)

// dialog is a question over the screen: yes or no, a line to type, or one of several to choose.
type dialog struct {
	title   string
	lines   []string // below the title
	typed   bool
	line    draw.Editor
	room    int // of a line in the box
	choices []string
	list    list
	then    func(text string) action
	pick    func(i int) action

	left, top, wide int // the box, where it was drawn
	answers         int // the line in it at which the choices, the field or the buttons begin
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

// buttons are the keys that answer, in the last line of the box.
func (d *dialog) buttons() []button {
	switch {
	case d.choices != nil:
		return buttons(boxRim, hintText{"enter", "takes it"}, hintText{"esc", "does not"})
	case d.typed:
		return buttons(boxRim, hintText{"enter", "does it"}, hintText{"esc", "does not"})
	}
	return buttons(boxRim, hintText{"y", "yes"}, hintText{"n", "no"})
}

// click answers with what was hit: a button, a choice, or a place in the field, at which typing goes on. Beside the box nothing is hit.
func (d *dialog) click(x, y int) (a action, open bool) {
	if x < 0 || x >= d.wide {
		return nil, true
	}
	line := y - d.answers
	from, to := d.list.seen()
	if line >= 0 && line < to-from {
		d.list.to(from + line)
		return d.key("enter")
	}
	if d.typed {
		if line == 0 {
			d.line.Point(x-boxRim-cells.Width(prompt), d.room-cells.Width(prompt))
			return nil, true
		}
		line--
	}
	if key := pressed(d.buttons(), x); key != "" && line == to-from {
		return d.key(key)
	}
	return nil, true
}

const (
	// boxRim is how far text is from the edge of a box, at its left and right.
	boxRim = 2
	// prompt stands before what is typed.
	prompt = "› "
)

// over draws the question in the middle of lines.
func (d *dialog) over(t *draw.Theme, lines []string, width int) []string {
	wide := 44
	for _, l := range append(append([]string{d.title}, d.lines...), d.choices...) {
		wide = max(wide, cells.Width(l)+6)
	}
	wide = min(wide, width-2)
	if wide < 8 || len(lines) < 5 {
		d.wide = 0 // there is nothing to hit
		return append([]string{cells.Cut(d.title, width)}, lines[min(1, len(lines)):]...)
	}
	d.room = wide - 2*boxRim
	box := boxed(t, d.body(t, d.room, len(lines)-2), wide)
	d.left, d.top, d.wide = (width-wide)/2, (len(lines)-len(box))/2, wide
	return draw.Above(lines, box, d.left, d.top, wide)
}

// body draws what stands in a box of so many lines. Where they are too few, what gives way is the question, not the answers.
func (d *dialog) body(t *draw.Theme, room, height int) []string {
	body := d.question(t, room)
	answers := 1 // the buttons
	if d.typed || d.choices != nil {
		answers++
	}
	if most := max(height-answers, 1); len(body) > most {
		body = append(body[:most-1], t.Dim.Paint("…"))
	}
	d.answers = len(body) + 1 // below the edge of the box
	switch {
	case d.choices != nil:
		body = append(body, d.chosen(t, room, height-len(body)-1)...)
	case d.typed:
		answer := draw.NewLine(room, draw.Style{}).Put(t.Accent, prompt)
		d.line.Draw(answer, t.Text, true)
		body = append(body, answer.String())
	}
	foot := d.buttons()
	for i := range foot {
		foot[i].from -= boxRim
	}
	return append(body, putButtons(t, draw.NewLine(room, draw.Style{}), foot).String())
}

// question draws what is asked, and what it is about.
func (d *dialog) question(t *draw.Theme, room int) []string {
	lines := paragraph(t.Text.Strong(), d.title, room)
	for _, l := range d.lines {
		lines = append(lines, paragraph(t.Accent, "  "+l, room)...)
	}
	if d.lines != nil {
		lines = append(lines, "")
	}
	return lines
}

// chosen draws the choices that are seen.
func (d *dialog) chosen(t *draw.Theme, room, height int) (lines []string) {
	d.list.fit(len(d.choices), max(min(mostChoices, height), 1))
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

// mostAligned is how wide what is chosen may be, so that what is said of it is seen.
const mostAligned = 56

// aligned fills texts up to one width, with a gap behind, so that what follows them stands in a column.
func aligned(texts []string) []string {
	wide, out := 0, make([]string, len(texts))
	for _, t := range texts {
		wide = min(max(wide, cells.Width(t)), mostAligned)
	}
	for i, t := range texts {
		t = cells.Cut(t, wide)
		out[i] = t + strings.Repeat(" ", wide-cells.Width(t)+3)
	}
	return out
}

// boxed draws a frame around lines.
func boxed(t *draw.Theme, lines []string, width int) []string {
	bar := func(left, right string) string {
		return t.Accent.Paint(left) + draw.Rule(t.Accent, width-2) + t.Accent.Paint(right)
	}
	out := []string{bar("╭", "╮")}
	for _, l := range lines {
		in := draw.NewLine(width-2*boxRim, draw.Style{}).Raw(l, cells.Width(l))
		out = append(out, t.Accent.Paint("│")+" "+in.Full()+" "+t.Accent.Paint("│"))
	}
	return append(out, bar("╰", "╯"))
}
