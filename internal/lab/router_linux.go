package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Renumber gives the site another address towards the internet, as a provider does over night: what the router had learnt is void,
// and the computers behind it notice nothing.
func (s *Site) Renumber() { s.lab.must("renumber "+s.name, s.renumber()) }

// renumbered is how far from the first address the second one is; a site that is renumbered again gets its first one back.
const renumbered = 120

func (s *Site) renumber() error {
	r, old := s.router, s.router.v4
	if !s.spec.translates() {
		return fmt.Errorf("a router that does not translate has the addresses of its LAN")
	}
	b := old.As4()
	if b[3] > renumbered {
		b[3] -= renumbered
	} else {
		b[3] += renumbered
	}
	r.v4 = netip.AddrFrom4(b)
	r.up.addr4 = r.v4
	if err := r.up.to.addRoute(path{to: host32(r.v4), link: r.up.far}); err != nil {
		return err
	}
	if err := r.dropAddr(r.up.link, old); err != nil {
		return err
	}
	if err := r.upstream4(); err != nil {
		return err
	}
	return s.forget()
}

func (h *Host) dropAddr(link string, a netip.Addr) error {
	return h.setLink(link, func(l netlink.Link) error { return h.nl.AddrDel(l, &netlink.Addr{IPNet: ipNet(host32(a))}) })
}

// Reboot takes the site's router away for a while. What it had learnt is void afterwards; the links of the computers behind it stay up.
func (s *Site) Reboot(away time.Duration) {
	s.lab.must("switch off "+s.name, s.off())
	pause(away)
	s.lab.must("switch on "+s.name, s.on())
}

func (s *Site) off() error {
	if err := s.router.linkDown(s.router.up.link); err != nil {
		return err
	}
	return s.router.linkDown(lanLink)
}

func (s *Site) on() error {
	if err := s.forget(); err != nil {
		return err
	}
	if err := s.router.linkUp(lanLink); err != nil {
		return err
	}
	if err := s.addressBridge(); err != nil {
		return err
	}
	return s.router.plug()
}

// forget voids what the router knows of connections. Nothing passes meanwhile: a packet of an old connection would teach its mapping to
// the new tables.
func (s *Site) forget() (err error) {
	s.voids.Lock()
	defer s.voids.Unlock()
	conn, err := s.router.firewall()
	if err != nil {
		return err
	}
	closed := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: "closed"})
	chain := conn.AddChain(&nftables.Chain{Table: closed, Name: "pre", Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookPrerouting,
		Priority: nftables.ChainPriorityRaw})
	conn.AddRule(&nftables.Rule{Table: closed, Chain: chain, Exprs: drop()})
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("close %s: %w", s.router.name, err)
	}
	defer func() {
		conn.DelTable(closed)
		err = errors.Join(err, conn.Flush())
	}()
	if err := s.writeNAT(conn); err != nil {
		return err
	}
	return s.router.on(s.flushConnections)
}

// flushConnections empties the kernel's connection table. It runs on the router's own thread.
func (s *Site) flushConnections() error {
	nl, err := netlink.NewHandle(unix.NETLINK_NETFILTER)
	if err != nil {
		return fmt.Errorf("open the connection table of %s: %w", s.router.name, err)
	}
	defer nl.Close()
	if err := nl.ConntrackTableFlush(netlink.ConntrackTable); err != nil {
		return fmt.Errorf("empty the connection table of %s: %w", s.router.name, err)
	}
	return nil
}

// Forget voids what the site's router knows of connections, as a reboot that takes no time. It may be called from any goroutine.
func (s *Site) Forget() { s.lab.must("make "+s.name+" forget", s.forget()) }
