package tui

import (
	"strconv"
	"strings"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/cells"
	"github.com/cvlan/cvlan/internal/base/words"
	"github.com/cvlan/cvlan/tui/draw"
)

// healthScreen says what is wrong and what to do about it, then how each network is, and what this machine's network lets through. What
// the daemon itself knows is shown as it happens; the rest is found by an examination: a quick one when somebody comes here, and one
// that asks relays and routers when somebody wants it.
type healthScreen struct {
	still
	*world
	scroll   scroll
	asked    bool // an examination is under way
	whole    bool // it is one that asks relays and routers
	found    Diagnosis
	examined time.Time // zero: never
	check    *local.NetCheck
	checked  time.Time
}

func (s *healthScreen) title() string { return "Health" }
func (s *healthScreen) extent() *list { return &s.scroll.list }

func (s *healthScreen) badge() (string, bool) {
	n := 0
	for _, net := range s.networks {
		n += len(troubles(net))
	}
	for i := range s.found.Findings {
		if f := &s.found.Findings[i]; f.Severity != Note && !f.live {
			n++
		}
	}
	if n == 0 {
		return "", false
	}
	return strconv.Itoa(n), true
}

func (s *healthScreen) shown() action { return s.examine(false) }
func (s *healthScreen) tick() action  { return s.examine(false) }

// quickFresh is how long a quick examination is good when somebody comes here again.
const quickFresh = 30 * time.Second

// examine has this machine examined, unless that is under way, or a quick one was done a moment ago.
func (s *healthScreen) examine(whole bool) action {
	if s.asked || !whole && !s.examined.IsZero() && s.now.Sub(s.examined) < quickFresh {
		return nil
	}
	s.asked, s.whole = true, whole
	return examine{whole}
}

func (s *healthScreen) view(width, height int) []string {
	var lines []string
	for _, n := range s.networks {
		for i, p := range troubles(n) {
			lines = append(lines, s.finding(&Finding{Severity: severityOf(n, i), Network: n.name, What: p.What, Hint: p.Hint, Cure: s.cureOf(p.Code)}, width)...)
		}
	}
	if _, ill := s.badge(); !ill && len(s.networks) > 0 {
		lines = append(lines, draw.NewLine(width, draw.Style{}).Put(s.theme.Good, "✓ ").Put(s.theme.Text, "Nothing is wrong").String(), "")
	}
	for i := range s.found.Findings {
		if f := &s.found.Findings[i]; !f.live {
			lines = append(lines, s.finding(f, width)...)
		}
	}
	for _, n := range s.networks {
		lines = append(lines, s.membership(n, width)...)
	}
	f := fields{theme: s.theme, width: width}
	f.add("daemon", s.daemon+", started "+words.Ago(s.now, s.since))
	lines = append(append(lines, f.lines...), "")
	return s.scroll.part(append(lines, s.netcheck(width)...), height)
}

func severityOf(n *network, i int) Severity {
	if i == 0 && n.Problem != nil {
		return Error
	}
	return Warning
}

// cureOf is what would mend what the daemon tells, if the examination has found a way.
func (s *healthScreen) cureOf(code string) []string {
	for i := range s.found.Findings {
		if f := &s.found.Findings[i]; f.Code == code {
			return f.Cure
		}
	}
	return nil
}

// finding draws what is wrong, why, and what to type.
func (w *world) finding(f *Finding, width int) []string {
	t := w.theme
	style, mark := t.Fair, "! "
	switch f.Severity {
	case Error:
		style, mark = t.Bad, "✗ "
	case Note:
		style, mark = t.Dim, "· "
	}
	what := cleanText(f.What)
	if f.Network != "" {
		what = cleanName(f.Network) + ": " + what
	}
	lines := hanging(style, mark, what, width)
	lines = append(lines, hanging(t.Dim, "  ", cleanText(f.Why), width)...)
	cure := cleanText(strings.Join(f.Cure, " "))
	for hint := range strings.Lines(f.Hint) {
		if hint = cleanText(strings.TrimSpace(hint)); cure == "" || hint != "sudo "+cure {
			lines = append(lines, hanging(t.Accent, "  → ", hint, width)...)
		}
	}
	if cure != "" {
		lines = append(lines, draw.NewLine(width, draw.Style{}).To(2).Put(t.Accent.Strong(), "f").Put(t.Good, " mends it: "+cure).String())
	}
	return append(lines, "")
}

// hanging draws a text behind a mark, over several lines if it is long; nothing for an empty text.
func hanging(style draw.Style, mark, text string, width int) (lines []string) {
	if text == "" {
		return nil
	}
	in := cells.Width(mark)
	for _, part := range draw.Wrap(text, max(width-in, 8)) {
		lines = append(lines, draw.NewLine(width, draw.Style{}).Put(style, mark).To(in).Put(style, part).String())
		mark = ""
	}
	return lines
}

// netcheck draws what the last check has found.
func (s *healthScreen) netcheck(width int) []string {
	t := s.theme
	lines := []string{t.Title.Paint(cells.Cut("THIS MACHINE'S NETWORK", width))}
	switch {
	case s.asked && s.whole:
		return append(lines, t.Dim.Paint(cells.Cut("asking every relay and the router; up to three seconds …", width)))
	case s.check == nil && len(s.found.Skipped) > 0:
		for _, text := range s.found.Skipped {
			lines = append(lines, hanging(t.Dim, "", "not looked at: "+cleanText(text), width)...)
		}
		return lines
	case s.check == nil:
		return append(lines, t.Dim.Paint(cells.Cut("n checks what it lets through", width)))
	}
	for _, m := range s.check.Meaning {
		lines = append(lines, hanging(t.Text, "", cleanText(m), width)...)
	}
	f := fields{theme: t, width: width}
	for i, r := range s.check.Relays {
		if i == 8 {
			f.add("", "and "+strconv.Itoa(len(s.check.Relays)-i)+" more")
			break
		}
		text := cleanName(r.Name) + "  " + orNone(latency(r.UDP))
		if r.Problem != "" {
			text += "  " + cleanText(r.Problem)
		}
		f.add(label(i == 0, "relays"), text)
	}
	f.add("checked", words.Ago(s.now, s.checked))
	return append(append(lines, ""), f.lines...)
}

func (s *healthScreen) key(name string) action {
	switch name {
	case "n":
		return s.examine(true)
	case "f":
		return s.mend()
	}
	s.scroll.key(name)
	return nil
}

func (s *healthScreen) wheel(by int) action {
	s.scroll.wheel(by)
	return nil
}

func (s *healthScreen) hints() (h []hintText) {
	if len(s.cures()) > 0 {
		h = append(h, hintText{"f", "mend"})
	}
	h = append(h, hintText{"n", "check the network"})
	if s.scroll.rows > s.scroll.height {
		h = append(h, hintText{"↑↓", "scroll"})
	}
	return h
}
