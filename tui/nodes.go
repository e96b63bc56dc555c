package tui

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/internal/base/cells"
	"github.com/cvlan/cvlan/internal/base/words"
	"github.com/cvlan/cvlan/tui/draw"
)

// nodesScreen is the controller's list of nodes, those that wait for approval first.
type nodesScreen struct {
	*world
	list    list
	scroll  scroll // of the node that is shown in full
	full    bool   // one is
	shows   bool   // one is, or stands beside the list
	listed  int    // width of the list
	order   sorting
	nodes   []admin.Node
	pending int
	waits   int // that wait for approval
	told    bool
	asked   bool
	fault   error
	age     int // seconds since the list was asked for
}

// nodesEvery is how often the list is asked for while it is shown, in seconds.
const nodesEvery = 10

func (s *nodesScreen) title() string { return "Nodes" }
func (s *nodesScreen) extent() *list {
	if s.full {
		return &s.scroll.list
	}
	return &s.list
}

func (s *nodesScreen) badge() (string, bool) {
	if s.pending+s.waits == 0 {
		return "", false
	}
	return strconv.Itoa(s.pending + s.waits), true
}

func (s *nodesScreen) caption() string {
	if !s.told {
		return ""
	}
	text := words.Count(len(s.nodes), "node")
	if s.pending > 0 {
		text += fmt.Sprintf(", %d %s for approval", s.pending, waits(s.pending))
	}
	if s.waits > 0 {
		text += ", " + words.Count(s.waits, "route") + " " + waits(s.waits)
	}
	return captioned(text, s.loginAs)
}

// waits is the verb for so many that wait.
func waits(n int) string {
	if n == 1 {
		return "waits"
	}
	return "wait"
}

// captioned puts together what there is.
func captioned(texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(s string) bool { return s == "" }), "  ·  ")
}

func (s *nodesScreen) shown() action { return s.reload() }

func (s *nodesScreen) tick() action {
	if s.age++; s.age < nodesEvery {
		return nil
	}
	return s.reload()
}

func (s *nodesScreen) reload() action {
	if s.asked {
		return nil
	}
	s.asked, s.age = true, 0
	return askNodes{}
}

// nodeRoutesColumn says what stands behind a node.
const nodeRoutesColumn = 9

var nodeColumns = []draw.Column{
	{Title: "NODE", Min: 12, Most: 32, Rank: 1},
	{Title: "STATE", Min: 8, Rank: 2},
	{Title: "ADDRESS", Min: 15, Rank: 4},
	{Title: "OWNER", Min: 12, Most: 40, Rank: 3},
	{Title: "NETWORK", Min: 10, Most: 24, Rank: 7},
	{Title: "SEEN", Min: 8, Rank: 5},
	{Title: "OS", Min: 8, Rank: 9},
	{Title: "SOFTWARE", Min: 12, Most: 24, Rank: 10},
	{Title: "CERTIFICATE", Min: 13, Rank: 8},
	nodeRoutesColumn: {Title: "ROUTES", Min: 8, Rank: 6},
}

func (s *nodesScreen) view(width, height int) []string {
	t := s.theme
	switch {
	case s.fault != nil:
		return append(paragraph(t.Bad, cleanText(s.fault.Error()), width), paragraph(t.Dim, cleanText(hint(s.fault)), width)...)
	case !s.told:
		return []string{t.Dim.Paint(cells.Cut("asking the controller …", width))}
	case len(s.nodes) == 0:
		return nothing(t, width, "There are no nodes yet", "Make a join key on the screen Keys (8), and type on a machine, with the key in FILE:", "sudo cvlan up --key-file FILE")
	}
	s.list.fit(len(s.nodes), height-1)
	s.shows = s.full || width >= paneFrom
	switch {
	case s.full:
		return s.scroll.part(s.about(s.current(), width), height)
	case !s.shows:
		s.listed = width
		return rows(t, nodeColumns, &s.list, &s.order, width, s.cells)
	}
	pane := min(max(width*2/5, 46), 80)
	s.listed = width - pane - 3
	left := draw.Fit(rows(t, nodeColumns, &s.list, &s.order, s.listed, s.cells), height)
	return draw.Beside(left, s.listed, t.Rule.Paint(" │ "), draw.Fit(s.about(s.current(), pane), height))
}

