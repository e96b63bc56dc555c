package tui

import (
	"net/netip"
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
				all = append(all, r.Prefix.String()+" ("+spoken(r.State)+")")
			case slices.Contains(r.Standby, p.Name):
				all = append(all, r.Prefix.String()+" (standby)")
			}
		}
	}
	if x := w.internet(p); x != "" {
		all = append(all, x)
	}
	return strings.Join(all, ", ")
}

// routeName is what people call a network that is led to.
func routeName(p netip.Prefix) string {
	switch {
	case p.Bits() > 0:
		return p.String()
	case p.Addr().Is4():
		return "the internet by IPv4"
	}
	return "the internet by IPv6"
}

// offered names the networks behind this machine that it offers.
func offered(n *network) string {
	var all []string
	for _, o := range n.Offers {
		text := routeName(o.Prefix)
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
