package main

import (
	"context"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/lab/caller"
	"github.com/cvlan/cvlan/internal/lab/figure"
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

// callQUIC makes a client that is bound over QUIC.
func callQUIC(c *child, port *quicx.Port, node int) (*caller.Caller, *quic.Conn, error) {
	cert, err := certificate(node)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), caller.Patience)
	defer cancel()
	conn, err := port.Dial(ctx, netip.MustParseAddrPort(c.addr), caller.ClientTLS(cert))
	if err != nil {
		return nil, nil, err
	}
	str, err := conn.OpenStream()
	if err != nil {
		return nil, nil, err
	}
	w, err := caller.Register(str)
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

func quicBulk(c *child, o options) error {
	l := &load{}
	var ports []*quicx.Port
	l.close = func() {
		for _, p := range ports {
			p.Close()
		}
	}
	call := func(node int) (*caller.Caller, *quic.Conn, error) {
		p, err := openQUIC()
		if err != nil {
			return nil, nil, err
		}
		ports = append(ports, p)
		return callQUIC(c, p, node)
	}
	for i := range pairs {
		a, ac, err := call(2*i + 1)
		if err != nil {
			return err
		}
		_, bc, err := call(2*i + 2)
		if err != nil {
			return err
		}
		ch, err := a.Open(ident.Node(2*i + 2))
		if err != nil {
			return err
		}
		frame := ch.Frame(make([]byte, payload))
		var w window
		l.send = append(l.send, func(stop *atomic.Bool) error {
			for !stop.Load() {
				w.wait(stop)
				w.sent.Add(1)
				if err := ac.SendDatagram(frame); err != nil {
					time.Sleep(10 * time.Millisecond) // the path's MTU is not found yet
				}
			}
			return nil
		})
		l.receive = append(l.receive, func() error {
			for {
				if _, err := bc.ReceiveDatagram(context.Background()); err != nil {
					return err
				}
				w.got.Add(1)
			}
		})
	}
	cost, _, err := l.measure(c, o, "quic")
	figure.Spread(os.Stdout, "relay_quic_cpu_s_per_mpkt", "CPU-s", cost)
	return err
}
