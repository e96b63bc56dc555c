package xfrm

import (
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/cvlan/cvlan/internal/sys/mark"
)

// Device is an XFRM interface and what belongs to it. One goroutine uses it.
type Device struct {
	name   string
	number uint32 // if_id
	index  int
	origin uint8 // of routes
	wire   *wire
	net    *netlink.Handle
}

// Open makes the interface, after it has removed what is left of one of the same name.
func Open(c Config) (*Device, error) {
	d := &Device{name: c.Name, number: number(c.Name), origin: c.Protocol}
	if err := d.open(c.MTU); err != nil {
		return nil, errors.Join(fmt.Errorf("open the kernel's ESP, interface %s: %w", c.Name, err), d.Close())
	}
	return d, nil
}

// Sweep removes what is left of an interface of this name, if there is one.
func Sweep(name string) error {
	if l, err := netlink.LinkByName(name); err != nil || l.Type() != "xfrm" {
		return nil
	}
	d := &Device{name: name, number: number(name)}
	var err error
	if d.wire, err = dial(); err != nil {
		return err
	}
	if d.net, err = netlink.NewHandle(); err != nil {
		return errors.Join(err, d.Close())
	}
	return d.Close()
}

// number makes one of a name: the next process finds by it what this one may leave. Never 0, which means no interface.
func number(name string) uint32 {
	h := fnv.New32a()
	h.Write([]byte("cvlan xfrm " + name))
	return max(h.Sum32(), 1)
}

func (d *Device) open(mtu int) (err error) {
	if d.wire, err = dial(); err != nil {
		return fmt.Errorf("%w: the kernel has no XFRM (CONFIG_XFRM_USER)", err)
	}
	if d.net, err = netlink.NewHandle(); err != nil {
		return err
	}
	if err := d.clean(); err != nil {
		return err
	}
	if err := d.try(); err != nil {
		return err
	}
	if err := d.net.LinkAdd(&netlink.Xfrmi{LinkAttrs: netlink.LinkAttrs{Name: d.name, MTU: mtu}, Ifid: d.number}); err != nil {
		return fmt.Errorf("%w: the kernel may have no XFRM interfaces (CONFIG_XFRM_INTERFACE)", err)
	}
	link, err := d.net.LinkByName(d.name)
	if err != nil {
		return err
	}
	d.index = link.Attrs().Index
	return d.net.LinkSetUp(link)
}

// SetMTU changes the interface's, in bytes.
func (d *Device) SetMTU(n int) error {
	link, err := d.net.LinkByIndex(d.index)
	if err == nil {
		err = d.net.LinkSetMTU(link, n)
	}
	if err != nil {
		return fmt.Errorf("set the MTU of %s to %d: %w", d.name, n, err)
	}
	return nil
}

// try makes an association and removes it, because that alone tells whether the kernel has ESP.
func (d *Device) try() error {
	local := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 1)
	s := SA{SPI: 0x3fffffff, From: local, To: local, Cipher: AESGCM, Key: make([]byte, 36), Window: 32, ESN: true}
	if err := d.Add(s); err != nil {
		return fmt.Errorf("%w: the kernel may have no ESP (CONFIG_INET_ESP, CONFIG_CRYPTO_GCM)", err)
	}
	_, err := d.Remove(s)
	return err
}

// clean removes everything that bears our number.
func (d *Device) clean() error {
	var states []name
	if err := d.wire.dump(getSA, func(b []byte) {
		if f, err := readSA(b); err == nil && f.link == d.number {
			states = append(states, f.name)
		}
	}); err != nil {
		return fmt.Errorf("list associations: %w", err)
	}
	var policies []policy
	if err := d.wire.dump(getPolicy, func(b []byte) {
		if p, link, err := readPolicy(b); err == nil && link == d.number {
			policies = append(policies, p)
		}
	}); err != nil {
		return fmt.Errorf("list policies: %w", err)
	}
	var errs []error
	if link, err := d.net.LinkByName(d.name); err == nil {
		if link.Type() != "xfrm" {
			return fmt.Errorf("there is an interface of another kind (%s) by this name", link.Type())
		}
		errs = append(errs, d.net.LinkDel(link)) // its routes go with it
	}
	for _, p := range policies {
		errs = append(errs, gone(d.wire.do(delPolicy, p.remove(d.number))))
	}
	for _, n := range states {
		errs = append(errs, gone(d.wire.do(delSA, n.body(d.number))))
	}
	return errors.Join(errs...)
}

