package tui

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/cells"
	"github.com/cvlan/cvlan/tui/draw"
)

// peersScreen lists the peers of the networks that are shown; beside it, where there is room, stands the one under the cursor.
type peersScreen struct {
	still
	*world
	details *details // draws the pane
	list    list
	rows    []*peer // that pass the filter, in order
	built   built   // what rows were made of
	chosen  peerID  // under the cursor, wherever it moves
	filter  draw.Editor
	typed   bool // the filter is being typed
	order   order
	back    bool // the order is turned round
	widths  []int
	listed  int // width of the list
	whole   int // width of list and pane
	longest struct{ name, way, owner int }
}

// built says of which state, filter and order the rows are; when one of them changes they are made anew.
type built struct {
	stamp  uint64
	only   string
	filter string
	order  order
	back   bool
}

// paneFrom is the width from which the pane is shown.
const paneFrom = 110

func (s *peersScreen) title() string { return "Peers" }
func (s *peersScreen) extent() *list { return &s.list }

func (s *peersScreen) caption() string {
	text := ""
	if s.filter.Text() != "" {
		text = fmt.Sprintf("filter %q  %d of %d", s.filter.Text(), len(s.rows), len(s.peers))
	}
	if p := s.byID[s.from]; p != nil {
		text = strings.TrimSpace(text + "  from " + p.name + ": e on another asks policy")
	}
	return text
}

// rebuild filters and sorts, if anything has changed.
func (s *peersScreen) rebuild() {
	b := built{s.stamp, s.only, s.filter.Text(), s.order, s.back}
	if b == s.built && s.rows != nil {
		return
	}
	s.built = b
	f := newFilter(b.filter)
	s.longest.name, s.longest.way, s.longest.owner = 0, 0, 0
	s.rows = slices.Grow(s.rows[:0], len(s.peers))
	for _, p := range s.peers {
		if (s.only == "" || p.id.network == s.only) && f.matches(p) {
			s.rows = append(s.rows, p)
			l := &s.longest
			l.name, l.way, l.owner = max(l.name, cells.Width(p.name)), max(l.way, cells.Width(p.way)), max(l.owner, cells.Width(p.owner))
		}
	}
	s.order.sort(s.rows, s.now, s.back)
	s.list.rows = len(s.rows)
	if i := slices.IndexFunc(s.rows, func(p *peer) bool { return p.id == s.chosen }); i >= 0 {
		s.list.at = i
	}
	s.pick()
}

// pick remembers who is under the cursor.
func (s *peersScreen) pick() {
	s.list.to(s.list.at)
	s.chosen = peerID{}
	if p := s.current(); p != nil {
		s.chosen = p.id
	}
}

func (s *peersScreen) current() *peer {
	if s.list.at < len(s.rows) {
		return s.rows[s.list.at]
	}
	return nil
}

func (s *peersScreen) view(width, height int) []string {
	if len(s.peers) == 0 || len(s.rows) == 0 && s.filter.Text() == "" {
		return s.nobody(width)
	}
	pane := 0
	if width >= paneFrom && s.current() != nil {
		pane = min(max(width*2/5, 46), 92)
	}
	s.listed, s.whole = width, width
	if pane > 0 {
		s.listed = width - pane - 3
	}
	s.list.fit(len(s.rows), height-1)
	lines := draw.Fit(s.table(s.listed), height)
	if pane == 0 {
		return lines
	}
	right := draw.Fit(s.details.pane(s.current(), pane, height), height)
	return draw.Beside(lines, s.listed, s.theme.Rule.Paint(" │ "), right)
}

func (s *peersScreen) nobody(width int) []string {
	if len(s.networks) == 0 {
		return s.noNetwork(width)
	}
	chosen := s.world.chosen()[0]
	switch {
	case chosen.State == local.Down:
		return nothing(s.theme, width, chosen.name+" is switched off", "u on the screen Networks (5) switches it on, or:", "sudo cvlan up --network "+chosen.name)
	case chosen.State == local.Pending:
		return nothing(s.theme, width, "This machine waits for approval", "An admin approves it on the screen Nodes, or with:", "cvlan admin node approve "+cleanName(chosen.Self.ID))
	}
	return nothing(s.theme, width, "No peer is in sight", "There is none yet, or policy shows this machine nobody. An admin sees which there are, and why:",
		"cvlan admin node list", "cvlan policy explain "+cleanName(chosen.Self.Name)+" PEER:PORT")
}

