package lab

import (
	"fmt"
	"net/netip"
	"sync"
)

// maxSites keeps the third byte of a LAN's IPv4 range in bounds.
const maxSites = 120

// uplink is a host's link towards the internet. It carries no network of its own: both ends route to each other.
type uplink struct {
	link  string // on the host
	to    *Host
	far   string // the link's name at the other end
	addr4 netip.Addr
	net6  netip.Prefix // what lies behind, in IPv6; the zero Prefix for none
}

// Public makes a computer on the open internet, without a router or filter before it: 203.0.113.N and 2001:db8:ff:N::1.
func (l *Lab) Public(name string) *Host {
	net6 := netip.MustParsePrefix(fmt.Sprintf("2001:db8:ff:%x::/64", l.public+1))
	h := l.onInternet(name, net6)
	h.v6 = net6.Addr().Next()
	l.must("join "+name+" to the internet", h.addAddr("eth0", host32(h.v6)))
	return h
}

// PublicIPv4 makes one that has no IPv6.
func (l *Lab) PublicIPv4(name string) *Host { return l.onInternet(name, netip.Prefix{}) }

func (l *Lab) onInternet(name string, net6 netip.Prefix) *Host {
	h, err := l.addHost(name, false)
	l.must("make a public host", err)
	l.public++
	h.v4 = netip.AddrFrom4([4]byte{203, 0, 113, byte(l.public)})
	l.must("join "+name+" to the internet", h.join("eth0", l.inet, h.v4, net6))
	return h
}

// join makes the host's uplink: every address is a /32 or /128, the far end routes to it.
func (h *Host) join(link string, to *Host, addr4 netip.Addr, net6 netip.Prefix) error {
	h.up = &uplink{link: link, to: to, far: "u-" + h.name, addr4: addr4, net6: net6}
	far := h.up.far
	if err := wire(h, link, to, far); err != nil {
		return err
	}
	if err := h.upstream4(); err != nil {
		return err
	}
	if err := to.addAddr(far, host32(to.gateway())); err != nil {
		return err
	}
	if err := to.addRoute(path{to: host32(addr4), link: far}); err != nil {
		return err
	}
	if !net6.IsValid() {
		return nil
	}
	if err := to.addAddr(far, netip.MustParsePrefix("fe80::1/64")); err != nil {
		return err
	}
	if err := to.addRoute(path{to: net6, via: netip.MustParseAddr("fe80::2"), link: far}); err != nil {
		return err
	}
	return h.upstream6()
}

// gateway is the address that a router has for those below it: 192.0.2.1 on the internet, and another at each level behind it, for a
// router that has its own gateway's address does not answer when that one asks for its link-layer address.
func (h *Host) gateway() netip.Addr {
	level := byte(1)
	for up := h.up; up != nil; up = up.to.up {
		level++
	}
	return netip.AddrFrom4([4]byte{192, 0, 2, level})
}

// upstream4 sets the host's own side of its uplink.
func (h *Host) upstream4() error {
	u, gateway := h.up, h.up.to.gateway()
	if err := h.addAddr(u.link, host32(u.addr4)); err != nil {
		return err
	}
	if err := h.addRoute(path{to: host32(gateway), link: u.link}); err != nil {
		return err
	}
	return h.addRoute(path{via: gateway, src: u.addr4, link: u.link})
}

func (h *Host) upstream6() error {
	if err := h.addAddr(h.up.link, netip.MustParsePrefix("fe80::2/64")); err != nil {
		return err
	}
	return h.addRoute(path{via: netip.MustParseAddr("fe80::1"), link: h.up.link})
}

// Site is a LAN behind a router of its own.
type Site struct {
	lab    *Lab
	name   string
	spec   Spec
	router *Host
	above  *Site // the site behind whose router this one stands; nil on the internet
	n      int
	lan4   netip.Prefix // the zero Prefix without IPv4
	lan6   netip.Prefix // the zero Prefix without IPv6
	last   int          // host number given out last; the router is 1
	mapper *portMapper  // nil without +pm
	voids  sync.Mutex   // held while the router forgets
}

// Site makes a LAN behind a router on the internet. What the router does is written as [Spec] says.
func (l *Lab) Site(name, spec string) *Site { return l.site(name, spec, nil) }

// Site makes a LAN whose router stands behind this site's router: carrier-grade NAT.
func (s *Site) Site(name, spec string) *Site { return s.lab.site(name, spec, s) }

func (l *Lab) site(name, text string, above *Site) *Site {
	spec, err := ParseSpec(text)
	l.must("make site "+name, err)
	if l.sites++; l.sites > maxSites {
		l.fail(fmt.Errorf("make site %s: a laboratory holds at most %d sites", name, maxSites))
	}
	s := &Site{lab: l, name: name, spec: spec, above: above, n: l.sites, last: 1}
	l.must("make site "+name, s.plan())
	s.router, err = l.addHost("r-"+name, true)
	l.must("make site "+name, err)
	s.router.site = s
	l.must("make site "+name, s.build())
	return s
}