// cells is what the columns say of a node.
func (s *nodesScreen) cells(i int) []cell {
	t, n := s.theme, &s.nodes[i]
	style, state := nodeState(t, n)
	var address string
	if len(n.Addresses) > 0 {
		address = n.Addresses[0].String()
	}
	cert := ""
	if !n.CertUntil.IsZero() {
		cert = words.Until(s.now, n.CertUntil)
	}
	return []cell{{t.Text, nodeName(n)}, {style, state}, {t.Dim, address}, {t.Dim, whose(n.User, n.Tags)}, {t.Dim, cleanName(n.NetworkName)}, {t.Dim, s.seen(n)},
		{t.Dim, cleanName(n.OS)}, {t.Dim, cleanName(n.Software)}, {t.Dim, cert}, routed(t, n)}
}

func (s *nodesScreen) current() *admin.Node {
	if s.list.at < len(s.nodes) {
		return &s.nodes[s.list.at]
	}
	return nil
}

func (s *nodesScreen) key(name string) action {
	n := s.current()
	if n == nil || s.fault != nil {
		if name == "R" {
			return s.reload()
		}
		return nil
	}
	id, called := n.ID.String(), nodeName(n)
	switch name {
	case "R":
		return s.reload()
	case "a":
		if !n.Pending {
			return say{text: called + " is approved already"}
		}
		return changeNode{called + " is approved", "approve " + called, func(ctx context.Context, c Controller) error { return c.Approve(ctx, id) }}
	case "s":
		if n.Pending {
			return say{text: called + " waits for approval already"}
		}
		return ask{question: "Suspend " + called + "? Until it is approved again nobody reaches it, and it reaches nobody.",
			then: changeNode{called + " is suspended", "suspend " + called, func(ctx context.Context, c Controller) error { return c.Suspend(ctx, id) }}}
	case "t":
		return request{title: "Tags of " + called, text: strings.Join(bare(n.Tags), " "), then: func(text string) action { return retag(n, text) }}
	case "r":
		return request{title: "Rename " + called, text: called, then: func(text string) action {
			return changeNode{called + " is " + cleanName(text) + " now", "rename " + called, func(ctx context.Context, c Controller) error { return c.Rename(ctx, id, text) }}
		}}
	case "x", "delete":
		return ask{question: "Remove " + called + " from " + cleanName(n.NetworkName) + "? It needs a join key to come back.",
			then: changeNode{called + " is removed", "remove " + called, func(ctx context.Context, c Controller) error { return c.Delete(ctx, id) }}}
	case "v":
		return pickRoute(s.theme, n)
	case "c", "y":
		if len(n.Addresses) > 0 {
			return clip{n.Addresses[0].String()}
		}
		return nil
	case "enter", "right":
		s.full, s.scroll = !s.full, scroll{}
		return nil
	case "esc", "left", "backspace":
		s.full = false
		return nil
	case "o", "O":
		s.order.key(name, len(nodeOrders))
		s.sort()
		return nil
	}
	if s.full {
		s.scroll.key(name)
		return nil
	}
	s.list.key(name)
	return nil
}

func (s *nodesScreen) click(x, y int) action {
	row, ok := s.list.click(y - 1)
	switch {
	case s.full:
	case x >= s.listed:
		return s.key("enter")
	case y == 0:
		s.order.click(x)
		s.sort()
	case !ok:
	case row == s.list.at:
		return s.key("enter")
	default:
		s.list.to(row)
	}
	return nil
}

func (s *nodesScreen) wheel(by int) action {
	if s.full {
		s.scroll.wheel(by)
	} else {
		s.list.wheel(by)
	}
	return nil
}

