package server

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/lab/caller"
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
	conn, str := w.connectQUIC(u)
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

// connectQUIC opens a stream on which nobody has registered yet.
func (w *world) connectQUIC(u net.PacketConn) (*quic.Conn, *quic.Stream) {
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
	return conn, str
}
