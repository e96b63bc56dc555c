package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"

	"github.com/quic-go/quic-go"

	"github.com/cvlan/cvlan/internal/lab/caller"
	"github.com/cvlan/cvlan/internal/sys/quicx"
	"github.com/cvlan/cvlan/proto/relay"
)

// bareQUIC forwards the datagrams of each connection to the one that came before or after it, as the relays do that have one goroutine a client
// and nothing between the two: what is received is sent. So it tells what the library costs.
type bareQUIC struct {
	port   *quicx.Port
	frames atomic.Uint64
}

// serveBareQUIC is its process: each line is answered with a reading.
func serveBareQUIC() error {
	conf, err := caller.ServerTLS()
	if err != nil {
		return err
	}
	conf.NextProtos = []string{relay.ALPN}
	u, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return err
	}
	b := &bareQUIC{}
	if b.port, err = quicx.Open(quicx.Config{Conn: u, Datagrams: true}); err != nil {
		return err
	}
	come := make(chan *quic.Conn)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- b.port.Serve(ctx, conf, func(_ context.Context, conn *quic.Conn) { come <- conn })
	}()
	go b.run(come)
	fmt.Println(u.LocalAddr().(*net.UDPAddr).Port)
	out := json.NewEncoder(os.Stdout)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		if err := out.Encode(reading{CPU: processor(), Frames: b.frames.Load()}); err != nil {
			break
		}
	}
	cancel()
	return errors.Join(<-done, b.port.Close())
}

// run makes pairs of connections in the order in which they come.
func (b *bareQUIC) run(come <-chan *quic.Conn) {
	for first := range come {
		second := <-come
		go b.forward(first, second)
		go b.forward(second, first)
	}
}

func (b *bareQUIC) forward(from, to *quic.Conn) {
	for {
		datagram, err := from.ReceiveDatagram(context.Background())
		if err != nil {
			return
		}
		if to.SendDatagram(datagram) == nil {
			b.frames.Add(1)
		}
	}
}

// besideQUIC has a pair meet through it. The datagrams are as long as a relay's.
func besideQUIC(c *child, _ int, ports [2]*quicx.Port) (from, to *quic.Conn, datagram []byte, err error) {
	from, err = dialQUIC(c, ports[0], caller.ClientTLS())
	if err != nil {
		return nil, nil, nil, err
	}
	to, err = dialQUIC(c, ports[1], caller.ClientTLS())
	return from, to, make([]byte, relay.HeaderSize+payload), err
}

func bareQUICBulk(c *child) (*load, error) { return quicLoad(c, besideQUIC) }
