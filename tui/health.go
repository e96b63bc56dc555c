package tui

import (
	"context"
	"strconv"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/words"
	"github.com/cvlan/cvlan/tui/draw"
)

// healthScreen says what is wrong and what to do about it, then how each network is, and what this machine's network lets through.
type healthScreen struct {
	still
	*world
	scroll  scroll
	asked   bool // a check of the network is under way
	check   *local.NetCheck
	checked time.Time
	fault   error // of the check
}

func (s *healthScreen) title() string { return "Health" }

func (s *healthScreen) badge() (string, bool) {
	n := 0
	for _, net := range s.networks {
		n += len(troubles(net))
	}
	if n == 0 {
		return "", false
	}
	return strconv.Itoa(n), true
}

func (s *healthScreen) view(width, height int) []string {
	var lines []string
	for _, n := range s.networks {
		lines = append(lines, s.troubles(n, width)...)
	}
	if len(lines) == 0 && len(s.networks) > 0 {
		lines = append(lines, s.theme.Good.Paint("✓ ")+s.theme.Text.Paint(draw.Cut("Nothing is wrong", width-2)), "")
	}
	for _, n := range s.networks {
		lines = append(lines, s.network(n, width)...)
	}
	f := fields{theme: s.theme, width: width}
	f.add("daemon", s.daemon+", started "+words.Ago(s.now, s.since))
	lines = append(append(lines, f.lines...), "")
	return s.scroll.part(append(lines, s.netcheck(width)...), height)
}

func (s *healthScreen) troubles(n *network, width int) []string {
	var lines []string
	for i, p := range troubles(n) {
		style := s.theme.Fair
		if i == 0 && n.Problem != nil {
			style = s.theme.Bad
		}
		lines = append(lines, paragraph(style, "! "+n.name+": "+cleanText(p.What), width)...)
		for i, l := range draw.Wrap(cleanText(p.Hint), max(width-4, 8)) {
			if p.Hint == "" {
				break
			}
			arrow := "→ "
			if i > 0 {
				arrow = "  "
			}
			lines = append(lines, draw.NewLine(width, draw.Style{}).To(2).Put(s.theme.Accent, arrow+l).String())
		}
		lines = append(lines, "")
	}
	return lines
}

func (s *healthScreen) network(n *network, width int) []string {
	t := s.theme
	l := draw.NewLine(width, draw.Style{}).Put(t.Accent.Strong(), n.name).Put(t.Text, "  ").Put(stateStyle(t, n.State), cleanName(string(n.State)))
	f := fields{theme: t, width: width}
	f.add("this node", cleanName(n.Self.Name)+"  "+first(n.Self))
	if n.Interface != "" {
		f.add("interface", cleanName(n.Interface)+", UDP port "+strconv.Itoa(int(n.Port))+", MTU "+strconv.Itoa(n.MTU))
	}
	style, text := s.controller(n)
	f.style(style, "controller", text)
	if n.Controller.CertUntil != nil {
		f.add("certificate", "ends "+words.Until(s.now, *n.Controller.CertUntil))
	}
	f.add("policy", policed(n.Policy))
	return append(append([]string{l.String()}, f.lines...), "")
}

func (s *healthScreen) controller(n *network) (draw.Style, string) {
	c := n.Controller
	at := cleanName(c.Address)
	switch {
	case c.Connected && c.Since != nil:
		return s.theme.Text, at + " over " + cleanName(c.Transport) + ", for " + words.Span(s.now.Sub(*c.Since))
	case c.Connected:
		return s.theme.Text, at + " over " + cleanName(c.Transport)
	case n.State == local.Down:
		return s.theme.Dim, at
	}
	at += ", away"
	if c.LastContact != nil {
		at += ", last heard " + words.Ago(s.now, *c.LastContact)
	}
	if c.Problem != "" {
		at += ": " + cleanText(c.Problem)
	}
	return s.theme.Fair, at
}

func policed(p local.Policy) string {
	if p.Version == 0 {
		return "no rules yet: nothing may pass"
	}
	return "version " + strconv.FormatUint(p.Version, 10) + ", " + strconv.Itoa(p.Flows) + " flows, " + strconv.FormatUint(p.Denied, 10) + " packets denied"
}

func stateStyle(t *draw.Theme, s local.State) draw.Style {
	switch s {
	case local.Up:
		return t.Good
	case local.Failed, local.NeedsLogin:
		return t.Bad
	case local.Down:
		return t.Dim
	}
	return t.Fair
}

// netcheck draws what the last check has found.
func (s *healthScreen) netcheck(width int) []string {
	t := s.theme
	lines := []string{t.Title.Paint(draw.Cut("THIS MACHINE'S NETWORK", width))}
	switch {
	case s.asked:
		return append(lines, t.Dim.Paint(draw.Cut("asking every relay and the router; up to three seconds …", width)))
	case s.fault != nil:
		return append(append(lines, paragraph(t.Bad, cleanText(reason(s.fault)), width)...), paragraph(t.Dim, cleanText(hint(s.fault)), width)...)
	case s.check == nil:
		return append(lines, t.Dim.Paint(draw.Cut("n checks what it lets through", width)))
	}
	for _, m := range s.check.Meaning {
		lines = append(lines, paragraph(t.Text, cleanText(m), width)...)
	}
	f := fields{theme: t, width: width}
	for i, r := range s.check.Relays {
		if i == 8 {
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
	if name == "n" && !s.asked {
		s.asked = true
		return checkNet{}
	}
	s.scroll.key(name)
	return nil
}

func (s *healthScreen) wheel(by int) action {
	s.scroll.wheel(by)
	return nil
}

func (s *healthScreen) hints() []hintText {
	return []hintText{{"n", "check the network"}, {"↑↓", "scroll"}}
}

type checkNet struct{}

func (checkNet) run(ctx context.Context, c *Config) outcome {
	n, err := c.Daemon.NetCheck(ctx)
	return netChecked{n, err, c.Now()}
}

type netChecked struct {
	check local.NetCheck
	err   error
	at    time.Time
}

func (n netChecked) take(m *Model) action {
	s := m.health
	s.asked, s.fault, s.checked = false, n.err, n.at
	if n.err == nil {
		s.check = &n.check
	}
	return nil
}
