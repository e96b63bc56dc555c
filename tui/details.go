package tui

import (
	"math"
	"strconv"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/words"
	"github.com/cvlan/cvlan/tui/draw"
)

// details draws a peer: in a pane beside the list, or in full over it.
type details struct {
	*world
	id     peerID
	scroll scroll
}

// pane draws what matters most. Where the terminal is high its graph is higher.
func (d *details) pane(p *peer, width, height int) []string {
	lines := d.heading(p, width)
	lines = append(lines, d.facts(p, width)...)
	lines = append(lines, d.traffic(p, width, min(max(height/8, 3), 8))...)
	if d.ping.id == p.id && d.ping.sent > 0 {
		lines = append(lines, d.echoes(width, 3)...)
	}
	return append(lines, d.ways(p, width)...)
}

// full draws everything, of which a part is seen.
func (d *details) full(width, height int) []string {
	p := d.byID[d.id]
	if p == nil {
		return append([]string{""}, paragraph(d.theme.Dim, "This peer is not in the network any more; esc goes back", width)...)
	}
	lines := d.heading(p, width)
	if width >= paneFrom {
		half := (width - 3) / 2
		left := append(d.facts(p, half), d.ways(p, half)...)
		lines = append(lines, draw.Beside(left, half, "   ", d.graphs(p, width-half-3))...)
		return d.scroll.part(lines, height)
	}
	if d.ping.id == p.id { // what was asked for comes first
		lines = append(lines, d.echoes(width, 4)...)
	}
	lines = append(append(lines, d.facts(p, width)...), d.traffic(p, width, 4)...)
	return d.scroll.part(append(lines, d.ways(p, width)...), height)
}

func (d *details) graphs(p *peer, width int) []string {
	lines := d.traffic(p, width, 5)
	if d.ping.id == p.id {
		lines = append(lines, d.echoes(width, 6)...)
	}
	return lines
}

func (d *details) heading(p *peer, width int) []string {
	t := d.theme
	style, mark := p.mark(t)
	l := draw.NewLine(width, draw.Style{}).Put(style, mark+" ").Put(t.Accent.Strong(), p.name).Put(t.Text, "  ").Put(wayStyle(t, p.stand), p.way)
	if p.rtt > 0 {
		l.Put(t.Dim, "  "+latency(p.rtt))
	}
	return []string{l.String(), ""}
}

// facts are the peer's properties, one a line.
func (d *details) facts(p *peer, width int) []string {
	f := fields{theme: d.theme, width: width}
	for i, a := range p.Addresses {
		f.add(label(i == 0, "address"), a.String())
	}
	f.add("owner", p.owner)
	f.add("network", p.network)
	f.add("online", d.online(p))
	f.add("protocol", protocol(p.Protocol))
	if known, ok := d.paths[p.id]; ok && known.err == nil {
		why := cleanText(known.Why)
		if known.Since != nil {
			why = words.Ago(d.now, *known.Since) + ", " + why
		}
		f.add("chosen", why)
		f.add("preshared", cleanName(known.Preshared))
	}
	if p.Endpoint != nil {
		f.add("endpoint", p.Endpoint.String())
	}
	if p.LastHandshake != nil {
		f.add("handshake", words.Ago(d.now, *p.LastHandshake))
	}
	f.add("received", words.Bytes(p.RxBytes))
	f.add("sent", words.Bytes(p.TxBytes))
	f.add("key", cleanName(p.Key))
	f.add("node", cleanName(p.ID))
	return append(f.lines, "")
}

func label(shown bool, name string) string {
	if shown {
		return name
	}
	return ""
}

func (d *details) online(p *peer) string {
	switch {
	case p.Kind == local.PlainPeer:
		return "a plain WireGuard device, without an agent"
	case p.Online:
		return "yes"
	case p.LastSeen != nil:
		return "no, seen " + words.Ago(d.now, *p.LastSeen)
	}
	return "no"
}

