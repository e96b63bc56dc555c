package lab

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// lanLink is the router's bridge that all of a site's computers are joined to.
const lanLink = "lan0"

func (s *Site) addBridge() error {
	r, snoop := s.router, false
	err := r.nl.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: lanLink}, MulticastSnooping: &snoop})
	if err != nil {
		return fmt.Errorf("make a bridge: %w", err)
	}
	if err := r.linkUp(lanLink); err != nil {
		return err
	}
	return s.addressBridge()
}

// addressBridge gives the router its addresses on the LAN.
func (s *Site) addressBridge() error {
	for _, lan := range []netip.Prefix{s.lan4, s.lan6} {
		if !lan.IsValid() {
			continue
		}
		if err := s.router.addAddr(lanLink, netip.PrefixFrom(nth(lan, 1), lan.Bits())); err != nil {
			return err
		}
	}
	return nil
}

func (s *Site) enslave(port string) error {
	bridge, err := s.router.nl.LinkByName(lanLink)
	if err != nil {
		return fmt.Errorf("find the bridge of %s: %w", s.name, err)
	}
	return s.router.setLink(port, func(l netlink.Link) error { return s.router.nl.LinkSetMaster(l, bridge) })
}
