package tui

import (
	"slices"
	"strings"

	"github.com/cvlan/cvlan/api/local"
)

// leads names the networks behind a peer that policy shows this machine, and what keeps one from being used through it.
func (w *world) leads(p *peer) string {
	var all []string
	for _, n := range w.networks {
		if n.ID != p.id.network {
			continue
		}
		for _, r := range n.Routes {
			switch {
			case r.Router == p.Name && r.State == local.RouteInUse:
				all = append(all, r.Prefix.String())
			case r.Router == p.Name:
				all = append(all, r.Prefix.String()+" ("+cleanName(r.State)+")")
			case slices.Contains(r.Standby, p.Name):
				all = append(all, r.Prefix.String()+" (standby)")
			}
		}
	}
	if x := w.exits(p); x != "" {
		all = append(all, x)
	}
	return strings.Join(all, ", ")
}

// offered names the networks behind this machine that it offers.
func offered(n *network) string {
	var all []string
	for _, o := range n.Offers {
		text := o.Prefix.String()
		switch {
		case o.Fault != "":
			text += " (" + cleanText(o.Fault) + ")"
		case !o.Approved:
			text += " (waits for approval)"
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

// leaves says through which machine of a network what is for the internet leaves; "": through none.
func leaves(n *network) string {
	switch x := n.Exit; {
	case x == nil:
		return ""
	case x.State == local.ExitInUse:
		return cleanName(x.Node)
	default:
		return cleanName(x.Node) + " (" + cleanName(x.State) + ")"
	}
}

// exits says of a peer that it leads to the internet.
func (w *world) exits(p *peer) string {
	for _, n := range w.networks {
		if n.ID != p.id.network {
			continue
		}
		for _, x := range n.Exits {
			if x.Name == p.Name && n.Exit != nil && n.Exit.Node == x.Name {
				return "the internet (" + cleanName(n.Exit.State) + ")"
			}
			if x.Name == p.Name {
				return "the internet"
			}
		}
	}
	return ""
}
