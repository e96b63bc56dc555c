package sock

import (
	"net"
	"net/netip"
	"testing"
	"time"
)

// TestEachKindReachesItsSocket sends datagrams of both kinds from many ports, over both families.
func TestEachKindReachesItsSocket(t *testing.T) {
	group, quic, err := OpenBeside(Config{}, 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		quic.Close()
		for _, s := range group {
			s.Close()
		}
	})
	type came struct {
		first  byte
		socket int
		from   netip.AddrPort
	}
	got := make(chan came, 256)
	for i, s := range group {
		go func() {
			trains := []Train{{Data: make([]byte, MaxTrain)}}
			for {
				if _, err := s.Receive(trains); err != nil {
					return
				}
				got <- came{trains[0].Data[0], i, trains[0].Remote}
			}
		}()
	}
	go func() {
		b := make([]byte, 2000)
		for {
			n, from, err := quic.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			if n > 0 {
				got <- came{b[0], -1, netip.AddrPortFrom(from.Addr().Unmap(), from.Port())}
			}
		}
	}()
	var perSocket [2]int
	for _, host := range []string{"127.0.0.1", "::1"} {
		for range 16 {
			c, err := net.Dial("udp", netip.AddrPortFrom(netip.MustParseAddr(host), group[0].Port()).String())
			if err != nil {
				t.Skip(err)
			}
			home := -2
			for _, first := range []byte{0x20, 0x00, 0x40, 0xc3, 0x3f} {
				c.Write([]byte{first, 1, 2, 3})
				select {
				case g := <-got:
					if g.first != first || (g.socket < 0) != (first&0xc0 != 0) || g.from.String() != c.LocalAddr().String() {
						t.Fatalf("%#x from %s: %+v", first, c.LocalAddr(), g)
					}
					if g.socket >= 0 {
						if home >= 0 && home != g.socket {
							t.Error("one remote reaches two sockets")
						}
						home = g.socket
					}
				case <-time.After(time.Minute):
					t.Fatalf("%#x is lost", first)
				}
			}
			perSocket[home]++
			c.Close()
		}
	}
	if perSocket[0] == 0 || perSocket[1] == 0 {
		t.Error("not spread:", perSocket)
	}
}
