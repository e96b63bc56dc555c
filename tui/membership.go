package tui

import (
	"strconv"
	"strings"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/words"
	"github.com/cvlan/cvlan/tui/draw"
)

// membership draws what this machine is in a network, and how its controller is.
func (w *world) membership(n *network, width int) []string {
	t := w.theme
	l := draw.NewLine(width, draw.Style{}).Put(t.Accent.Strong(), n.name).Put(t.Text, "  ").Put(stateStyle(t, n.State), cleanName(string(n.State)))
	f := fields{theme: t, width: width}
	f.add("machine", cleanName(n.Self.Name))
	for i, a := range n.Self.Addresses {
		f.add(label(i == 0, "address"), a.String())
	}
	if len(n.Self.Tags) > 0 && n.Self.User == "" {
		f.add("tags", owner(n.Self))
	} else {
		f.add("owner", owner(n.Self))
	}
	if n.Interface != "" {
		f.add("interface", cleanName(n.Interface)+", UDP port "+strconv.Itoa(int(n.Port))+", MTU "+strconv.Itoa(n.MTU))
	}
	f.add("names", w.domain(n))
	f.add("offers", offered(n))
	f.add("exit", leaves(n))
	style, text := w.controller(n)
	f.style(style, "controller", text)
	if at := n.Controller.CertUntil; at != nil {
		f.style(w.expiry(*at), "certificate", words.Ends(w.now, *at))
	}
	f.add("policy", policed(n.Policy))
	if r := n.Relay; r != nil {
		f.add("relay", strings.TrimSuffix("this machine is "+cleanName(r.Name)+": "+cleanText(r.Fault), ": "))
	}
	return append(append([]string{l.String()}, f.lines...), "")
}

func (w *world) controller(n *network) (draw.Style, string) {
	c := n.Controller
	at := cleanName(c.Address)
	switch {
	case c.Connected:
		at += " over " + cleanName(c.Transport)
		if c.Proxy != "" {
			at += " through the proxy " + cleanName(c.Proxy)
		}
		if c.Since != nil {
			at += ", for " + words.Span(w.now.Sub(*c.Since))
		}
		return w.theme.Text, at
	case n.State == local.Down || n.State == local.NeedsLogin: // nobody asks it
		return w.theme.Dim, at
	}
	at += ", away"
	if c.LastContact != nil {
		at += ", last heard " + words.Ago(w.now, *c.LastContact)
	}
	if c.Problem != "" && n.Problem == nil { // else Health has said it
		at += ": " + cleanText(c.Problem)
	}
	return w.theme.Fair, at
}

func policed(p local.Policy) string {
	if p.Version == 0 {
		return "no rules yet: nothing may pass"
	}
	return "version " + strconv.FormatUint(p.Version, 10) + ", " + words.Count(p.Flows, "flow") + ", " + words.Count(p.Denied, "packet") + " denied"
}

func stateStyle(t *draw.Theme, s local.State) draw.Style {
	switch s {
	case local.Up:
		return t.Good
	case local.Failed, local.NeedsLogin:
		return t.Bad
	case local.Down:
		return t.Dim
	}
	return t.Fair
}
