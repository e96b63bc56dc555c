package tui

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/cvlan/cvlan/internal/base/cells"
	"github.com/cvlan/cvlan/tui/draw"
)

// button is a key where it is written on the screen: a click on it is that key.
type button struct {
	hintText
	from, to int
}

// buttonGap is how many blanks stand between two buttons.
const buttonGap = 3

// buttons places keys on a line, from a column on.
func buttons(from int, hints ...hintText) []button {
	out := make([]button, len(hints))
	for i, h := range hints {
		to := from + cells.Width(h.key) + 1 + cells.Width(h.does)
		out[i] = button{h, from, to}
		from = to + buttonGap
	}
	return out
}

func putButtons(t *draw.Theme, l *draw.Line, list []button) *draw.Line {
	for _, b := range list {
		l.To(b.from).Put(t.Accent, b.key).Put(t.Dim, " "+b.does)
	}
	return l
}

// pressed returns the key of the button at a column; "": there is none.
func pressed(list []button, x int) string {
	for _, b := range list {
		if x >= b.from && x < b.to {
			return b.key
		}
	}
	return ""
}

// press does what the key of a button does; nothing without one.
func (m *Model) press(key string) action {
	if key == "" || key == "↑↓" {
		return nil
	}
	return m.key(key)
}

// mouse takes in a click: the left button hits what is there, the one for going back leaves it.
func (m *Model) mouse(c tea.MouseClickMsg) action {
	switch c.Button {
	case tea.MouseLeft:
		return m.click(c.X, c.Y)
	case tea.MouseBackward:
		return m.key("esc")
	}
	return nil
}

// click gives a click to whoever it hit: the uppermost thing on the screen first.
func (m *Model) click(x, y int) action {
	f := m.frame()
	switch {
	case m.secret != nil:
		return m.press(m.secret.at(x, y))
	case m.dialog != nil:
		return m.clickDialog(x, y)
	case y == f.tabs:
		if p, ok := m.tabAt(x); ok {
			return show{p}
		}
		return nil
	case f.foot >= 0 && y > f.foot-len(m.footer()):
		return m.clickFoot(x)
	case y < f.top || y >= f.top+f.height:
		return nil
	case m.helping:
		key := m.help.at(x-1, y-f.top)
		m.helping = false
		return m.press(key)
	case !m.world.known:
		return nil
	}
	y -= f.top
	if m.bannered(f.height) {
		if y--; y < 0 {
			return show{placeHealth}
		}
	}
	if m.detailed {
		return nil
	}
	return m.screens[m.at].click(x-1, y)
}

// clickFoot hits a key that is written in the last line, or drops the notice that stands there.
func (m *Model) clickFoot(x int) action {
	switch {
	case m.filtering():
		return nil
	case m.notice.text != "":
		m.notice = say{}
		return nil
	}
	return m.press(pressed(m.footButtons(), x))
}

// clickDialog answers a question with what was hit; outside of it nothing happens.
func (m *Model) clickDialog(x, y int) action {
	d := m.dialog
	a, open := d.click(x-d.left, y-d.top)
	if !open {
		m.dialog = nil
	}
	return a
}

// wheelRows is how far a step of the wheel goes.
const wheelRows = 3

func (m *Model) wheel(b tea.MouseButton) action {
	by := wheelRows
	switch {
	case b == tea.MouseWheelUp:
		by = -wheelRows
	case b != tea.MouseWheelDown:
		return nil
	}
	switch {
	case m.secret != nil:
	case m.dialog != nil:
		m.dialog.list.wheel(by)
	case m.helping:
		m.help.scroll.wheel(by)
	case !m.world.known:
	case m.detailed:
		m.details.scroll.wheel(by)
	default:
		return m.screens[m.at].wheel(by)
	}
	return nil
}

// keyAt returns the word at a column of a text such as "s S", if it is a key.
func keyAt(text string, x int) string {
	for word := range strings.FieldsSeq(text) {
		before, _, _ := strings.Cut(text, word)
		from := cells.Width(before)
		if x >= from && x < from+cells.Width(word) && (cells.Width(word) == 1 || word == "enter" || word == "esc") {
			return word
		}
	}
	return ""
}
