package main

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/lab/caller"
	"github.com/cvlan/cvlan/internal/sys/quicx"
)

// openQUIC opens a port to dial from.
func openQUIC() (*quicx.Port, error) {
	u, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return quicx.Open(quicx.Config{Conn: u, Datagrams: true})
}

// dialQUIC connects to the relay.
func dialQUIC(c *child, port *quicx.Port, conf *tls.Config) (*quic.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), caller.Patience)
	defer cancel()
	return port.Dial(ctx, netip.MustParseAddrPort(c.addr), conf)
}

// callQUIC makes a client that is bound over QUIC.
func callQUIC(c *child, port *quicx.Port, node int) (*caller.Caller, *quic.Conn, error) {
	cert, err := certificate(node)
	if err != nil {
		return nil, nil, err
	}
	conn, err := dialQUIC(c, port, caller.ClientTLS())
	if err != nil {
		return nil, nil, err
	}
	str, err := conn.OpenStream()
	if err != nil {
		return nil, nil, err
	}
	w, err := caller.Register(str, conn.ConnectionState().TLS, cert)
	if err != nil {
		return nil, nil, err
	}
	call := &caller.Caller{Welcome: w, Write: conn.SendDatagram, Read: func() ([]byte, error) {
		ctx, cancel := context.WithTimeout(context.Background(), caller.Patience)
		defer cancel()
		return conn.ReceiveDatagram(ctx)
	}}
	return call, conn, call.Bind()
}

// registered has pair i meet through the relay over QUIC, and makes the datagram that travels.
func registered(c *child, i int, ports [2]*quicx.Port) (from, to *quic.Conn, datagram []byte, err error) {
	a, from, err := callQUIC(c, ports[0], 2*i+1)
	if err != nil {
		return nil, nil, nil, err
	}
	if _, to, err = callQUIC(c, ports[1], 2*i+2); err != nil {
		return nil, nil, nil, err
	}
	ch, err := a.Open(ident.Node(2*i + 2))
	if err != nil {
		return nil, nil, nil, err
	}
	return from, to, ch.Frame(make([]byte, payload)), nil
}

func quicBulk(c *child) (*load, error) { return quicLoad(c, registered) }

// quicLoad makes pairs that send datagrams over QUIC.
func quicLoad(c *child, meet func(*child, int, [2]*quicx.Port) (from, to *quic.Conn, datagram []byte, err error)) (*load, error) {
	l := &load{}
	var all []*quicx.Port
	l.close = func() {
		for _, p := range all {
			p.Close()
		}
	}
	for i := range pairs {
		var ports [2]*quicx.Port
		for j := range ports {
			p, err := openQUIC()
			if err != nil {
				return nil, err
			}
			all, ports[j] = append(all, p), p
		}
		from, to, datagram, err := meet(c, i, ports)
		if err != nil {
			return nil, err
		}
		w := &window{}
		l.send = append(l.send, w.sends(from, datagram))
		l.receive = append(l.receive, w.counts(to))
	}
	return l, nil
}

// sends sends a datagram whenever there is room.
func (w *window) sends(from *quic.Conn, datagram []byte) func(*atomic.Bool) error {
	return func(stop *atomic.Bool) error {
		for !stop.Load() {
			w.wait(stop)
			w.sent.Add(1)
			if err := from.SendDatagram(datagram); err != nil {
				time.Sleep(10 * time.Millisecond) // the path's MTU is not found yet
			}
		}
		return nil
	}
}

// counts counts what arrives.
func (w *window) counts(to *quic.Conn) func() error {
	return func() error {
		for {
			if _, err := to.ReceiveDatagram(context.Background()); err != nil {
				return err
			}
			w.got.Add(1)
		}
	}
}
