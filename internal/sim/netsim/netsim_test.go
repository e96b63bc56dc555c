package netsim

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

var a, b = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")

// pair opens a stream from a to b.
func pair(t *testing.T, n *Net) (net.Conn, net.Conn) {
	t.Helper()
	l, err := n.Host(b).Listen(443)
	if err != nil {
		t.Fatal(err)
	}
	c, err := n.Host(a).Dial(t.Context(), netip.AddrPortFrom(b, 443))
	if err != nil {
		t.Fatal(err)
	}
	d, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return c, d
}

func TestAStreamKeepsItsOrderInBadWeather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1)
		n.Weather(Conditions{Latency: 20 * time.Millisecond, Jitter: 30 * time.Millisecond, Loss: 0.2})
		c, d := pair(t, n)
		want := make([]byte, 1<<20)
		rand.Read(want)
		go func() { c.Write(want); c.Close() }()
		go func() {
			time.Sleep(300 * time.Millisecond)
			n.Cut(a, b, true)
			time.Sleep(10 * time.Second)
			n.Cut(a, b, false)
		}()
		got, err := io.ReadAll(d)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		d.Close()
		time.Sleep(time.Minute)
	})
}

func TestAReaderWhoDoesNotReadStopsTheWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, d := pair(t, New(1))
		c.SetWriteDeadline(time.Now().Add(time.Second))
		wrote, err := c.Write(make([]byte, 10*window))
		if !errors.Is(err, os.ErrDeadlineExceeded) || wrote > window {
			t.Fatal(wrote, err)
		}
		c.Close()
		d.Close()
	})
}

func TestACutLineBreaksStreamsOnlyWhenItLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1)
		c, d := pair(t, n)
		n.Cut(a, b, true)
		time.Sleep(patience / 2)
		n.Cut(a, b, false)
		time.Sleep(patience)
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal("a short cut broke the stream:", err)
		}
		n.Cut(a, b, true)
		if _, err := io.ReadAll(d); !errors.Is(err, syscall.ETIMEDOUT) {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if _, err := n.Host(a).Dial(ctx, netip.AddrPortFrom(b, 443)); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
	})
}

func TestAPowerCutIsNoticedLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1)
		c, _ := pair(t, n)
		start := time.Now()
		n.Host(b).PowerCut()
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ETIMEDOUT) || time.Since(start) != patience {
			t.Fatal(err, time.Since(start))
		}
		if _, err := n.Host(a).Dial(t.Context(), netip.AddrPortFrom(b, 443)); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatal(err)
		}
	})
}

func TestPacketsMeetTheWeather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(7)
		n.Line(a, b, Conditions{Latency: 10 * time.Millisecond, Loss: 0.3, Duplicate: 0.3, Reorder: 0.3})
		s, _ := n.Host(a).ListenPacket(1)
		r, _ := n.Host(b).ListenPacket(2)
		if _, err := n.Host(b).ListenPacket(2); err == nil {
			t.Fatal("a port was given twice")
		}
		for i := range 200 {
			s.WriteTo([]byte{byte(i)}, net.UDPAddrFromAddrPort(netip.AddrPortFrom(b, 2)))
			time.Sleep(time.Millisecond)
		}
		r.SetReadDeadline(time.Now().Add(time.Second))
		seen := map[byte]int{}
		last, disorder := -1, false
		for {
			var p [10]byte
			_, from, err := r.ReadFrom(p[:])
			if err != nil {
				break
			}
			if from.String() != "192.0.2.1:1" {
				t.Fatal(from)
			}
			disorder = disorder || int(p[0]) < last
			last = int(p[0])
			seen[p[0]]++
		}
		twice := 0
		for _, k := range seen {
			if k == 2 {
				twice++
			}
		}
		if len(seen) < 100 || len(seen) > 180 || twice < 10 || !disorder {
			t.Fatalf("%d of 200 arrived, %d twice, disorder %v", len(seen), twice, disorder)
		}
		s.Close()
		r.Close()
	})
}