// traffic draws what went to and fro lately.
func (d *details) traffic(p *peer, width, height int) []string {
	t := d.theme
	l := draw.NewLine(width, draw.Style{}).Put(t.Title, "TRAFFIC").Put(t.Text, "  ")
	l.Put(t.Calm, "↓ "+orNone(speed(p.meter.in))).Put(t.Text, "  ").Put(t.Calm, "↑ "+orNone(speed(p.meter.out)))
	lines := []string{l.String()}
	if p.meter.samples == nil {
		return append(lines, "")
	}
	room := max(width-scaleWidth, 1)
	recent := p.meter.samples[max(len(p.meter.samples)-room, 0):]
	high := draw.Highest(recent, 1024)
	bars := draw.Bars(recent, room, height, high, func(int) draw.Style { return t.Calm })
	return append(append(lines, scaled(t, bars, room, speed(high), width)...), "")
}

func orNone(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// scaleWidth is how much room what stands behind a graph takes.
const scaleWidth = 11

// scaled puts what the top and the bottom of a graph stand for behind it.
func scaled(t *draw.Theme, bars []string, room int, top string, width int) []string {
	lines := make([]string, len(bars))
	for i, b := range bars {
		l := draw.NewLine(width, draw.Style{}).Raw(b, room)
		switch i {
		case 0:
			l.Put(t.Rule, "▔").Put(t.Dim, top)
		case len(bars) - 1:
			l.Put(t.Rule, "▁").Put(t.Dim, "0")
		}
		lines[i] = l.String()
	}
	return lines
}

// echoes draws the run of pings.
func (d *details) echoes(width, height int) []string {
	t, p := d.theme, &d.ping
	l := draw.NewLine(width, draw.Style{}).Put(t.Title, "PING").Put(t.Text, "  ")
	low, mean, high := p.spread()
	switch {
	case p.got > 0:
		l.Put(t.Text, latency(p.last.RTT)).Put(t.Dim, "  lowest "+ms(low)+", mean "+ms(mean)+", highest "+ms(high))
	case p.sent == 0 && p.on:
		l.Put(t.Dim, "waiting for the first answer")
	}
	lines := []string{l.String()}
	l = draw.NewLine(width, draw.Style{}).Put(t.Dim, strconv.Itoa(p.sent)+" sent, "+strconv.Itoa(p.got)+" received")
	if p.sent > p.got {
		l.Put(t.Bad, "  "+strconv.FormatFloat(p.lost(), 'f', 0, 64)+" % lost")
	}
	if p.got > 0 {
		l.Put(t.Dim, "  last over ").Put(pathStyle(t, p.last.Path), cleanName(p.last.Path+" "+p.last.Relay))
	}
	lines = append(lines, l.String())
	lines = append(lines, d.echoGraph(width, height)...)
	if p.err != nil {
		for _, text := range []string{reason(p.err), hint(p.err)} {
			lines = append(lines, paragraph(t.Bad, cleanText(text), width)...)
		}
	}
	return append(lines, "")
}

// echoGraph draws the round trips, in the colour of the path that each took.
func (d *details) echoGraph(width, height int) []string {
	room := max(width-scaleWidth, 1)
	recent := d.ping.echoes[max(len(d.ping.echoes)-room, 0):]
	if len(recent) == 0 {
		return nil
	}
	values := make([]float64, len(recent))
	for i, e := range recent {
		values[i] = e.ms
	}
	high := draw.Highest(values, 1)
	bars := draw.Bars(values, room, height, high, func(i int) draw.Style {
		if math.IsNaN(values[i]) {
			return d.theme.Bad
		}
		return pathStyle(d.theme, recent[i].path)
	})
	return scaled(d.theme, bars, room, ms(high), width)
}

func ms(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) + " ms" }

func pathStyle(t *draw.Theme, path string) draw.Style {
	switch path {
	case local.PathDirect:
		return t.Good
	case local.PathRelay:
		return t.Fair
	}
	return t.Dim
}

func (d *details) key(name string) action {
	p := d.byID[d.id]
	switch {
	case name == "esc" || name == "left" || name == "enter" || name == "backspace":
		return open{}
	case name == "p" && d.ping.on && d.ping.id == d.id:
		d.ping.on = false
		return nil
	case d.scroll.key(name):
		return nil
	}
	return peerKey(d.world, p, name)
}

func (d *details) hints() []hintText {
	p := hintText{"p", "ping"}
	if d.ping.on && d.ping.id == d.id {
		p.does = "stop ping"
	}
	h := []hintText{{"esc", "back"}, p, {"c", "copy address"}, {"C", "copy name"}}
	if d.admin {
		h = append(h, hintText{"e", "explain"})
	}
	return h
}
