package resolver

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/cvlan/cvlan/internal/core/names"
)

// other is the name server of somebody else, by UDP and TCP: it knows www.example.com, and asks hook before it answers.
type other struct {
	net.PacketConn
	net.Listener
	asked atomic.Int32
	ids   chan uint16
	hook  func()
}

func newOther(t *testing.T) *other {
	u, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp4", u.LocalAddr().String())
	if err != nil {
		t.Skip("a port is not free by TCP")
	}
	o := &other{PacketConn: u, Listener: l, ids: make(chan uint16, 16), hook: func() {}}
	t.Cleanup(func() { u.Close(); l.Close() })
	go func() {
		buf := make([]byte, 4096)
		for {
			n, from, err := u.ReadFrom(buf)
			if err != nil {
				return
			}
			a := o.answer(buf[:n])
			_, _ = u.WriteTo([]byte("noise"), from)
			forged := append([]byte(nil), a...)
			forged[0]++ // of somebody who guesses
			_, _ = u.WriteTo(forged, from)
			_, _ = u.WriteTo(a, from)
		}
	}()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if msg, err := readFramed(c); err == nil {
				_ = writeFramed(c, o.answer(msg))
			}
			c.Close()
		}
	}()
	return o
}

func (o *other) answer(msg []byte) []byte {
	o.asked.Add(1)
	o.hook()
	var m dnsmessage.Message
	if m.Unpack(msg) != nil {
		return nil
	}
	select {
	case o.ids <- m.ID:
	default:
	}
	m.Response = true
	m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET, TTL: 60}, Body: &dnsmessage.AResource{A: [4]byte{198, 51, 100, 7}}}}
	b, _ := m.Pack()
	return b
}

// dial leads everywhere to it.
func (o *other) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, o.PacketConn.LocalAddr().String())
}

// listening is a server with real sockets and a book.
func listening(t *testing.T, f *forwarder) *server {
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED: only Linux has all of 127/8")
	}
	s, err := serve()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	s.book.Store(names.NewBook([]names.Network{*office(host("web-1", "10.77.0.2")).Names}))
	s.forward.Store(f)
	return s
}

// lookUp asks as programs do, with the resolver of Go's library; with TCP it never uses UDP.
func lookUp(t *testing.T, s *server, network, name string) (string, error) {
	r := net.Resolver{PreferGo: true, StrictErrors: true, Dial: func(ctx context.Context, with, _ string) (net.Conn, error) {
		if network != "" {
			with = network
		}
		return new(net.Dialer).DialContext(ctx, with, s.at.String())
	}}
	all, err := r.LookupNetIP(t.Context(), "ip4", name)
	if len(all) == 0 {
		return "", err
	}
	return all[0].Unmap().String(), err
}

func TestProgramsAreAnsweredByUDPAndTCP(t *testing.T) {
	o := newOther(t)
	s := listening(t, &forwarder{servers: []netip.Addr{upstream}, dial: o.dial})
	for _, network := range []string{"", "tcp"} {
		for name, want := range map[string]string{"web-1.office.acme.cvlan.internal.": "10.77.0.2", "www.example.com.": "198.51.100.7"} {
			if got, err := lookUp(t, s, network, name); got != want || err != nil {
				t.Errorf("%s by %q: %q, %v", name, network, got, err)
			}
		}
		if got, err := lookUp(t, s, network, "nobody.office.acme.cvlan.internal."); err == nil || !strings.Contains(err.Error(), "no such host") {
			t.Errorf("nobody is %q, %v", got, err)
		}
	}
	if n := o.asked.Load(); n != 2 {
		t.Errorf("the other server was asked %d times", n)
	}
	if c := &s.counters; c.Answered.Load() != 4 || c.Forwarded.Load() != 2 || c.Failed.Load() != 0 {
		t.Errorf("counted %d, %d, %d", c.Answered.Load(), c.Forwarded.Load(), c.Failed.Load())
	}
	if a, b := <-o.ids, <-o.ids; a == b {
		t.Error("two questions had the same number")
	}
}

func TestWithoutAnotherServerOthersNamesAreRefused(t *testing.T) {
	s := listening(t, &forwarder{})
	if _, err := lookUp(t, s, "", "www.example.com."); err == nil || !strings.Contains(err.Error(), "server misbehaving") {
		t.Errorf("www.example.com: %v", err)
	}
}

func TestAServerThatIsGoneCostsNoName(t *testing.T) {
	o := newOther(t)
	first := true
	s := listening(t, &forwarder{servers: []netip.Addr{upstream, upstream}, dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		if first {
			first = false
			return nil, io.ErrClosedPipe
		}
		return o.dial(ctx, network, address)
	}})
	if got, err := lookUp(t, s, "tcp", "www.example.com."); got != "198.51.100.7" {
		t.Errorf("www.example.com: %q, %v", got, err)
	}
}

// TestAQuestionDoesNotRunInACircle: a name server of this machine that has read our address out of resolv.conf asks us in turn.
func TestAQuestionDoesNotRunInACircle(t *testing.T) {
	o := newOther(t)
	s := listening(t, &forwarder{servers: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, dial: o.dial})
	var circled error
	o.hook = func() { _, circled = lookUp(t, s, "tcp", "www.example.com.") }
	if got, err := lookUp(t, s, "tcp", "www.example.com."); got != "198.51.100.7" {
		t.Errorf("www.example.com: %q, %v", got, err)
	}
	if circled == nil || o.asked.Load() != 1 {
		t.Errorf("it was asked %d times, and in turn was told %v", o.asked.Load(), circled)
	}
}

func TestAConnectionThatSaysNonsenseEnds(t *testing.T) {
	s := listening(t, &forwarder{})
	c, err := net.Dial("tcp", s.at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, 3), "abc"...)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("answered with %d bytes, %v", n, err)
	}
}

func TestTwoServersShareTheAddress(t *testing.T) {
	a, b := listening(t, &forwarder{}), listening(t, &forwarder{})
	if a.at == b.at || a.at.Addr() != Address || b.at.Addr() != Address {
		t.Errorf("they listen at %s and %s", a.at, b.at)
	}
	for _, s := range []*server{a, b} {
		if got, err := lookUp(t, s, "", "web-1.office.acme.cvlan.internal."); got != "10.77.0.2" {
			t.Errorf("at %s: %q, %v", s.at, got, err)
		}
	}
}
