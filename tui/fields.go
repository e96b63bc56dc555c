package tui

import (
	"errors"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/cells"
	"github.com/cvlan/cvlan/tui/draw"
)

// fields makes lines of a label and a value each.
type fields struct {
	theme *draw.Theme
	width int
	lines []string
}

// labelWidth is how wide a label is, the gap behind it included.
const labelWidth = 12

// add adds a field, over several lines if it is long; one without a value is left out.
func (f *fields) add(label, value string) { f.style(f.theme.Text, label, value) }

// style is add in a style.
func (f *fields) style(s draw.Style, label, value string) {
	if value == "" {
		return
	}
	for i, part := range draw.Wrap(value, max(f.width-labelWidth, 8)) {
		if i > 0 {
			label = ""
		}
		f.lines = append(f.lines, draw.NewLine(f.width, draw.Style{}).Cell(f.theme.Dim, label, labelWidth, false).Put(s, part).String())
	}
}

// paragraph breaks a text into lines.
func paragraph(s draw.Style, text string, width int) []string {
	if text == "" {
		return nil
	}
	lines := draw.Wrap(text, max(width, 1))
	for i, l := range lines {
		lines[i] = s.Paint(cells.Cut(l, width))
	}
	return lines
}

// nothing says in the place of a list why it is empty, and what to type for there to be something.
func nothing(t *draw.Theme, width int, title, why string, commands ...string) []string {
	lines := append([]string{"", t.Text.Strong().Paint(cells.Cut(title, width)), ""}, paragraph(t.Dim, why, width)...)
	if len(commands) > 0 {
		lines = append(lines, "")
	}
	for _, c := range commands {
		lines = append(lines, hanging(t.Accent, "  ", c, width)...)
	}
	return lines
}

// forOperators says why something is not told: mostly because it is for operators, and how one becomes that.
func forOperators(t *draw.Theme, err error, width int) []string {
	var l *local.Error
	if !errors.As(err, &l) || l.Code != local.CodePermission {
		return paragraph(t.Dim, cleanText(reason(err)), width)
	}
	text := "Only an operator may see them"
	if h := hint(err); h != "" {
		text += ": " + cleanText(h)
	}
	return paragraph(t.Dim, text, width)
}
