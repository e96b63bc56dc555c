package lab

import (
	"fmt"
	"net/netip"
)

// leg is one of a computer's links to LANs.
type leg struct {
	site       *Site
	link, port string // on the computer, and on the site's bridge
	v4, v6     netip.Addr
}

// leg returns the one in use.
func (h *Host) leg() leg {
	for _, l := range h.legs {
		if l.site == h.site {
			return l
		}
	}
	return leg{}
}

// stand lets a computer use one of its legs; the others are down.
func (h *Host) stand(l leg) error {
	for _, other := range h.legs {
		if other.link == l.link {
			continue
		}
		if err := h.linkDown(other.link); err != nil {
			return err
		}
	}
	h.site, h.v4, h.v6 = l.site, l.v4, l.v6
	if err := h.linkUp(l.link); err != nil {
		return err
	}
	return l.site.readdress(h)
}

// Roam takes a computer from its LAN to another, as from a wired network to a wireless one: one link goes down, another comes up.
// It can be taken back.
func (h *Host) Roam(to *Site) {
	h.lab.must(fmt.Sprintf("take %s to %s", h.name, to.name), h.roam(to))
}

func (h *Host) roam(to *Site) error {
	if h.site == nil {
		return fmt.Errorf("%s stands on no LAN", h.name)
	}
	for _, l := range h.legs {
		if l.site == to {
			return h.stand(l)
		}
	}
	if len(h.legs) > 1 {
		return fmt.Errorf("%s is wired to two LANs already", h.name)
	}
	return to.attach(h, "eth1", "j-"+h.name)
}
