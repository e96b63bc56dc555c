package tui

import (
	"context"
	"strings"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/internal/base/cells"
	"github.com/cvlan/cvlan/tui/draw"
)

// policyScreen asks the controller whether one may begin to talk to another, and why.
type policyScreen struct {
	still
	*world
	network  string // name
	fields   [3]draw.Editor
	at       int
	editing  bool
	asked    bool
	answered bool
	answers  admin.PolicyAnswers
	fault    error
	scroll   scroll
	width    int // of the screen's part, as it was drawn
}

const (
	askFrom = iota
	askTo
	askService
)

var askLabels = [3]string{"from", "to", "service"}

func (s *policyScreen) title() string { return "Policy" }
func (s *policyScreen) extent() *list { return &s.scroll.list }

func (s *policyScreen) caption() string { return s.loginAs }

func (s *policyScreen) shown() action {
	if s.network == "" && len(s.chosen()) > 0 {
		n := s.chosen()[0]
		s.network = n.name
		s.fields[askFrom].Set(cleanName(n.Self.Name))
		s.fields[askService].Set("443/tcp")
		s.at = askTo
	}
	s.editing = !s.answered && !s.asked && s.fault == nil
	return nil
}

func (s *policyScreen) view(width, height int) []string {
	t := s.theme
	s.width = width
	lines := []string{draw.NewLine(width, draw.Style{}).Put(t.Dim, "May one begin to talk to the other, in ").Put(t.Text.Strong(), s.network).Put(t.Dim, "?").String(), ""}
	for i := range s.fields {
		l := draw.NewLine(width, draw.Style{})
		style := t.Dim
		if s.editing && i == s.at {
			style = t.Accent.Strong()
		}
		l.Cell(style, askLabels[i], labelWidth, false)
		s.fields[i].Draw(l, t.Text, s.editing && i == s.at)
		lines = append(lines, l.String())
	}
	lines = append(lines, "")
	switch {
	case s.asked:
		lines = append(lines, t.Dim.Paint(cells.Cut("asking the controller …", width)))
	case s.fault != nil:
		lines = append(append(lines, paragraph(t.Bad, cleanText(reason(s.fault)), width)...), paragraph(t.Dim, cleanText(hint(s.fault)), width)...)
	case s.answered:
		return append(lines, s.scroll.part(s.told(width), height-len(lines))...)
	default:
		lines = append(lines, paragraph(t.Dim, "A node's name, an address, a user, a group or a tag; the service is PORT/PROTOCOL, or icmp.", width)...)
	}
	return lines
}

// told draws the answers.
func (s *policyScreen) told(width int) []string {
	t := s.theme
	if len(s.answers.Answers) == 0 {
		return paragraph(t.Dim, "It is the same node: policy has nothing to say about that", width)
	}
	var lines []string
	for i := range s.answers.Answers {
		e := &s.answers.Answers[i]
		style, mark := t.Bad, "✗ "
		if e.Allowed {
			style, mark = t.Good, "✓ "
		}
		lines = append(lines, draw.NewLine(width, draw.Style{}).Put(style.Strong(), mark).Put(t.Text.Strong(), party(&e.Src)+" → "+party(&e.Dst)).Put(t.Dim, "  "+cleanName(e.Service)).String())
		first := true
		for text := range strings.Lines(e.Text) {
			said := t.Dim
			if first {
				said, first = style, false
			}
			lines = append(lines, paragraph(said, "  "+cleanText(strings.TrimRight(text, "\n")), width)...)
		}
		lines = append(lines, "")
	}
	return lines
}

func party(p *admin.PolicyParty) string {
	name := cleanName(p.Name)
	switch {
	case p.Address.IsValid() && name != "":
		return p.Address.String() + " behind " + name
	case p.Address.IsValid():
		return p.Address.String()
	case name == "":
		return "a node of " + cleanNames(append([]string{p.User}, p.Tags...))
	}
	return name
}

func (s *policyScreen) typing() bool { return s.editing }

func (s *policyScreen) paste(text string) action {
	s.fields[s.at].Insert(strings.TrimSpace(text))
	return nil
}

func (s *policyScreen) key(name string) action {
	if !s.editing {
		switch {
		case name == "enter" || name == "e" || name == "i":
			s.editing = true
		case name == "x":
			return s.turnRound()
		default:
			s.scroll.key(name)
		}
		return nil
	}
	switch name {
	case "esc":
		s.editing = false
	case "tab", "down":
		s.at = (s.at + 1) % len(s.fields)
	case "shift+tab", "up":
		s.at = (s.at + len(s.fields) - 1) % len(s.fields)
	case "enter":
		return s.ask()
	default:
		if !s.fields[s.at].Key(name) {
			s.fields[s.at].Insert(typedText(name))
		}
	}
	return nil
}

