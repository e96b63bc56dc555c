package tui

import (
	"context"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/cells"
	"github.com/cvlan/cvlan/tui/draw"
)

// maxDenials bounds what is kept of what the filter has dropped.
const maxDenials = 1000

// denial is one that is told, cleaned.
type denial struct {
	at                 time.Time
	out                bool
	from, to, protocol string
	why                string
	network            string // identifier
	name               string
	source, service    string // as policy is asked; "" if it cannot be
}

// denialsScreen shows what this machine's filter has dropped, newest first, while it is looked at.
type denialsScreen struct {
	still
	*world
	list  list
	all   []denial // oldest first
	next  map[string]uint64
	asked bool
	told  bool // there was an answer
	fault error
}

func (s *denialsScreen) title() string { return "Denials" }
func (s *denialsScreen) extent() *list { return &s.list }

func (s *denialsScreen) badge() (string, bool) {
	var n uint64
	for _, net := range s.networks {
		n += net.Policy.Denied
	}
	switch {
	case n == 0:
		return "", false
	case n > 999:
		return strconv.FormatUint(n/1000, 10) + "k", false
	}
	return strconv.FormatUint(n, 10), false
}

func (s *denialsScreen) shown() action { return s.tick() }

func (s *denialsScreen) tick() action {
	if s.asked || s.away != nil {
		return nil
	}
	s.asked = true
	return askDenials{s.next}
}

var denialColumns = []draw.Column{
	{Title: "TIME", Min: 8, Rank: 1},
	{Title: "", Min: 3, Rank: 2},
	{Title: "FROM", Min: 10, Most: 40, Rank: 3},
	{Title: "TO", Min: 10, Most: 40, Rank: 4},
	{Title: "PROTO", Min: 6, Most: 12, Rank: 6},
	{Title: "WHY", Min: 12, Most: 60, Rank: 5},
}

func (s *denialsScreen) view(width, height int) []string {
	t := s.theme
	switch {
	case s.fault != nil:
		return append(paragraph(t.Fair, cleanText(reason(s.fault)), width), paragraph(t.Dim, cleanText(hint(s.fault)), width)...)
	case !s.told:
		return []string{t.Dim.Paint("…")}
	case len(s.all) == 0:
		return nothing(t, width, "Nothing was dropped", "What this machine's filter drops from now on is told here: from whom, to whom, and why.")
	}
	whole := s.sentence(width)
	if height < 4+len(whole) {
		whole = nil
	}
	s.list.fit(len(s.all), height-1-len(whole))
	return append(draw.Fit(rows(t, denialColumns, &s.list, nil, width, s.cells), height-len(whole)), whole...)
}

// sentence tells all of the one under the cursor, if a column cuts it.
func (s *denialsScreen) sentence(width int) []string {
	at := min(s.list.at, len(s.all)-1)
	cut, widths := false, shared(denialColumns, len(s.all), s.cells, width-rowBar)
	for i, c := range s.cells(at) {
		cut = cut || cells.Width(c.text) > widths[i]
	}
	if !cut {
		return nil
	}
	d := &s.all[len(s.all)-1-at]
	lines := paragraph(s.theme.Dim, d.from+" → "+d.to+"  "+d.protocol, width)
	return append(append([]string{""}, lines...), paragraph(s.theme.Fair, d.why, width)...)
}

// cells is what the columns say of a denial.
func (s *denialsScreen) cells(row int) []cell {
	t, d := s.theme, &s.all[len(s.all)-1-row]
	way := "in"
	if d.out {
		way = "out"
	}
	return []cell{{t.Dim, d.at.Format(time.TimeOnly)}, {t.Dim, way}, {t.Text, d.from}, {t.Text, d.to}, {t.Dim, d.protocol}, {t.Fair, d.why}}
}

func (s *denialsScreen) key(name string) action {
	if name == "enter" || name == "e" {
		if i := len(s.all) - 1 - s.list.at; s.admin && i >= 0 && i < len(s.all) && s.all[i].source != "" {
			d := s.all[i]
			return explainThis{d.name, d.source, d.service}
		}
		return nil
	}
	s.list.key(name)
	return nil
}

func (s *denialsScreen) click(_, y int) action {
	row, ok := s.list.click(y - 1)
	switch {
	case !ok:
	case row == s.list.at:
		return s.key("enter")
	default:
		s.list.to(row)
	}
	return nil
}

func (s *denialsScreen) wheel(by int) action {
	s.list.wheel(by)
	return nil
}

func (s *denialsScreen) hints() []hintText {
	if len(s.all) == 0 {
		return nil
	}
	if s.admin {
		return []hintText{{"enter", "explain"}, {"↑↓", "move"}}
	}
	return []hintText{{"↑↓", "move"}}
}

type askDenials struct{ since map[string]uint64 }

func (a askDenials) run(ctx context.Context, c *Config) outcome {
	l, err := c.Daemon.PolicyLog(ctx, local.PolicyLogRequest{Since: a.since})
	return denialsTold{l, err}
}

type denialsTold struct {
	log local.PolicyLog
	err error
}

func (t denialsTold) take(m *Model) action {
	s := m.denials
	s.asked, s.fault = false, t.err
	if t.err != nil {
		return nil
	}
	s.told, s.next = true, t.log.Next
	top := s.list.at == 0
	fresh := 0
	for _, n := range t.log.Networks {
		for i := range n.Denials {
			s.all = append(s.all, tellDenial(&n, &n.Denials[i], m.world.now.Location()))
			fresh++
		}
	}
	if len(s.all) > maxDenials {
		s.all = append(s.all[:0], s.all[len(s.all)-maxDenials:]...)
	}
	if !top { // the cursor stays on what it was on
		s.list.at, s.list.top, s.list.rows = s.list.at+fresh, s.list.top+fresh, len(s.all)
		s.list.to(s.list.at)
	}
	return nil
}

func tellDenial(n *local.PolicyNetwork, d *local.Denial, zone *time.Location) denial {
	out := denial{at: d.At.In(zone), out: d.Direction == "out", from: spot(d.Src), to: spot(d.Dst), protocol: cleanName(d.Protocol),
		why: cleanText(d.Why()), network: n.ID, name: cleanName(n.Name)}
	if d.Missed > 0 {
		out.why += " (and " + strconv.FormatUint(uint64(d.Missed), 10) + " before)"
	}
	if d.Src != nil && d.Dst != nil && (d.Reason == "no_rule" || d.Reason == "denied") {
		out.source, out.service = spotName(d.Src), spot(d.Dst)+"/"+cleanName(d.Protocol)
	}
	return out
}

func spot(p *local.DenialPlace) string {
	switch {
	case p == nil:
		return ""
	case p.Port == 0:
		return spotName(p)
	}
	name := spotName(p)
	if strings.Contains(name, ":") {
		return net.JoinHostPort(name, strconv.Itoa(int(p.Port)))
	}
	return name + ":" + strconv.Itoa(int(p.Port))
}

func spotName(p *local.DenialPlace) string {
	if p.Name != "" {
		return cleanName(p.Name)
	}
	return p.Address.String()
}
