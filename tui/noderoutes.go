package tui

import (
	"context"
	"net/netip"
	"slices"
	"strconv"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/internal/base/cells"
	"github.com/cvlan/cvlan/tui/draw"
)

// behind is what stands behind a node: a network, or the internet, whose two prefixes are one to people if the same holds for both.
type behind struct {
	admin.NodeRoute
	name     string
	prefixes []netip.Prefix
}

// behindOf lists what a node offers to lead to, and what was said of it.
func behindOf(n *admin.Node) (all []behind) {
	for _, r := range n.Routes {
		b := behind{r, routeName(r.Prefix), []netip.Prefix{r.Prefix}}
		if i := slices.IndexFunc(all, b.twins); i >= 0 {
			all[i].name, all[i].prefixes = "the internet", append(all[i].prefixes, r.Prefix)
			continue
		}
		all = append(all, b)
	}
	return all
}

// twins reports whether two are the internet by either family, and the same holds for both.
func (b *behind) twins(o behind) bool {
	alike := o.NodeRoute
	alike.Prefix = b.Prefix
	return b.Prefix.Bits() == 0 && o.Prefix.Bits() == 0 && alike == b.NodeRoute
}

func (b *behind) waits() bool { return b.Offered && !b.Approved && !b.Revoked }

// state says what holds of it.
func (b *behind) state(t *draw.Theme) (draw.Style, string) {
	style, state := t.Good, "approved"
	switch {
	case b.waits():
		return t.Fair, "waits for approval"
	case b.Revoked:
		style, state = t.Dim, "revoked"
	case !b.ByAdmin:
		state = "approved by policy"
	}
	if !b.Offered {
		return t.Dim, state + ", not offered"
	}
	return style, state
}

// waiting counts what stands behind a node and waits for approval.
func waiting(n *admin.Node) (count int) {
	for _, b := range behindOf(n) {
		if b.waits() {
			count++
		}
	}
	return count
}

// routed says in a word or two what stands behind a node.
func routed(t *draw.Theme, n *admin.Node) cell {
	if len(n.Routes) == 0 {
		return cell{t.Dim, ""}
	}
	if wait := waiting(n); wait > 0 {
		return cell{t.Fair, strconv.Itoa(wait) + " " + waits(wait)}
	}
	approved := 0
	for _, b := range behindOf(n) {
		if b.Approved {
			approved++
		}
	}
	return cell{t.Dim, strconv.Itoa(approved)}
}

// routes draws what stands behind a node.
func (s *nodesScreen) routes(n *admin.Node, width int) []string {
	all, t := behindOf(n), s.theme
	if len(all) == 0 {
		return nil
	}
	lines, wide := []string{t.Title.Paint(cells.Cut("ROUTES", width))}, labelWidth-draw.Gap
	for i := range all {
		wide = min(max(wide, cells.Width(all[i].name)), width/2)
	}
	for i := range all {
		style, state := all[i].state(t)
		lines = append(lines, draw.NewLine(width, draw.Style{}).Cell(t.Text, all[i].name, wide, false).To(wide+draw.Gap).Put(style, state).String())
	}
	return append(lines, "")
}

// pickRoute asks which of what stands behind a node is to be approved or revoked.
func pickRoute(t *draw.Theme, n *admin.Node) action {
	all := behindOf(n)
	if len(all) == 0 {
		return say{nodeName(n) + " offers no route; on it, type: sudo cvlan route offer PREFIX", true}
	}
	choices := make([]string, len(all))
	for i := range all {
		choices[i] = "approve  " + all[i].name
		if all[i].Approved {
			choices[i] = "revoke   " + all[i].name
		}
	}
	choices = aligned(choices)
	for i := range all {
		_, state := all[i].state(t)
		choices[i] += state
	}
	at := max(slices.IndexFunc(all, func(b behind) bool { return b.waits() }), 0)
	id, called := n.ID.String(), nodeName(n)
	return choose{"What stands behind " + called, choices, at, func(i int) action { return decideRoute(id, called, &all[i]) }}
}

// decideRoute approves what is not, and after a yes revokes what is.
func decideRoute(id, called string, b *behind) action {
	change := func(done, verb string, c admin.RouteChange) action {
		return changeNode{b.name + " through " + called + " is " + done, verb + " " + b.name + " through " + called,
			func(ctx context.Context, to Controller) error { return to.Routes(ctx, id, c) }}
	}
	if !b.Approved {
		return change("approved", "approve", admin.RouteChange{Approve: b.prefixes})
	}
	return ask{question: "Revoke " + b.name + " through " + called + "? Nobody reaches it there until it is approved by hand again.",
		then: change("revoked", "revoke", admin.RouteChange{Revoke: b.prefixes})}
}
