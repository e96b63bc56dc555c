package tui

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/cells"
	"github.com/cvlan/cvlan/tui/draw"
)

// frame says which lines of the terminal are what; what there is no room for is at -1.
type frame struct {
	tabs, rule  int
	top, height int // of the part that is a screen's
	foot        int
}

// frame shares out the lines: on a low terminal the screen's part matters most.
func (m *Model) frame() frame {
	switch h := m.height; {
	case h >= 8:
		return frame{tabs: 1, rule: 2, top: 3, height: h - 4, foot: h - 1}
	case h >= 4:
		return frame{tabs: 0, rule: -1, top: 1, height: h - 2, foot: h - 1}
	default:
		return frame{tabs: -1, rule: -1, top: 0, height: h, foot: -1}
	}
}

// View draws everything.
func (m *Model) View() tea.View {
	if m.same {
		return m.drawn
	}
	v := tea.NewView(strings.Join(m.draw(), "\n"))
	v.AltScreen, v.WindowTitle = true, "cvlan"
	if !m.mouseOff {
		v.MouseMode = tea.MouseModeCellMotion
	}
	m.drawn = v
	return v
}

func (m *Model) draw() []string {
	if m.width < 1 || m.height < 1 {
		return nil
	}
	if m.secret != nil {
		return draw.Fit(m.secret.view(m.world.theme, m.width, m.height), m.height)
	}
	f := m.frame()
	var lines []string
	if f.tabs == 1 {
		lines = append(lines, m.header())
	}
	if f.tabs >= 0 {
		lines = append(lines, m.tabBar())
	}
	middle := m.middle(m.width-2, f.height) // first: it says which part is seen
	if f.rule >= 0 {
		lines = append(lines, m.rule())
	}
	lines = append(lines, middle...)
	if f.foot >= 0 {
		foot := m.footer()
		lines = append(lines[:f.foot+1-len(foot)], foot...)
	}
	if m.dialog != nil {
		lines = m.dialog.over(m.world.theme, lines, m.width)
	}
	return lines
}

// middle draws the screen's part, with a blank at its left and right.
func (m *Model) middle(width, height int) []string {
	var lines []string
	switch {
	case width < 1:
	case m.helping:
		lines = m.help.view(width, height)
	case !m.world.known:
		lines = m.health.absent(width, height)
	case m.bannered(height):
		lines = append([]string{m.world.banner(width)}, m.inner(width, height-1)...)
	default:
		lines = m.inner(width, height)
	}
	lines = draw.Fit(lines, height)
	for i, l := range lines {
		lines[i] = " " + l
	}
	return lines
}

// bannered reports whether the first line of the screen's part says that the daemon is away.
func (m *Model) bannered(height int) bool {
	return m.world.known && m.world.away != nil && height > 3 && !m.helping
}

func (m *Model) inner(width, height int) []string {
	if m.detailed {
		return m.details.full(width, height)
	}
	return m.screens[m.at].view(width, height)
}

// header says how it goes, in one line.
func (m *Model) header() string {
	w := m.world
	t := w.theme
	l := draw.NewLine(m.width, draw.Style{}).Put(t.Accent.Strong(), " CloudVLAN")
	if w.known {
		for i, n := range w.chosen() {
			if i == 3 {
				l.Put(t.Dim, " …")
				break
			}
			l.Put(t.Text, "  ").Put(t.Text.Strong(), cells.Cut(n.name, 24)).Put(t.Text, " ").Put(stateStyle(t, n.State), cleanName(string(n.State)))
			if n.Exit != nil && m.width >= wideHead {
				m.exit(l, n)
			}
		}
		m.reached(l)
	}
	flow := "↓ " + orNone(speed(w.total.in)) + "  ↑ " + orNone(speed(w.total.out)) + " "
	if n := cells.Width(flow); w.known && l.Left() > n {
		l.To(m.width-n).Put(t.Calm, flow)
	}
	return l.String()
}

// wideHead is the width from which the first line has room for exits.
const wideHead = 80

