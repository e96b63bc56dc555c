package tui

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/internal/base/cells"
	"github.com/cvlan/cvlan/internal/base/words"
	"github.com/cvlan/cvlan/tui/draw"
)

// about draws what the controller knows of a node.
func (s *nodesScreen) about(n *admin.Node, width int) []string {
	t := s.theme
	style, state := nodeState(t, n)
	l := draw.NewLine(width, draw.Style{}).Put(t.Accent.Strong(), nodeName(n)).Put(t.Text, "  ").Put(style, state)
	f := fields{theme: t, width: width}
	for i, a := range n.Addresses {
		f.add(label(i == 0, "address"), a.String())
	}
	f.add("network", cleanName(n.NetworkName))
	f.add("owner", cleanName(n.User))
	f.add("tags", cleanNames(n.Tags))
	f.add("seen", s.seen(n))
	f.add("system", strings.TrimSpace(cleanName(n.OS)+"  "+cleanName(n.Software)))
	f.add("endpoints", strconv.Itoa(n.Endpoints))
	if n.Ephemeral {
		f.add("ephemeral", "goes 30 minutes after its session ended")
	}
	if !n.Created.IsZero() {
		f.add("joined", words.Ago(s.now, n.Created))
	}
	if !n.JoinedBy.IsZero() {
		f.add("join key", n.JoinedBy.String())
	}
	f.add("key", cleanName(n.Key))
	f.add("node", n.ID.String())
	lines := slices.Concat([]string{l.String(), ""}, f.lines, []string{""}, s.routes(n, width), s.proven(n.ID.String(), width))
	if len(n.Attributes) == 0 {
		return lines
	}
	lines = append(lines, "", t.Title.Paint(cells.Cut("ATTRIBUTES", width)))
	names, wide := slices.Sorted(maps.Keys(n.Attributes)), labelWidth-draw.Gap
	for _, name := range names {
		wide = min(max(wide, cells.Width(cleanName(name))), width/2)
	}
	for _, name := range names {
		l := draw.NewLine(width, draw.Style{}).Cell(t.Dim, cleanName(name), wide, false).To(wide + draw.Gap)
		lines = append(lines, l.Put(t.Text, cleanText(n.Attributes[name])).String())
	}
	return lines
}

func nodeName(n *admin.Node) string { return called(n.Name, n.ID.String()) }

// nodeState says how a node is.
func nodeState(t *draw.Theme, n *admin.Node) (draw.Style, string) {
	switch {
	case n.Pending:
		return t.Fair.Strong(), "pending"
	case n.Online:
		return t.Good, "online"
	}
	return t.Dim, "offline"
}

func (s *nodesScreen) seen(n *admin.Node) string {
	switch {
	case n.Online:
		return "now"
	case n.LastSeen.IsZero():
		return "never"
	}
	return words.Ago(s.now, n.LastSeen)
}
