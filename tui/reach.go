package tui

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/cells"
	"github.com/cvlan/cvlan/tui/draw"
)

// reachNews is what the rules allow between this machine and a peer, in both directions.
type reachNews struct {
	local.Reach
	at     time.Time
	policy uint64 // version of the network's policy when it was asked for
	err    error
}

// reachFresh is how long an answer is good while the policy stays: a peer may get other tags.
const reachFresh = 15 * time.Second

// nextReach asks for what the rules allow with the peer that is looked at, if that is not known.
func (m *Model) nextReach() action {
	w := m.world
	p, ok := m.lookedAt()
	if !ok || m.reachAsked || w.noReach != nil || w.away != nil {
		return nil
	}
	var policy uint64
	if n := w.network(p.id.network); n != nil {
		policy = n.Policy.Version
	}
	if known, ok := w.reach[p.id]; ok && known.policy == policy && w.now.Sub(known.at) < reachFresh {
		return nil
	}
	m.reachAsked = true
	return askReach{p.id, policy}
}

// lookedAt is the peer whose details are seen, in full or beside the list.
func (m *Model) lookedAt() (*peer, bool) {
	id := m.details.id
	if !m.detailed {
		if m.at != placePeers || m.width-2 < paneFrom {
			return nil, false
		}
		id = m.peers.chosen
	}
	p := m.world.byID[id]
	return p, p != nil
}

type askReach struct {
	id     peerID
	policy uint64
}

func (a askReach) run(ctx context.Context, c *Config) outcome {
	r, err := c.Daemon.Reach(ctx, local.PathRequest{Peer: a.id.node, Network: a.id.network})
	return reachTold{a.id, reachNews{r, c.Now(), a.policy, err}}
}

type reachTold struct {
	id   peerID
	news reachNews
}

func (t reachTold) take(m *Model) action {
	m.reachAsked = false
	var l *local.Error
	if errors.As(t.news.err, &l) && l.Code == local.CodePermission {
		m.world.noReach = t.news.err
		return nil
	}
	if m.world.byID[t.id] != nil {
		m.world.reach[t.id] = t.news
	}
	return nil
}

// rules draws what this machine may begin with a peer, and the peer with this machine.
func (d *details) rules(p *peer, width int) []string {
	t := d.theme
	head := draw.NewLine(width, draw.Style{}).Put(t.Title, "RULES")
	known, ok := d.reach[p.id]
	switch {
	case d.noReach != nil:
		return append([]string{head.String()}, append(forOperators(t, d.noReach, width), "")...)
	case !ok:
		return []string{head.String(), t.Dim.Paint(cells.Cut("…", width)), ""}
	case known.err != nil:
		return append([]string{head.String()}, append(paragraph(t.Dim, cleanText(reason(known.err)), width), "")...)
	case known.Policy == 0:
		return append([]string{head.String()}, append(paragraph(t.Bad, "There are none yet: nothing may pass", width), "")...)
	}
	lines := []string{head.Put(t.Dim, "  policy version "+strconv.FormatUint(known.Policy, 10)).String()}
	lines = append(lines, d.allowed("→ to it", known.Out, width)...)
	return append(append(lines, d.allowed("← from it", known.In, width)...), "")
}

// maxRules bounds the rules that are drawn of each direction.
const maxRules = 12

// allowed draws what may begin in one direction, a line or more a rule.
func (d *details) allowed(label string, list []local.ReachRule, width int) (lines []string) {
	t := d.theme
	if len(list) == 0 {
		return []string{draw.NewLine(width, draw.Style{}).Cell(t.Dim, label, labelWidth, false).Put(t.Fair, "nothing: no rule allows it").String()}
	}
	for i := range list {
		r := &list[i]
		if i == maxRules {
			return append(lines, draw.NewLine(width, draw.Style{}).To(labelWidth).Put(t.Dim, "and "+strconv.Itoa(len(list)-i)+" rules more").String())
		}
		lines = append(lines, d.rule(label, r, width)...)
		label = ""
	}
	return lines
}

// rule draws what a rule decides, with its number behind it.
func (d *details) rule(label string, r *local.ReachRule, width int) (lines []string) {
	t := d.theme
	style, mark := t.Good, "✓ "
	if r.Deny {
		style, mark = t.Bad, "✗ "
	}
	number := "rule " + strconv.FormatUint(uint64(r.Rule), 10)
	room := max(width-labelWidth-2-draw.Gap-len(number), 8)
	for i, part := range draw.Wrap(services(r), room) {
		l := draw.NewLine(width, draw.Style{}).Cell(t.Dim, label, labelWidth, false)
		if i > 0 {
			lines = append(lines, l.To(labelWidth+2).Put(t.Text, part).String())
			continue
		}
		lines = append(lines, l.Put(style, mark).Put(t.Text, part).To(max(width-len(number), 0)).Put(t.Dim, number).String())
		label = ""
	}
	return lines
}

// services is what a rule is about in words: tcp+udp:80,443. Ports that several protocols have, and protocols that have several ports, stand
// together.
func services(r *local.ReachRule) string {
	text := cleanText(strings.Join(together(r.Services[:min(len(r.Services), 64)]), "  "))
	if r.More > 0 {
		text += " and " + strconv.Itoa(r.More) + " more"
	}
	if r.IPsec {
		text += ", through IPsec only"
	}
	return text
}

// together joins services such as tcp:80, udp:80 and tcp:443 in the order in which they come.
func together(list []string) []string {
	byPorts := gather(list, func(s string) (key, value string) {
		name, ports, _ := strings.Cut(s, ":")
		return ports, name
	})
	for i, g := range byPorts {
		byPorts[i].key, byPorts[i].values = strings.Join(g.values, "+"), []string{g.key}
	}
	var out []string
	for _, g := range gatherGroups(byPorts) {
		if ports := strings.Join(g.values, ", "); ports != "" {
			out = append(out, g.key+":"+ports)
		} else {
			out = append(out, strings.Split(g.key, "+")...)
		}
	}
	return out
}

// group is what has a key in common.
type group struct {
	key    string
	values []string
}

func gather(list []string, split func(string) (key, value string)) (groups []group) {
	for _, s := range list {
		key, value := split(s)
		groups = append(groups, group{key, []string{value}})
	}
	return gatherGroups(groups)
}

// gatherGroups joins those of one key, in the order in which the keys come.
func gatherGroups(list []group) (out []group) {
	for _, g := range list {
		i := slices.IndexFunc(out, func(x group) bool { return x.key == g.key })
		if i < 0 {
			i, out = len(out), append(out, group{key: g.key})
		}
		out[i].values = append(out[i].values, g.values...)
	}
	return out
}
