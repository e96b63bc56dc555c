package tui

import (
	"strconv"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/words"
	"github.com/cvlan/cvlan/tui/draw"
)

// The columns of the table of ways.
var wayColumns = []draw.Column{
	{Min: 1, Rank: 0},
	{Title: "WAY", Min: 6, Rank: 1},
	{Title: "AT", Min: 15, Most: 46, Rank: 2},
	{Title: "KNOWN AS", Min: 8, Most: 12, Rank: 5},
	{Title: "STATE", Min: 7, Most: 8, Rank: 3},
	{Title: "RTT", Min: 7, Right: true, Rank: 4},
	{Title: "MTU", Min: 4, Right: true, Rank: 6},
	{Title: "HEARD", Min: 8, Rank: 7},
}

// ways draws every way to a peer, the one in use first.
func (d *details) ways(p *peer, width int) []string {
	t := d.theme
	lines := []string{t.Title.Paint(draw.Cut("PATHS", width))}
	known, ok := d.paths[p.id]
	switch {
	case d.noPaths != nil:
		return append(lines, paragraph(t.Dim, "Only an operator may see them. "+cleanText(hint(d.noPaths)), width)...)
	case ok && known.err != nil:
		return append(lines, paragraph(t.Dim, cleanText(reason(known.err)), width)...)
	case !ok:
		return append(lines, t.Dim.Paint(draw.Cut("…", width)))
	case len(known.Candidates) == 0:
		return append(lines, paragraph(t.Dim, "None is known yet", width)...)
	}
	widths := draw.Widths(wayColumns, width)
	head := draw.NewLine(width, draw.Style{})
	for i, c := range wayColumns {
		if widths[i] > 0 {
			head.Cell(t.Dim, c.Title, widths[i], c.Right).To(head.Used() + draw.Gap)
		}
	}
	lines = append(lines, head.String())
	for _, c := range known.Candidates {
		lines = append(lines, d.way(c, widths, width))
	}
	return lines
}

func (d *details) way(c local.Candidate, widths []int, width int) string {
	t := d.theme
	mark, at, heard, size := " ", cleanName(c.Relay), "", ""
	if c.Chosen {
		mark = "▸"
	}
	if c.Path != local.PathRelay && c.Address != nil {
		at = c.Address.String()
	}
	if c.Heard != nil {
		heard = words.Ago(d.now, *c.Heard)
	}
	if c.MTU > 0 {
		size = strconv.Itoa(c.MTU)
	}
	state := t.Dim
	if c.State == "proven" {
		state = t.Good
	}
	l := draw.NewLine(width, draw.Style{})
	for i, cell := range []struct {
		style draw.Style
		text  string
	}{
		{t.Accent, mark}, {pathStyle(t, c.Path), cleanName(c.Path)}, {t.Text, at}, {t.Dim, cleanName(c.Kind)}, {state, cleanName(c.State)},
		{t.Text, latency(c.RTT)}, {t.Dim, size}, {t.Dim, heard},
	} {
		if widths[i] > 0 {
			l.Cell(cell.style, cell.text, widths[i], wayColumns[i].Right).To(l.Used() + draw.Gap)
		}
	}
	return l.String()
}
