package netcheck

import (
	"context"
	"net"
	"net/netip"
	"testing"

	core "github.com/cvlan/cvlan/internal/core/netcheck"
	"github.com/cvlan/cvlan/internal/core/stun"
	"github.com/cvlan/cvlan/internal/sys/sock"
)

// answering answers STUN at two ports of the loopback, each for the other if asked to.
func answering(t *testing.T) (at [2]uint16) {
	t.Helper()
	var both [2]*net.UDPConn
	for i := range both {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		both[i], at[i] = c, c.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	}
	for i, c := range both {
		go func() {
			for b := make([]byte, 2000); ; {
				n, from, err := c.ReadFromUDPAddrPort(b)
				if err != nil {
					return
				}
				if a, change, ok := (stun.Server{TwoPorts: true}).Answer(nil, b[:n], from); ok && change == stun.ChangePort {
					both[1-i].WriteToUDPAddrPort(a, from)
				} else if ok {
					c.WriteToUDPAddrPort(a, from)
				}
			}
		}()
	}
	return at
}

func TestRealSocketsCarryIt(t *testing.T) {
	at := answering(t)
	r := Run(t.Context(), &Config{
		Relays:  []Relay{{Name: "here", Hosts: []string{"127.0.0.1"}, Port: at[0], STUN: at[1]}},
		Open:    func() (sock.Socket, error) { return sock.Open(sock.Config{Buffer: 1 << 18}) },
		Dial:    func(context.Context, netip.AddrPort) (net.Conn, error) { return nil, net.ErrClosed },
		Own:     func() []netip.Addr { return []netip.Addr{netip.MustParseAddr("127.0.0.1")} },
		PathMTU: sock.PathMTU,
	})
	if !r.IPv4.UDP || r.IPv4.Mapping != core.MappingNone || r.IPv4.Filtering != stun.FilteringAddress || r.IPv4.KeptPort != core.Yes || r.Relays[0].UDP == 0 {
		t.Fatalf("%+v", r)
	}
	if _, err := sock.PathMTU(netip.MustParseAddr("127.0.0.1")); err == nil && r.Relays[0].MTU != 1500 {
		t.Fatalf("size: %+v", r.Relays)
	}
}
