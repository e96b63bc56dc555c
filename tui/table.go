package tui

import (
	"fmt"
	"strings"
	"time"

	"github.com/cvlan/cvlan/internal/base/words"
	"github.com/cvlan/cvlan/tui/draw"
)

// The columns of the list of peers.
const (
	colMark = iota
	colName
	colPath
	colAddress
	colLatency
	colIn
	colOut
	colTraffic
	colSeen
	colOwner
	colProtocol
	colNetwork
)

var columnOrders = map[int]order{colName: byName, colPath: byPath, colLatency: byLatency, colIn: byTraffic, colOut: byTraffic, colTraffic: byTraffic, colSeen: bySeen, colOwner: byOwner}

// noRoom is a column's least width that no terminal has.
const noRoom = 1 << 20

// columns returns them for a width. Beside the pane, which shows the address, traffic comes first.
func (s *peersScreen) columns(pane bool) []draw.Column {
	c := []draw.Column{
		colMark:     {Min: 1, Rank: 0},
		colName:     {Title: "NAME", Min: 11, Most: min(s.longest.name, 40), Rank: 1},
		colPath:     {Title: "PATH", Min: 11, Most: min(s.longest.way, 24), Rank: 2},
		colAddress:  {Title: "ADDRESS", Min: 15, Rank: 3},
		colLatency:  {Title: "RTT", Min: 7, Right: true, Rank: 4},
		colIn:       {Title: "↓ IN", Min: 10, Right: true, Rank: 5},
		colOut:      {Title: "↑ OUT", Min: 10, Right: true, Rank: 6},
		colTraffic:  {Title: "FLOW", Min: 6, Most: 60, Right: true, Rank: 7, Last: true},
		colSeen:     {Title: "SEEN", Min: 8, Rank: 8},
		colOwner:    {Title: "OWNER", Min: 10, Most: min(s.longest.owner, 40), Rank: 9},
		colProtocol: {Title: "PROTOCOL", Min: 9, Rank: 10},
		colNetwork:  {Title: "NETWORK", Min: 10, Most: 24, Rank: 11},
	}
	if pane {
		c[colAddress].Rank = 9
	}
	if s.longest.owner == 0 {
		c[colOwner].Min = noRoom
	}
	if len(s.networks) < 2 || s.only != "" {
		c = c[:colNetwork]
	}
	return c
}

// table draws the head and the rows that are seen.
func (s *peersScreen) table(width int) []string {
	columns := s.columns(width < s.whole)
	s.widths = draw.Widths(columns, width)
	lines := []string{s.head(columns, width)}
	from, to := s.list.seen()
	for i := from; i < to; i++ {
		lines = append(lines, s.row(columns, s.rows[i], width, i == s.list.at))
	}
	if len(s.rows) == 0 {
		lines = append(lines, "", draw.NewLine(width, s.theme.Dim).Put(draw.Style{}, "   No peer matches; esc shows all").String())
	}
	return lines
}

func (s *peersScreen) head(columns []draw.Column, width int) string {
	sorted := map[order]int{byName: colName, byPath: colPath, byLatency: colLatency, byTraffic: colTraffic, bySeen: colSeen, byOwner: colOwner}[s.order]
	if s.order == byTraffic && s.widths[colTraffic] == 0 {
		sorted = colIn
	}
	text, _ := heads(s.theme, columns, s.widths, sorted, s.back, width)
	return text
}

func arrow(back bool) string {
	if back {
		return " ▲"
	}
	return " ▼"
}

func (s *peersScreen) sortBy(column int) {
	o, ok := columnOrders[column]
	switch {
	case !ok:
		return
	case o == s.order:
		s.back = !s.back
	default:
		s.order, s.back = o, false
	}
	s.rebuild()
}

func (s *peersScreen) row(columns []draw.Column, p *peer, width int, here bool) string {
	t := s.theme
	ground := draw.Style{}
	if here {
		ground = t.Chosen
	}
	l := draw.NewLine(width, ground)
	for i, c := range columns {
		w := s.widths[i]
		if w == 0 {
			continue
		}
		if i == colMark {
			bar := " "
			if here {
				bar = "▌"
			}
			style, mark := p.mark(t)
			l.Put(t.Accent, bar).Put(style, mark).To(1 + draw.Gap) // the name follows closely
			continue
		}
		style, text := s.cell(i, p, w)
		if i == colName && here {
			style = style.Strong()
		}
		l.Cell(style, text, w, c.Right).To(l.Used() + draw.Gap)
	}
	return l.Full()
}

// cell returns what a column says of a peer.
func (s *peersScreen) cell(column int, p *peer, width int) (draw.Style, string) {
	t := s.theme
	switch column {
	case colName:
		if p.stand == offline {
			return t.Dim, p.name
		}
		return t.Text, p.name
	case colPath:
		return wayStyle(t, p.stand), p.way
	case colAddress:
		return t.Dim, p.address
	case colLatency:
		return t.Text, latency(p.rtt)
	case colIn:
		return t.Calm, speed(p.meter.in)
	case colOut:
		return t.Calm, speed(p.meter.out)
	case colTraffic:
		if p.meter.samples == nil {
			return t.Calm, ""
		}
		recent := p.meter.samples[max(len(p.meter.samples)-width, 0):]
		return t.Calm, draw.Spark(recent, width, draw.Highest(recent, 1024))
	case colSeen:
		return t.Dim, p.seen(s.now)
	case colOwner:
		return t.Dim, p.owner
	case colProtocol:
		return t.Dim, protocol(p.Protocol)
	}
	return t.Dim, p.network
}

func wayStyle(t *draw.Theme, s standing) draw.Style {
	switch s {
	case direct:
		return t.Good
	case relayed:
		return t.Fair
	case closed:
		return t.Bad
	}
	return t.Dim
}

// latency writes a round trip; "" if it is not known.
func latency(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	switch {
	case d == 0:
		return ""
	case ms < 10:
		return fmt.Sprintf("%.1f ms", ms)
	}
	return fmt.Sprintf("%.0f ms", ms)
}

// speed writes bytes a second; "" for none.
func speed(bytes float64) string {
	if bytes < 1 {
		return ""
	}
	text := words.Bytes(uint64(bytes))
	if number, unit, ok := strings.Cut(text, "."); ok && len(number) >= 3 { // 841.0 KiB: as 841 KiB
		text = number + unit[1:]
	}
	return text + "/s"
}
