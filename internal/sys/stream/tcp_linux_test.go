package stream

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Both ends of a connection that we make send short segments, whatever the network on the way.
func TestSegmentsPassEveryPath(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ours, err := dialTCP(t.Context(), addrPort(l.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	theirs, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	for name, c := range map[string]net.Conn{"ours": ours, "theirs": theirs} {
		raw, err := c.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		raw.Control(func(fd uintptr) {
			if n, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_MAXSEG); err != nil || n > leastSegment {
				t.Errorf("%s: %d bytes (%v)", name, n, err)
			}
		})
	}
}

// The system says how long ago the other end has shown itself.
func TestTheSystemKnowsWhenAPeerWasHeard(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	before := time.Now()
	ours, err := dialTCP(t.Context(), addrPort(l.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	const tick = 20 * time.Millisecond // of the kernel's clock, twice the coarsest
	if age, ok := unheard(ours); !ok || age > time.Since(before)+tick {
		t.Error(age, ok)
	}
	ours.Close()
	if age, ok := unheard(ours); ok {
		t.Error("of a closed connection:", age)
	}
}