// exit says through which machine what is for the internet leaves.
func (m *Model) exit(l *draw.Line, n *network) {
	style := m.world.theme.Calm
	if n.Exit.State != local.ExitInUse {
		style = m.world.theme.Bad
	}
	l.Put(m.world.theme.Dim, "  exit ").Put(style, cells.Cut(leavesShort(n), 32))
}

// reached says how many peers are there and how they are reached, in full or, where room is short, in figures.
func (m *Model) reached(l *draw.Line) {
	t := m.world.theme
	by, online, nodes := m.world.counts()
	if nodes == 0 {
		return
	}
	there, words := strconv.Itoa(online)+" of "+strconv.Itoa(nodes)+" online", [2]string{" direct", " relayed"}
	if l.Left() < 48 {
		words = [2]string{}
	}
	l.Put(t.Dim, "   "+there)
	for i, style := range [2]draw.Style{t.Good, t.Fair} {
		if n := by[[2]standing{direct, relayed}[i]]; n > 0 {
			l.Put(t.Dim, "  ").Put(style, [2]string{"● ", "◐ "}[i]+strconv.Itoa(n)+words[i])
		}
	}
}

// rule is the line above the screen's part, with what that shows of how much.
func (m *Model) rule() string {
	t := m.world.theme
	l := draw.NewLine(m.width, draw.Style{})
	caption := ""
	if m.world.known && !m.detailed && !m.helping {
		caption = m.screens[m.at].caption()
	}
	if caption != "" {
		l.Put(t.Rule, "── ").Put(t.Accent, caption+" ")
	}
	part := m.part()
	if n := cells.Width(part); part != "" && l.Left() > n+2 {
		return l.String() + draw.Rule(t.Rule, l.Left()-n-2) + t.Dim.Paint(part) + draw.Rule(t.Rule, 2)
	}
	return l.String() + draw.Rule(t.Rule, l.Left())
}

// part says which lines are seen of those that there are; "" if all are.
func (m *Model) part() string {
	l := m.screens[m.at].extent()
	switch {
	case m.helping:
		l = &m.help.scroll.list
	case !m.world.known:
		return ""
	case m.detailed:
		l = &m.details.scroll.list
	}
	if l == nil || l.height < 1 || l.rows <= l.height {
		return ""
	}
	from, to := l.seen()
	return fmt.Sprintf(" %d-%d of %d ", from+1, to, l.rows)
}

// maxNotice bounds the lines that a notice takes, of which all but one lie over the screen's part.
const maxNotice = 4

// footer shows what is typed, a notice, which may take several lines, or what keys do.
func (m *Model) footer() (lines []string) {
	t := m.world.theme
	l := draw.NewLine(m.width, draw.Style{}).To(1)
	switch {
	case m.filtering():
		l.Put(t.Accent.Strong(), "/")
		m.peers.filter.Draw(l, t.Text, true)
		return []string{l.String()}
	case m.notice.text != "":
		style := t.Accent
		if m.notice.bad {
			style = t.Bad
		}
		parts := draw.Wrap(m.notice.text, max(m.width-2, 1))
		for _, part := range parts[:min(len(parts), maxNotice, m.height-3)] {
			lines = append(lines, draw.NewLine(m.width, draw.Style{}).To(1).Put(style, part).Full())
		}
		return lines
	}
	return []string{putButtons(t, l, m.footButtons()).String()}
}

// filtering reports whether the last line takes the words of a filter.
func (m *Model) filtering() bool { return m.peers.typed && m.at == placePeers && !m.detailed }

// footButtons are the keys that the last line has room for: help and the way out always.
func (m *Model) footButtons() []button {
	fixed := []hintText{{"?", "help"}, {"q", "quit"}}
	all := buttons(1, fixed...)
	for _, h := range m.hints() {
		fixed = slices.Insert(fixed, len(fixed)-2, h)
		more := buttons(1, fixed...)
		if more[len(more)-1].to > m.width {
			break
		}
		all = more
	}
	return all
}

func (m *Model) hints() []hintText {
	switch {
	case m.helping:
		return []hintText{{"esc", "back"}}
	case !m.world.known:
		if len(m.health.cures()) > 0 {
			return []hintText{{"f", "mend"}}
		}
		return nil
	case m.detailed:
		return m.details.hints()
	}
	return m.screens[m.at].hints()
}