// plan chooses the site's addresses.
func (s *Site) plan() error {
	routed := !s.spec.translates()
	if s.above != nil && (routed || s.spec.IPv6 != NoIPv6) {
		return fmt.Errorf("a site behind a site has a NAT and no IPv6; %q has not", s.spec.text)
	}
	n := byte(s.n)
	if !s.spec.NoIPv4 {
		lan := [4]byte{192, 168, n, 0}
		if routed {
			lan = [4]byte{198, 18, n, 0}
		}
		s.lan4 = netip.PrefixFrom(netip.AddrFrom4(lan), 24)
	}
	if s.spec.IPv6 != NoIPv6 {
		s.lan6 = netip.MustParsePrefix(fmt.Sprintf("2001:db8:%x::/64", s.n))
	}
	return nil
}

func (s *Site) wan() netip.Addr {
	if s.above != nil {
		return netip.AddrFrom4([4]byte{100, 64, byte(s.above.n), byte(s.n + 1)})
	}
	return netip.AddrFrom4([4]byte{198, 51, 100, byte(s.n)})
}

func (s *Site) build() error {
	r, upstream := s.router, s.lab.inet
	if s.above != nil {
		upstream = s.above.router
	}
	var behind6 netip.Prefix
	if s.lan6.IsValid() {
		behind6 = netip.PrefixFrom(s.lan6.Addr(), 48)
	}
	r.v4 = s.wan()
	if err := r.join("wan", upstream, r.v4, behind6); err != nil {
		return err
	}
	if s.above != nil {
		if err := s.above.cutTrainsIfHollow(); err != nil {
			return err
		}
	}
	if !s.spec.translates() && s.lan4.IsValid() {
		if err := upstream.addRoute(path{to: s.lan4, via: r.v4, link: r.up.far, onlink: true}); err != nil {
			return err
		}
	}
	if err := s.addBridge(); err != nil {
		return err
	}
	if s.spec.PortMap {
		if err := s.listenForPortMaps(); err != nil {
			return err
		}
	}
	if err := s.filter(); err != nil {
		return err
	}
	if s.mapper != nil {
		s.mapper.start()
	}
	return nil
}

// Host makes a computer on the LAN.
func (s *Site) Host(name string) *Host {
	h, err := s.lab.addHost(name, false)
	s.lab.must("make a host on "+s.name, err)
	s.lab.must("join "+name+" to "+s.name, s.attach(h, "eth0", "h-"+name))
	return h
}

// attach wires a computer to the LAN, which becomes the one that it uses.
func (s *Site) attach(h *Host, link, port string) error {
	if s.last++; s.last > 250 {
		return fmt.Errorf("site %s is full", s.name)
	}
	if err := wire(h, link, s.router, port); err != nil {
		return err
	}
	if err := s.enslave(port); err != nil {
		return err
	}
	leg := leg{site: s, link: link, port: port}
	if s.lan4.IsValid() {
		leg.v4 = nth(s.lan4, s.last)
	}
	if s.lan6.IsValid() {
		leg.v6 = nth(s.lan6, s.last)
	}
	h.legs = append(h.legs, leg)
	if len(h.legs) > 1 { // it stands elsewhere, and goes when it can
		if err := h.carries(leg); err != nil {
			return err
		}
	}
	if err := s.cutTrainsIfHollow(); err != nil {
		return err
	}
	return h.stand(leg)
}

func (h *Host) lan(addr netip.Addr, bits int, gateway netip.Addr) error {
	if err := h.addAddr(h.link(), netip.PrefixFrom(addr, bits)); err != nil {
		return err
	}
	return h.addRoute(path{via: gateway, link: h.link()})
}

// nth is the n-th address of a LAN, n < 256.
func nth(p netip.Prefix, n int) netip.Addr {
	b := p.Addr().AsSlice()
	b[len(b)-1] += byte(n)
	a, _ := netip.AddrFromSlice(b)
	return a
}

// Name returns the site's name.
func (s *Site) Name() string { return s.name }

// Router returns the site's router, called "r-" and the site's name.
func (s *Site) Router() *Host { return s.router }

// Routed is a topology without any translation: one controller on the internet, a node on each of n routed LANs.
type Routed struct {
	Controller *Host // "ctl"
	Sites      []*Site
	Nodes      []*Host // "n1", "n2", … on LANs "lan1", "lan2", …
}

// Routed builds the topology.
func (l *Lab) Routed(n int) Routed {
	r := Routed{Controller: l.Public("ctl")}
	for i := 1; i <= n; i++ {
		s := l.Site(fmt.Sprintf("lan%d", i), "none+v6open")
		r.Sites = append(r.Sites, s)
		r.Nodes = append(r.Nodes, s.Host(fmt.Sprintf("n%d", i)))
	}
	return r
}

// readdress gives a computer its addresses and routes again.
func (s *Site) readdress(h *Host) error {
	for _, x := range []struct {
		addr netip.Addr
		lan  netip.Prefix
	}{{h.v4, s.lan4}, {h.v6, s.lan6}} {
		if !x.lan.IsValid() {
			continue
		}
		if err := h.lan(x.addr, x.lan.Bits(), nth(x.lan, 1)); err != nil {
			return err
		}
	}
	return nil
}
