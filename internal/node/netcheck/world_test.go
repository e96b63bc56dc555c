package netcheck

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/core/stun"
	"github.com/cvlan/cvlan/internal/sim/natmodel"
	"github.com/cvlan/cvlan/internal/sim/netsim"
	"github.com/cvlan/cvlan/internal/sys/sock"
)

// socket is a sock.Socket on the simulated network.
type socket struct {
	net.PacketConn
	limit int // bytes of the longest IP packet that the path takes; 0: any
}

func (s *socket) Receive(trains []sock.Train) (int, error) {
	n, from, err := s.ReadFrom(trains[0].Data[:cap(trains[0].Data)])
	if err != nil {
		return 0, err
	}
	trains[0] = sock.Train{Data: trains[0].Data[:n], Segment: n, Remote: from.(*net.UDPAddr).AddrPort()}
	return 1, nil
}

func (s *socket) Send(trains []sock.Train) error {
	for _, t := range trains {
		if s.limit == 0 || len(t.Data)+28 <= s.limit {
			s.WriteTo(t.Data, net.UDPAddrFromAddrPort(t.Remote))
		}
	}
	return nil
}

func (s *socket) Port() uint16      { return s.LocalAddr().(*net.UDPAddr).AddrPort().Port() }
func (s *socket) Stats() sock.Stats { return sock.Stats{} }

// internet is a network with two relays, each with STUN at two ports of one address, and a host behind a router of some kind.
type internet struct {
	*netsim.Net
	host    *netsim.Host
	router  *netsim.NAT
	cfg     *Config
	listens []net.Listener
	ports   []net.PacketConn
}

var inside = netip.MustParseAddr("192.168.1.10")

const mainPort, stunPort = 443, 3478

func newInternet(t *testing.T, kind string) *internet {
	t.Helper()
	c, err := natmodel.Kind(kind)
	if err != nil {
		t.Fatal(err)
	}
	n := &internet{Net: netsim.New(1), cfg: new(Config)}
	n.Weather(netsim.Conditions{Latency: 10 * time.Millisecond})
	n.router = n.NAT(netip.MustParseAddr("203.0.113.5"), c)
	n.host = n.router.Host(inside)
	for i, name := range []string{"fra-1", "nyc-1"} {
		at := netip.AddrFrom4([4]byte{198, 51, 100, byte(i + 1)})
		n.relay(t, n.Host(at))
		n.Line(n.router.Outside(), at, netsim.Conditions{Latency: time.Duration(10+20*i) * time.Millisecond})
		if c.Routed {
			n.Line(inside, at, netsim.Conditions{Latency: time.Duration(10+20*i) * time.Millisecond})
		}
		n.cfg.Relays = append(n.cfg.Relays, Relay{Name: name, Region: name[:3], Hosts: []string{at.String()}, Port: mainPort, STUN: stunPort})
	}
	n.cfg.Open = n.open(0)
	n.cfg.Dial = n.host.Dial
	n.cfg.Own = func() []netip.Addr { return []netip.Addr{inside} }
	return n
}

// open opens sockets whose packets may have so many bytes.
func (n *internet) open(limit int) func() (sock.Socket, error) {
	return func() (sock.Socket, error) {
		c, err := n.host.ListenPacket(0)
		if err != nil {
			return nil, err
		}
		return &socket{c, limit}, nil
	}
}

// relay answers STUN at two ports, and takes streams.
func (n *internet) relay(t *testing.T, h *netsim.Host) {
	t.Helper()
	var both [2]net.PacketConn
	for i, port := range []uint16{mainPort, stunPort} {
		c, err := h.ListenPacket(port)
		if err != nil {
			t.Fatal(err)
		}
		both[i] = c
		n.ports = append(n.ports, c)
	}
	for i, c := range both {
		go func() {
			for b := make([]byte, 2000); ; {
				k, from, err := c.ReadFrom(b)
				if err != nil {
					return
				}
				a, change, ok := stun.Server{TwoPorts: true}.Answer(nil, b[:k], from.(*net.UDPAddr).AddrPort())
				if ok && change&stun.ChangePort != 0 {
					both[1-i].WriteTo(a, from)
				} else if ok {
					c.WriteTo(a, from)
				}
			}
		}()
	}
	l, err := h.Listen(mainPort)
	if err != nil {
		t.Fatal(err)
	}
	n.listens = append(n.listens, l)
	go func() {
		for {
			c, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				c.Close()
			}
		}
	}()
}

// close lets the relays end.
func (n *internet) close() {
	for _, l := range n.listens {
		l.Close()
	}
	for _, c := range n.ports {
		c.Close()
	}
	time.Sleep(time.Minute) // what is under way arrives
}

func (n *internet) check() report { return report{Run(context.Background(), n.cfg)} }