// turnRound asks for the other direction.
func (s *policyScreen) turnRound() action {
	from, to := s.fields[askFrom].Text(), s.fields[askTo].Text()
	s.fields[askFrom].Set(to)
	s.fields[askTo].Set(from)
	return s.ask()
}

// ask asks, once both ends are there; else it goes to what is missing.
func (s *policyScreen) ask() action {
	for i := range s.fields {
		if strings.TrimSpace(s.fields[i].Text()) == "" {
			s.at, s.editing = i, true
			return nil
		}
	}
	s.asked, s.editing = true, false
	return askPolicy{s.network, question(s.fields[askFrom].Text(), s.fields[askTo].Text(), s.fields[askService].Text())}
}

// question puts the parts together as policy is asked: HOST:PORT/PROTOCOL, HOST/icmp.
func question(from, to, service string) admin.PolicyQuestion {
	from, to, service = strings.TrimSpace(from), strings.TrimSpace(to), strings.TrimSpace(service)
	if strings.Count(to, ":") > 1 && !strings.HasPrefix(to, "[") {
		to = "[" + to + "]"
	}
	glue := ":"
	if service[0] < '0' || service[0] > '9' {
		glue = "/"
	}
	if strings.Contains(service, "*") {
		glue = ":"
	}
	return admin.PolicyQuestion{Src: from, Dst: to + glue + service}
}

// click goes to the place in a field that it hits.
func (s *policyScreen) click(x, y int) action {
	if i := y - 2; i >= 0 && i < len(s.fields) {
		room := s.width - labelWidth
		if !s.editing || i != s.at { // it is drawn from its beginning
			s.fields[i].Key("home")
		}
		s.at, s.editing = i, true
		s.fields[i].Point(x-labelWidth, room)
	}
	return nil
}

func (s *policyScreen) wheel(by int) action {
	s.scroll.wheel(by)
	return nil
}

func (s *policyScreen) hints() []hintText {
	if s.editing {
		return []hintText{{"enter", "ask"}, {"tab", "next field"}, {"esc", "leave"}}
	}
	return []hintText{{"enter", "ask another"}, {"x", "turn round"}}
}

// askFromThis makes a peer the one that the next question is asked for.
type askFromThis struct{ id peerID }

func (a askFromThis) decide(m *Model) action {
	p := m.world.byID[a.id]
	switch {
	case !m.world.admin:
		return say{m.world.login, true}
	case m.world.from == a.id || p == nil:
		m.world.from = peerID{}
		return nil
	}
	m.world.from, m.detailed = a.id, false
	return nil
}

// explainTo asks whether this machine, or the peer that was chosen before, may reach a peer.
type explainTo struct{ id peerID }

func (e explainTo) decide(m *Model) action {
	n, p := m.world.network(e.id.network), m.world.byID[e.id]
	if !m.world.admin {
		return say{m.world.login, true}
	}
	if n == nil || p == nil {
		return nil
	}
	service := m.policy.fields[askService].Text()
	if service == "" {
		service = "443/tcp"
	}
	from := cleanName(n.Self.Name)
	if other := m.world.byID[m.world.from]; other != nil && other.id.network == n.ID && other != p {
		from = other.name
	}
	m.policy.pose(n.name, from, p.name, service)
	m.world.from = peerID{}
	return both{show{placePolicy}, m.policy.ask()}
}

// explainThis asks about a packet that was dropped.
type explainThis struct{ network, source, service string }

func (e explainThis) decide(m *Model) action {
	to, protocol, _ := strings.Cut(e.service, "/")
	service := protocol
	if i := strings.LastIndexByte(to, ':'); i > 0 && protocol != "icmp" {
		to, service = to[:i], to[i+1:]+"/"+protocol
	}
	m.policy.pose(e.network, e.source, to, service)
	return both{show{placePolicy}, m.policy.ask()}
}

func (s *policyScreen) pose(network, from, to, service string) {
	s.network = network
	for i, text := range []string{from, to, service} {
		s.fields[i].Set(text)
	}
	s.answered, s.fault, s.scroll = false, nil, scroll{}
}

type askPolicy struct {
	network string
	q       admin.PolicyQuestion
}

func (a askPolicy) run(ctx context.Context, c *Config) outcome {
	out, err := c.Controller.Explain(ctx, a.network, a.q)
	return policyTold{theirs{}, out, err}
}

type policyTold struct {
	theirs
	answers admin.PolicyAnswers
	err     error
}

func (t policyTold) take(m *Model) action {
	s := m.policy
	s.asked, s.answered, s.fault, s.answers, s.scroll = false, t.err == nil, t.err, t.answers, scroll{}
	return nil
}
