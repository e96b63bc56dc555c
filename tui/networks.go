package tui

import (
	"context"
	"fmt"
	"strconv"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/tui/draw"
)

// networksScreen lists the networks of this machine: choose which one is shown, switch one on or off. Below stands what this machine is
// in the one under the cursor.
type networksScreen struct {
	still
	*world
	list   list
	scroll scroll // of what stands below
	below  int    // the line at which that begins
}

func (s *networksScreen) title() string { return "Networks" }
func (s *networksScreen) extent() *list { return &s.list }

func (s *networksScreen) shown() action {
	for i, n := range s.networks {
		if n.ID == s.only || len(s.networks) == 1 {
			s.list.at = i + 1
		}
	}
	return s.nextOwn()
}

func (s *networksScreen) tick() action { return s.nextOwn() }

var networkColumns = []draw.Column{
	{Min: 1, Rank: 0},
	{Title: "NETWORK", Min: 12, Most: 32, Rank: 1},
	{Title: "STATE", Min: 10, Rank: 2},
	{Title: "ADDRESS", Min: 15, Rank: 3},
	{Title: "PEERS", Min: 6, Right: true, Rank: 4},
	{Title: "TENANT", Min: 10, Most: 24, Rank: 6},
	{Title: "CONTROLLER", Min: 14, Most: 40, Rank: 5},
}

func (s *networksScreen) view(width, height int) []string {
	if len(s.networks) == 0 {
		return s.noNetwork(width)
	}
	s.list.fit(len(s.networks)+1, min(len(s.networks)+1, max(height/2-1, 2)))
	lines := rows(s.theme, networkColumns, &s.list, nil, width, s.cells)
	lines = append(lines, "")
	s.below = len(lines)
	n := s.current()
	if n == nil {
		s.scroll = scroll{}
		return append(lines, paragraph(s.theme.Dim, "All networks are shown together. Enter on one of them shows only that one.", width)...)
	}
	return append(lines, s.scroll.part(s.about(n, width), height-s.below)...)
}

// noNetwork says how to join one.
func (w *world) noNetwork(width int) []string {
	return nothing(w.theme, width, "This machine is in no network yet", "Join one with a key that an admin has made: cvlan admin key create --network NETWORK", "sudo cvlan up --key-file FILE")
}

// about draws what this machine is in a network, and its certificate there.
func (s *networksScreen) about(n *network, width int) []string {
	if width < paneFrom {
		return append(s.membership(n, width), s.proof(n, width)...)
	}
	half := (width - 3) / 2
	right := s.proof(n, width-half-3)
	return draw.Beside(s.membership(n, half), half, "   ", right)
}

// cells is what the columns say of a network, or in the first row of all of them.
func (s *networksScreen) cells(row int) []cell {
	t := s.theme
	mark := ""
	if row == 0 {
		if s.only == "" {
			mark = "✓"
		}
		return []cell{{t.Accent, mark}, {t.Text, "All networks"}}
	}
	n := s.networks[row-1]
	if n.ID == s.only {
		mark = "✓"
	}
	return []cell{{t.Accent, mark}, {t.Text, n.name}, {stateStyle(t, n.State), cleanName(string(n.State))}, {t.Dim, first(n.Self)}, {t.Text, strconv.Itoa(len(n.Peers))},
		{t.Dim, cleanName(n.Tenant)}, {t.Dim, cleanName(n.Controller.Address)}}
}

func (s *networksScreen) current() *network {
	if i := s.list.at - 1; i >= 0 && i < len(s.networks) {
		return s.networks[i]
	}
	return nil
}

func (s *networksScreen) key(name string) action {
	n := s.current()
	switch {
	case name == "enter":
		s.only = ""
		if n != nil {
			s.only = n.ID
		}
		return show{placePeers}
	case (name == "u" || name == "d") && n != nil:
		return s.turn(n, name == "u")
	case name == "x" && n != nil:
		return pickExit(n)
	case (name == "c" || name == "y") && n != nil:
		return clip{first(n.Self)}
	case name == "pgup" || name == "pgdown" || name == "space":
		s.scroll.key(name)
	case s.list.key(name):
		s.scroll = scroll{}
	}
	return nil
}

func (s *networksScreen) turn(n *network, on bool) action {
	if on {
		return both{say{text: "Bringing " + n.name + " up …"}, turnNetwork{n.ID, n.name, true}}
	}
	return ask{question: fmt.Sprintf("Switch %s off on this machine?", n.name), then: turnNetwork{n.ID, n.name, false}}
}

func (s *networksScreen) click(_, y int) action {
	row, ok := s.list.click(y - 1)
	switch {
	case !ok:
		return nil
	case row == s.list.at:
		return s.key("enter")
	}
	s.list.to(row)
	s.scroll = scroll{}
	return nil
}

func (s *networksScreen) wheel(by int) action {
	s.scroll.wheel(by)
	return nil
}

func (s *networksScreen) hints() []hintText {
	if len(s.networks) == 0 {
		return nil
	}
	h := []hintText{{"enter", "show only this"}}
	n := s.current()
	switch {
	case n == nil:
		h[0].does = "show all"
	case n.on():
		h = append(h, hintText{"d", "switch off"})
		if len(n.Exits) > 0 || n.Exit != nil {
			h = append(h, hintText{"x", "exit"})
		}
		h = append(h, hintText{"c", "copy my address"})
	default:
		h = append(h, hintText{"u", "switch on"}, hintText{"c", "copy my address"})
	}
	return h
}

// turnNetwork switches a membership on or off.
type turnNetwork struct {
	id, name string
	on       bool
}

func (t turnNetwork) run(ctx context.Context, c *Config) outcome {
	var err error
	if t.on {
		_, err = c.Daemon.Up(ctx, local.UpRequest{Network: t.id})
	} else {
		_, err = c.Daemon.Down(ctx, local.DownRequest{Network: t.id})
	}
	return done{"switch " + t.name, "", err, nil}
}

// done is the outcome of work of which only its success matters.
type done struct {
	what string // in words, if it failed
	well string // in words, if it went well
	err  error
	next action // if it went well
}

func (d done) take(*Model) action {
	if d.err != nil {
		return oops(d.what, d.err)
	}
	if d.well != "" {
		return both{say{text: d.well}, d.next}
	}
	return d.next
}