// gone takes it for done that something was not there.
func gone(err error) error {
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

// Add makes an association.
func (d *Device) Add(s SA) error {
	if err := d.wire.do(newSA, s.add(d.number)); err != nil {
		return fmt.Errorf("add the kernel's association %#x: %w", s.SPI, err)
	}
	return nil
}

// Use tells what an association has carried.
func (d *Device) Use(s SA) (u Use, err error) {
	err = d.wire.get(getSA, s.name().body(d.number), func(b []byte) {
		if f, e := readSA(b); e == nil {
			u = f.Use
		}
	})
	if err != nil {
		return u, fmt.Errorf("ask for the kernel's association %#x: %w", s.SPI, err)
	}
	return u, nil
}

// Remove ends an association, and tells what it has carried to its end; ErrLost: that is not known.
func (d *Device) Remove(s SA) (u Use, err error) {
	missed := d.wire.heard(func(uint16, []byte) {}) // of before
	if err := d.wire.do(delSA, s.name().body(d.number)); err != nil {
		return u, errors.Join(ErrLost, fmt.Errorf("remove the kernel's association %#x: %w", s.SPI, gone(err)))
	}
	known := false
	missed = errors.Join(missed, d.wire.heard(func(kind uint16, b []byte) {
		if f, err := readRemoved(b); kind == delSA && err == nil && f.name == s.name() {
			u, known = f.Use, true
		}
	}))
	if !known {
		return u, errors.Join(ErrLost, missed)
	}
	return u, nil
}

// Admit has the interface give up what associations of a peer bring, from its addresses to ours.
func (d *Device) Admit(w Way) error {
	return w.each(func(ours, theirs netip.Addr, protocol uint8) error {
		return d.wire.do(updatePolicy, policy{dir: in, src: theirs, dst: ours, protocol: protocol, peer: w.Peer}.put(d.number))
	})
}

// Refuse takes Admit back.
func (d *Device) Refuse(w Way) error {
	return w.each(func(ours, theirs netip.Addr, protocol uint8) error {
		return gone(d.wire.do(delPolicy, policy{dir: in, src: theirs, dst: ours, protocol: protocol}.remove(d.number)))
	})
}

// Lead has packets for a peer's addresses sealed by an association. It may be called again with another.
func (d *Device) Lead(w Way, s SA) error {
	err := w.each(func(ours, theirs netip.Addr, protocol uint8) error {
		return d.wire.do(updatePolicy, policy{dir: out, src: ours, dst: theirs, protocol: protocol, peer: w.Peer, from: s.From.Addr(), to: s.To.Addr(), spi: s.SPI}.put(d.number))
	})
	if err != nil {
		return fmt.Errorf("lead packets to the kernel's association %#x: %w", s.SPI, err)
	}
	return w.pairs(func(ours, theirs netip.Addr) error { return d.net.RouteReplace(d.route(ours, theirs)) })
}

// Unlead takes Lead back: packets take the route that they would take otherwise.
func (d *Device) Unlead(w Way) error {
	err := w.pairs(func(ours, theirs netip.Addr) error { return gone(d.net.RouteDel(d.route(ours, theirs))) })
	return errors.Join(err, w.each(func(ours, theirs netip.Addr, protocol uint8) error {
		return gone(d.wire.do(delPolicy, policy{dir: out, src: ours, dst: theirs, protocol: protocol}.remove(d.number)))
	}))
}

func (d *Device) route(ours, theirs netip.Addr) *netlink.Route {
	return &netlink.Route{
		LinkIndex: d.index, Scope: netlink.SCOPE_LINK, Protocol: netlink.RouteProtocol(d.origin), Src: net.IP(ours.AsSlice()),
		Dst: &net.IPNet{IP: net.IP(theirs.AsSlice()), Mask: net.CIDRMask(theirs.BitLen(), theirs.BitLen())},
	}
}

// each calls f for each two addresses of one family and each protocol; 0: all.
func (w Way) each(f func(ours, theirs netip.Addr, protocol uint8) error) error {
	protocols := w.Protocols
	if len(protocols) == 0 {
		protocols = []uint8{0}
	}
	return w.pairs(func(ours, theirs netip.Addr) error {
		var errs []error
		for _, p := range protocols {
			errs = append(errs, f(ours, theirs, p))
		}
		return errors.Join(errs...)
	})
}

// pairs calls f for each two addresses of one family.
func (w Way) pairs(f func(ours, theirs netip.Addr) error) error {
	var errs []error
	for _, o := range w.Ours {
		for _, t := range w.Theirs {
			if o.Is4() == t.Is4() {
				errs = append(errs, f(o, t))
			}
		}
	}
	return errors.Join(errs...)
}

// Source is the address of ours that the system would send the daemon's packets from to another.
func (d *Device) Source(to netip.Addr) (netip.Addr, error) {
	routes, err := d.net.RouteGetWithOptions(net.IP(to.AsSlice()), &netlink.RouteGetOptions{Mark: mark.Value})
	if err != nil {
		return netip.Addr{}, err
	}
	for _, r := range routes {
		if a, ok := netip.AddrFromSlice(r.Src); ok {
			return a.Unmap(), nil
		}
	}
	return netip.Addr{}, errors.New("there is no way")
}

// Close removes the interface, associations and policies.
func (d *Device) Close() error {
	if d.wire == nil {
		return nil
	}
	var err error
	if d.net != nil {
		err = d.clean()
		d.net.Close()
	}
	d.wire.close()
	d.wire = nil
	return err
}
