package tui

import (
	"strconv"

	"github.com/cvlan/cvlan/internal/base/cells"
	"github.com/cvlan/cvlan/tui/draw"
)

// tab is where a screen's title stands.
type tab struct {
	at          place
	from, to    int
	text, badge string
}

// tabs shares out the bar, as roomy as the terminal lets it be: with numbers, without, close together, and without what stands behind
// the titles.
func (m *Model) tabs() []tab {
	var all []tab
	for _, how := range []struct {
		numbers, badges bool
		gap             int
	}{{true, true, 3}, {true, true, 2}, {false, true, 2}, {false, true, 1}, {false, false, 1}} {
		all = all[:0]
		x := 1
		for p := range m.last() {
			t := tab{at: p, from: x, text: m.screens[p].title()}
			if how.numbers {
				t.text = strconv.Itoa(int(p)+1) + " " + t.text
			}
			if t.badge, _ = m.screens[p].badge(); !how.badges {
				t.badge = ""
			}
			t.to = x + cells.Width(t.text)
			if t.badge != "" {
				t.to += 1 + cells.Width(t.badge)
			}
			all, x = append(all, t), t.to+how.gap
		}
		if x-how.gap < m.width {
			return all
		}
	}
	return around(all, int(m.at), m.width)
}

// around leaves out the first tabs of a bar that is too long, so that the chosen one is seen.
func around(all []tab, chosen, width int) []tab {
	first := 0
	for first < chosen && all[chosen].to-all[first].from >= width-1 {
		first++
	}
	all = all[first:]
	by := all[0].from - 1
	for i := range all {
		all[i].from, all[i].to = all[i].from-by, all[i].to-by
	}
	return all
}

func (m *Model) tabBar() string {
	t := m.world.theme
	l := draw.NewLine(m.width, draw.Style{})
	for _, tb := range m.tabs() {
		style := t.Dim
		if tb.at == m.at {
			style = draw.Style{Bold: true, Underline: true}.Over(t.Accent)
		}
		l.To(tb.from).Put(style, tb.text)
		if tb.badge != "" {
			style = t.Dim
			if _, alarm := m.screens[tb.at].badge(); alarm {
				style = t.Fair.Strong()
			}
			l.Put(t.Text, " ").Put(style, tb.badge)
		}
	}
	return l.String()
}

func (m *Model) tabAt(x int) (place, bool) {
	for _, tb := range m.tabs() {
		if x >= tb.from-1 && x <= tb.to {
			return tb.at, true
		}
	}
	return 0, false
}
