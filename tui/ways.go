package tui

import (
	"slices"
	"strconv"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/cells"
	"github.com/cvlan/cvlan/internal/base/words"
	"github.com/cvlan/cvlan/tui/draw"
)

// The columns of the table of ways.
const (
	wayAt  = 1
	wayMTU = 5
)

var wayColumns = []draw.Column{
	{Title: "WAY", Min: 6, Rank: 1},
	wayAt: {Title: "AT", Rank: 2},
	{Title: "KNOWN AS", Min: 8, Most: 16, Rank: 6},
	{Title: "STATE", Min: 7, Most: 8, Rank: 3},
	{Title: "RTT", Min: 6, Most: 7, Right: true, Rank: 4},
	wayMTU: {Title: "MTU", Min: 4, Right: true, Rank: 7},
	{Title: "HEARD", Min: 7, Most: 8, Rank: 5},
}

// ways draws every way to a peer, the one in use first.
func (d *details) ways(p *peer, width int) []string {
	t := d.theme
	lines := []string{t.Title.Paint(cells.Cut("PATHS", width))}
	known, ok := d.paths[p.id]
	switch {
	case d.noPaths != nil:
		return append(lines, forOperators(t, d.noPaths, width)...)
	case ok && known.err != nil:
		return append(lines, paragraph(t.Dim, cleanText(reason(known.err)), width)...)
	case !ok:
		return append(lines, t.Dim.Paint(cells.Cut("…", width)))
	case len(known.Candidates) == 0:
		return append(lines, paragraph(t.Dim, "None is known yet", width)...)
	}
	columns := slices.Clone(wayColumns)
	for _, c := range known.Candidates {
		columns[wayAt].Most = max(columns[wayAt].Most, cells.Width(wayPlace(c)))
	}
	if !slices.ContainsFunc(known.Candidates, func(c local.Candidate) bool { return c.MTU > 0 }) {
		columns[wayMTU].Min = noRoom
	}
	columns[wayAt].Min = min(columns[wayAt].Most, len("255.255.255.255:65535"))
	widths := draw.Widths(columns, width-wayMark)
	head := draw.NewLine(width, draw.Style{}).To(wayMark)
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

// wayMark is how much room the mark of the way in use takes.
const wayMark = 2

// wayPlace says where a way leads: to an address, or to a relay.
func wayPlace(c local.Candidate) string {
	if c.Path != local.PathRelay && c.Address != nil {
		return c.Address.String()
	}
	return cleanName(c.Relay)
}

func (d *details) way(c local.Candidate, widths []int, width int) string {
	t := d.theme
	mark, at, heard, size := " ", wayPlace(c), "", ""
	if c.Chosen {
		mark = "▸"
	}
	if c.Heard != nil {
		heard = words.Ago(d.now, *c.Heard)
	}
	if c.MTU > 0 {
		size = strconv.Itoa(c.MTU)
	}
	state := map[string]draw.Style{"works": t.Good, "doubted": t.Fair, "dead": t.Bad}[c.State]
	if state == (draw.Style{}) {
		state = t.Dim
	}
	leads := t.Dim
	if c.State == "works" {
		leads = pathStyle(t, c.Path)
	}
	l := draw.NewLine(width, draw.Style{}).Put(t.Accent, mark).To(wayMark)
	for i, cell := range []struct {
		style draw.Style
		text  string
	}{
		{leads, cleanName(c.Path)}, {t.Text, at}, {t.Dim, cleanName(c.Kind)}, {state, cleanName(c.State)},
		{t.Text, latency(c.RTT)}, {t.Dim, size}, {t.Dim, heard},
	} {
		if widths[i] > 0 {
			l.Cell(cell.style, cell.text, widths[i], wayColumns[i].Right).To(l.Used() + draw.Gap)
		}
	}
	return l.String()
}