// key moves, filters, sorts, opens and copies.
func (s *peersScreen) key(name string) action {
	if s.typed {
		s.typeFilter(name)
		return nil
	}
	switch name {
	case "/":
		s.typed = true
	case "esc":
		s.filter.Set("")
		s.from = peerID{}
	case "s":
		s.order = (s.order + 1) % orders
	case "S":
		s.back = !s.back
	default:
		if s.list.key(name) {
			s.pick()
			return nil
		}
		return peerKey(s.world, s.current(), name)
	}
	s.rebuild()
	return nil
}

// peerKey does what a key means where a peer is chosen.
func peerKey(w *world, p *peer, name string) action {
	if p == nil {
		return nil
	}
	switch name {
	case "enter", "right":
		return open{id: p.id}
	case "p":
		return open{id: p.id, ping: true}
	case "c", "y":
		return clip{p.address}
	case "C", "Y":
		return clip{p.name}
	case "e":
		return explainTo{p.id}
	case "f":
		return askFromThis{p.id}
	case "x":
		return w.turnExit(p)
	}
	return nil
}

func (s *peersScreen) typeFilter(name string) {
	switch name {
	case "esc":
		s.filter.Set("")
		s.typed = false
	case "enter":
		s.typed = false
	case "up", "down", "pgup", "pgdown":
		if s.list.key(name) {
			s.pick()
		}
	default:
		if !s.filter.Key(name) {
			s.filter.Insert(typedText(name))
		}
	}
	s.rebuild()
}

// typedText returns what a key types: nothing, if it has a name.
func typedText(name string) string {
	if name == "space" {
		return " "
	}
	if cells.Width(name) <= 2 && len([]rune(name)) == 1 {
		return name
	}
	return ""
}

func (s *peersScreen) typing() bool { return s.typed }

func (s *peersScreen) paste(text string) action {
	s.filter.Insert(strings.TrimSpace(text))
	s.rebuild()
	return nil
}

// click chooses a peer, opens the one that is chosen already, or sorts by the column whose head it hits.
func (s *peersScreen) click(x, y int) action {
	if x >= s.listed {
		if p := s.current(); p != nil {
			return open{id: p.id}
		}
		return nil
	}
	if y == 0 {
		s.sortBy(draw.At(s.widths, x))
		return nil
	}
	row, ok := s.list.click(y - 1)
	if !ok {
		return nil
	}
	if row == s.list.at {
		return open{id: s.chosen}
	}
	s.list.at = row
	s.pick()
	return nil
}

func (s *peersScreen) wheel(by int) action {
	s.list.wheel(by)
	s.pick()
	return nil
}

func (s *peersScreen) hints() []hintText {
	if s.typed {
		return []hintText{{"enter", "keep"}, {"esc", "drop"}}
	}
	if len(s.peers) == 0 {
		return nil
	}
	h := []hintText{{"enter", "details"}, {"/", "filter"}, {"s", "sort"}, {"p", "ping"}, {"c", "copy address"}}
	if s.admin {
		h = append(h, hintText{"e", "explain"}, hintText{"f", "from this one"})
	}
	if s.filter.Text() != "" {
		h = append([]hintText{{"esc", "show all"}}, h...)
	}
	return h
}

// unmeasured returns one of those seen that are in use: one whose latency is not known yet, else another each turn.
func (s *peersScreen) unmeasured(turn int) (id peerID, found bool) {
	from, to := s.list.seen()
	to = min(to, len(s.rows))
	for i := range max(to-from, 0) {
		p := s.rows[from+(turn+i)%(to-from)]
		if p.id == s.chosen || p.stand != direct && p.stand != relayed {
			continue
		}
		if p.rtt == 0 {
			return p.id, true
		}
		if !found {
			id, found = p.id, true
		}
	}
	return id, found
}
