package stream

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quic-go/quic-go"
)

// TestAPeerThatPromisesMuchRoomGetsNoMoreMemory: quic-go would buffer as much as the peer's window allows.
func TestAPeerThatPromisesMuchRoomGetsNoMoreMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t)
		taken := make(chan int, 1)
		stop := s.controller(t, right, func(_ context.Context, c Stream) {
			c.Recv()
			s.net.Cut(left, right, true)
			n := 0
			for small := bulk(1000); n < 1000 && c.TrySend(small) == nil; n++ {
			}
			taken <- n * 1000
			c.Recv() // until it is given up
		})
		socket, err := s.node.ListenPacket(0)
		if err != nil {
			t.Fatal(err)
		}
		tr := &quic.Transport{Conn: socket, ConnectionIDLength: 8}
		c, err := tr.Dial(t.Context(), net.UDPAddrFromAddrPort(quicAddr), theRealm().clientTLS(theRealm().node),
			&quic.Config{InitialStreamReceiveWindow: 1 << 30, MaxStreamReceiveWindow: 1 << 30, InitialConnectionReceiveWindow: 1 << 30, MaxConnectionReceiveWindow: 1 << 30})
		if err != nil {
			t.Fatal(err)
		}
		str, err := c.OpenStream()
		if err != nil {
			t.Fatal(err)
		}
		str.Write(encode(ping(1)))
		if got := <-taken; got < unsent/2 || got > unsent+4<<10 {
			t.Error("taken:", got)
		}
		time.Sleep(2 * time.Minute)
		c.CloseWithError(0, "")
		tr.Close()
		socket.Close()
		stop()
	})
}
