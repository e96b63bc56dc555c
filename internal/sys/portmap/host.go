package portmap

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"golang.org/x/net/ipv4"

	"github.com/cvlan/cvlan/internal/core/igd"
	core "github.com/cvlan/cvlan/internal/core/portmap"
)

// Link is how this machine reaches its default gateway.
type Link struct {
	Gateway netip.Addr
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

// ErrNoGateway says that there is no default route for IPv4 with a gateway.
var ErrNoGateway = errors.New("no default gateway")

// System is the operating system.
type System struct{}

var _ Host = System{}

// Link implements Host.
func (System) Link() (Link, error) {
	gateway, index, err := defaultGateway()
	if err != nil {
		return Link{}, err
	}
	c, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(gateway, core.Port))) // sends nothing
	if err != nil {
		return Link{}, err
	}
	defer c.Close()
	return Link{Gateway: gateway, Local: c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap(), Index: index}, nil
}

// searchTTL keeps a search near: UPnP Device Architecture 1.1, section 1.3.2.
const searchTTL = 2

// Open implements Host.
func (System) Open(l Link) (Conn, error) {
	c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(l.Local, 0)))
	if err != nil {
		return nil, err
	}
	p := ipv4.NewPacketConn(c)
	_ = p.SetMulticastTTL(searchTTL) // 1 is the default, and enough for most
	if ifi, err := net.InterfaceByIndex(l.Index); err == nil {
		_ = p.SetMulticastInterface(ifi) // else the gateway is only searched for at its own address
	}
	return udp{c}, nil
}

// Announcements implements Host.
func (System) Announcements(l Link) (Conn, error) {
	ifi, err := net.InterfaceByIndex(l.Index)
	if err != nil {
		return nil, err
	}
	c, err := net.ListenMulticastUDP("udp4", ifi, &net.UDPAddr{IP: net.IPv4allsys, Port: core.AnnouncePort})
	if err != nil {
		return nil, err
	}
	return udp{c}, nil
}

// Dial implements Host.
func (System) Dial(ctx context.Context, l Link, to netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(l.Local, 0)), KeepAlive: -1}
	return d.DialContext(ctx, "tcp4", to.String())
}

// udp is a Conn of the system.
type udp struct{ c *net.UDPConn }

func (u udp) ReadFrom(b []byte) (int, netip.AddrPort, error) {
	n, from, err := u.c.ReadFromUDPAddrPort(b)
	return n, netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), err
}

func (u udp) WriteTo(b []byte, to netip.AddrPort) error {
	_, err := u.c.WriteToUDPAddrPort(b, to)
	return err
}

func (u udp) Close() error { return u.c.Close() }

// maxDatagram is the longest that is read, in bytes.
const maxDatagram = igd.MaxFound + 1
