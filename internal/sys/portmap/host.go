package portmap

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"golang.org/x/net/ipv4"

	"github.com/cvlan/cvlan/internal/core/igd"
	core "github.com/cvlan/cvlan/internal/core/portmap"
	"github.com/cvlan/cvlan/internal/sys/mark"
)

// Link is how this machine reaches its default gateway.
type Link struct {
	Gateway netip.Addr // without a zone; that of IPv6 is link-local as a rule
	Local   netip.Addr // ours, from which the gateway is asked
	Index   int        // of the interface
}

// Conn is a UDP socket. ReadFrom has one caller; it ends with net.ErrClosed after Close.
type Conn interface {
	ReadFrom(b []byte) (int, netip.AddrPort, error)
	WriteTo(b []byte, to netip.AddrPort) error
	Close() error
}

// Host is what the operating system does for a Mapper. Methods may be called from any goroutine.
type Host interface {
	// Link finds the default gateway. ErrNoGateway: there is none.
	Link() (Link, error)
	// Open opens a socket at the link's local address, on any port, from which multicast leaves by the link.
	Open(Link) (Conn, error)
	// Announcements opens a socket that hears what routers of the link announce to all hosts.
	Announcements(Link) (Conn, error)
	// Dial opens a TCP stream from the link's local address.
	Dial(ctx context.Context, l Link, to netip.AddrPort) (net.Conn, error)
}

// ErrNoGateway says that there is no default route with a gateway, or for IPv6 no address of ours that others can know.
var ErrNoGateway = errors.New("no default gateway")

// System is the operating system, in one family of addresses.
type System struct{ IPv6 bool }

var _ Host = System{}

// Link implements Host.
func (s System) Link() (Link, error) {
	gateway, index, err := defaultGateway(s.IPv6)
	if err != nil {
		return Link{}, err
	}
	l := Link{Gateway: gateway.WithZone(""), Index: index}
	if s.IPv6 {
		l.Local, err = localIPv6(index)
		return l, err
	}
	l.Local, err = source("udp4", netip.AddrPortFrom(gateway, core.Port))
	return l, err
}

// source is the address from which the system would send.
func source(network string, to netip.AddrPort) (netip.Addr, error) {
	d := net.Dialer{Control: mark.Control}
	c, err := d.Dial(network, to.String()) // sends nothing
	if err != nil {
		return netip.Addr{}, err
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap(), nil
}

// anywhere is an address for documentation (RFC 3849): nothing is sent there.
var anywhere = netip.MustParseAddrPort("[2001:db8::1]:9")

// localIPv6 is the address of ours that is to be reached: a router opens what leads to the address that asks it (RFC 6887, section 11.3). That is
// the one from which the system sends, or where that belongs to a tunnel the first of the gateway's link.
func localIPv6(index int) (netip.Addr, error) {
	ifi, err := net.InterfaceByIndex(index)
	if err != nil {
		return netip.Addr{}, err
	}
	all, err := ifi.Addrs()
	if err != nil {
		return netip.Addr{}, err
	}
	preferred, _ := source("udp6", anywhere)
	best := netip.Addr{}
	for _, a := range all {
		p, err := netip.ParsePrefix(a.String())
		switch {
		case err != nil || p.Addr().Is4() || !p.Addr().IsGlobalUnicast():
		case p.Addr() == preferred:
			return preferred, nil
		case !best.IsValid() || best.IsPrivate() && !p.Addr().IsPrivate():
			best = p.Addr()
		}
	}
	if !best.IsValid() {
		return best, ErrNoGateway
	}
	return best, nil
}

// searchTTL keeps a search near: UPnP Device Architecture 1.1, section 1.3.2.
const searchTTL = 2

// Open implements Host.
func (System) Open(l Link) (Conn, error) {
	lc := net.ListenConfig{Control: mark.Control}
	socket, err := lc.ListenPacket(context.Background(), l.network("udp"), netip.AddrPortFrom(l.Local, 0).String())
	if err != nil {
		return nil, err
	}
	c := socket.(*net.UDPConn)
	ifi, err := net.InterfaceByIndex(l.Index)
	if l.Local.Is6() { // nothing is searched for
		return newUDP(c, ifi), nil
	}
	p := ipv4.NewPacketConn(c)
	_ = p.SetMulticastTTL(searchTTL) // 1 is the default, and enough for most
	if err == nil {
		_ = p.SetMulticastInterface(ifi) // else the gateway is only searched for at its own address
	}
	return newUDP(c, ifi), nil
}

// network is the name of a network of the link's family.
func (l Link) network(name string) string {
	if l.Local.Is6() {
		return name + "6"
	}
	return name + "4"
}

// Announcements implements Host.
func (System) Announcements(l Link) (Conn, error) {
	ifi, err := net.InterfaceByIndex(l.Index)
	if err != nil {
		return nil, err
	}
	group := net.IPv4allsys
	if l.Local.Is6() {
		group = net.IPv6linklocalallnodes
	}
	c, err := net.ListenMulticastUDP(l.network("udp"), ifi, &net.UDPAddr{IP: group, Port: core.AnnouncePort})
	if err != nil {
		return nil, err
	}
	return newUDP(c, ifi), nil
}

// Dial implements Host.
func (System) Dial(ctx context.Context, l Link, to netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{Control: mark.Control, LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(l.Local, 0)), KeepAlive: -1}
	return d.DialContext(ctx, l.network("tcp"), to.String())
}

// udp is a Conn of the system. Link-local addresses are those of one link, whose name stands nowhere else.
type udp struct {
	c    *net.UDPConn
	zone string
}

func newUDP(c *net.UDPConn, ifi *net.Interface) udp {
	if ifi == nil {
		return udp{c: c}
	}
	return udp{c, ifi.Name}
}

func (u udp) ReadFrom(b []byte) (int, netip.AddrPort, error) {
	n, from, err := u.c.ReadFromUDPAddrPort(b)
	return n, netip.AddrPortFrom(from.Addr().Unmap().WithZone(""), from.Port()), err
}

func (u udp) WriteTo(b []byte, to netip.AddrPort) error {
	if to.Addr().Is6() && to.Addr().IsLinkLocalUnicast() {
		to = netip.AddrPortFrom(to.Addr().WithZone(u.zone), to.Port())
	}
	_, err := u.c.WriteToUDPAddrPort(b, to)
	return err
}

func (u udp) Close() error { return u.c.Close() }

// maxDatagram is the longest that is read, in bytes.
const maxDatagram = igd.MaxFound + 1
