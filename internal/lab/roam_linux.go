package lab

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
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

// stand lets a computer use one of its legs. The others have no addresses from then on. Their links go down, as a cable that is pulled, and
// come up again: the kernel looks after links that change once a second (linkwatch), and one that came up only now would carry nothing for so long.
func (h *Host) stand(l leg) error {
	for _, other := range h.legs {
		if other.link == l.link {
			continue
		}
		if err := h.leave(other); err != nil {
			return err
		}
	}
	h.site, h.v4, h.v6 = l.site, l.v4, l.v6
	return l.site.readdress(h)
}

func (h *Host) leave(l leg) error {
	if err := h.linkDown(l.link); err != nil {
		return err
	}
	return h.setLink(l.link, func(link netlink.Link) error {
		all, err := h.nl.AddrList(link, netlink.FAMILY_ALL)
		if err != nil {
			return fmt.Errorf("list addresses: %w", err)
		}
		for _, a := range all {
			if err := h.nl.AddrDel(link, &a); err != nil {
				return fmt.Errorf("remove %s: %w", a.IPNet, err)
			}
		}
		return h.nl.LinkSetUp(link)
	})
}

// carries waits until both ends of a leg's link take packets.
func (h *Host) carries(l leg) error {
	for late := time.Now().Add(linkPatience); ; time.Sleep(time.Millisecond) {
		here, err := h.nl.LinkByName(l.link)
		if err != nil {
			return fmt.Errorf("find link %s of %s: %w", l.link, h.name, err)
		}
		there, err := l.site.router.nl.LinkByName(l.port)
		if err != nil {
			return fmt.Errorf("find link %s of %s: %w", l.port, l.site.name, err)
		}
		if here.Attrs().OperState == netlink.OperUp && there.Attrs().OperState == netlink.OperUp {
			return nil
		}
		if time.Now().After(late) {
			return fmt.Errorf("link %s of %s carries nothing after %v", l.link, h.name, linkPatience)
		}
	}
}

// linkPatience is how long a link may take to carry.
const linkPatience = 10 * time.Second

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
			if err := h.carries(l); err != nil {
				return err
			}
			return h.stand(l)
		}
	}
	if len(h.legs) > 1 {
		return fmt.Errorf("%s is wired to two LANs already", h.name)
	}
	return to.attach(h, "eth1", "j-"+h.name)
}
