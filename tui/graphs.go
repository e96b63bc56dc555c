package tui

import (
	"math"
	"strconv"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/tui/draw"
)

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
