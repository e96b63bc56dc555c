package mark

import (
	"net"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestSocketsAreMarked(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("marking a socket needs CAP_NET_ADMIN")
	}
	lc := net.ListenConfig{Control: Control}
	c, err := lc.ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		if got, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK); err != nil || got != Value {
			t.Errorf("the mark is %#x, %v; want %#x", got, err, Value)
		}
	})
}
