package server

import (
	"context"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/lab/caller"
	"github.com/cvlan/cvlan/internal/sim/netsim"
	"github.com/cvlan/cvlan/internal/sys/quicx"
)

// overQUIC is a client that sends and gets QUIC datagrams.
func (w *world) overQUIC(tenant ident.Tenant, node ident.Node) *caller.Caller {
	w.Helper()
	c, _ := w.overQUICWithStream(tenant, node)
	return c
}

func (w *world) overQUICWithStream(tenant ident.Tenant, node ident.Node) (*caller.Caller, *quic.Stream) {
	w.Helper()
	u, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		w.Fatal(err)
	}
	return w.overQUICFrom(u, tenant, node)
}

// overQUICFrom does so from a socket.
func (w *world) overQUICFrom(u net.PacketConn, tenant ident.Tenant, node ident.Node) (*caller.Caller, *quic.Stream) {
	w.Helper()
	port, err := quicx.Open(quicx.Config{Conn: u, Datagrams: true})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { port.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), caller.Patience)
	defer cancel()
	conn, err := port.Dial(ctx, netip.MustParseAddrPort(w.addr), caller.ClientTLS())
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { conn.CloseWithError(0, "") })
	str, err := conn.OpenStream()
	if err != nil {
		w.Fatal(err)
	}
	str.SetDeadline(time.Now().Add(caller.Patience))
	welcome, err := caller.Register(str, conn.ConnectionState().TLS, w.certificate(tenant, node))
	if err != nil {
		w.Fatal(err)
	}
	return w.bound(&caller.Caller{
		Welcome: welcome,
		Write:   conn.SendDatagram,
		Read: func() ([]byte, error) {
			ctx, cancel := context.WithTimeout(context.Background(), caller.Patience)
			defer cancel()
			return conn.ReceiveDatagram(ctx)
		},
	}), str
}

// What handles a datagram has a stack of twice the size that waiting takes: it must not be what waits for the next one, which may never come.
func TestWhatHandlesDatagramsDoesNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := netip.MustParseAddrPort("198.51.100.2:443")
		n := netsim.New(1)
		there, err := n.Host(at.Addr()).ListenPacket(at.Port())
		if err != nil {
			t.Fatal(err)
		}
		w := start(t, func(c *Config) { c.Sockets = Sockets{QUIC: there} })
		w.addr = at.String()
		var both [2]*caller.Caller
		for i := range both {
			here, err := n.Host(netip.AddrFrom4([4]byte{198, 51, 100, byte(10 + i)})).ListenPacket(0)
			if err != nil {
				t.Fatal(err)
			}
			both[i], _ = w.overQUICFrom(here, 1, ident.Node(1+i))
		}
		ch := w.open(both[0], 2)
		for range 3 {
			w.carries(both[0], both[1], ch, 1, 1000)
			time.Sleep(2 * lively)
			synctest.Wait()
			b := make([]byte, 1<<20)
			all := string(b[:runtime.Stack(b, true)])
			if wait, handle := strings.Count(all, "server.(*carrier).awaitDatagrams("), strings.Count(all, "server.(*carrier).serveDatagrams("); wait != len(both) || handle != 0 {
				t.Errorf("%d wait, %d handle", wait, handle)
			}
		}
	})
}