func (s *nodesScreen) hints() []hintText {
	if len(s.nodes) == 0 {
		return []hintText{{"R", "ask again"}}
	}
	first := hintText{"enter", "details"}
	if s.full {
		first = hintText{"esc", "back"}
	}
	h := []hintText{first, {"t", "tag"}, {"r", "rename"}, {"x", "remove"}}
	n := s.current()
	switch {
	case n == nil:
	case n.Pending:
		h = append([]hintText{{"a", "approve"}}, h...)
	default:
		h = append(h, hintText{"s", "suspend"})
	}
	if n != nil && len(n.Routes) > 0 {
		h = slices.Insert(h, 1, hintText{"v", "routes"})
	}
	return append(h, hintText{"R", "ask again"})
}

// nodeOrders are what the columns sort by.
var nodeOrders = []func(a, b *admin.Node) int{
	func(a, b *admin.Node) int { return 0 }, // names, which are the order of equal ones too
	func(a, b *admin.Node) int { return compareBool(b.Online, a.Online) },
	func(a, b *admin.Node) int { return slices.CompareFunc(a.Addresses, b.Addresses, netip.Addr.Compare) },
	func(a, b *admin.Node) int { return strings.Compare(whose(a.User, a.Tags), whose(b.User, b.Tags)) },
	func(a, b *admin.Node) int { return strings.Compare(a.NetworkName, b.NetworkName) },
	func(a, b *admin.Node) int {
		return cmp.Or(compareBool(b.Online, a.Online), b.LastSeen.Compare(a.LastSeen))
	},
	func(a, b *admin.Node) int { return strings.Compare(a.OS, b.OS) },
	func(a, b *admin.Node) int { return words.Natural(a.Software, b.Software) },
	func(a, b *admin.Node) int { return a.CertUntil.Compare(b.CertUntil) },
	nodeRoutesColumn: func(a, b *admin.Node) int {
		return cmp.Or(cmp.Compare(waiting(b), waiting(a)), cmp.Compare(len(b.Routes), len(a.Routes)))
	},
}

// sort sorts the nodes anew; the cursor stays on the node that it was on.
func (s *nodesScreen) sort() {
	here := s.here()
	s.arrange()
	s.find(here)
}

// arrange puts the nodes in order. Those that wait for approval stand first in every one.
func (s *nodesScreen) arrange() {
	slices.SortStableFunc(s.nodes, func(a, b admin.Node) int {
		c := cmp.Or(nodeOrders[s.order.column](&a, &b), words.Natural(a.Name, b.Name))
		return cmp.Or(compareBool(b.Pending, a.Pending), s.order.turned(c))
	})
}

// here is the node under the cursor.
func (s *nodesScreen) here() string {
	if n := s.current(); n != nil {
		return n.ID.String()
	}
	return ""
}

// find puts the cursor on a node, if it is there.
func (s *nodesScreen) find(id string) {
	if i := slices.IndexFunc(s.nodes, func(n admin.Node) bool { return n.ID.String() == id }); i >= 0 {
		s.list.at = i
	}
}

type askNodes struct{}

func (askNodes) run(ctx context.Context, c *Config) outcome {
	n, err := c.Controller.Nodes(ctx)
	return nodesTold{theirs{}, n, err}
}

type nodesTold struct {
	theirs
	nodes []admin.Node
	err   error
}

func (t nodesTold) take(m *Model) action {
	s := m.nodes
	s.asked, s.fault = false, t.err
	if t.err != nil {
		return nil
	}
	here := s.here()
	s.nodes, s.told, s.pending, s.waits = t.nodes, true, 0, 0
	for i := range s.nodes {
		if s.nodes[i].Pending {
			s.pending++
		}
		s.waits += waiting(&s.nodes[i])
	}
	s.arrange()
	s.find(here)
	if n := s.current(); n == nil || n.ID.String() != here {
		s.full = false // it is gone
	}
	return nil
}
