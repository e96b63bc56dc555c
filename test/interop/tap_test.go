//go:build interop && linux

package interop

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/cvlan/cvlan/internal/core/wg"
)

// tap hears what one side sends to another and receives from it. Nothing is decrypted.
type tap struct {
	file   *os.File
	remote netip.Addr // zero: everybody
	done   sync.WaitGroup

	mu    sync.Mutex
	heard []message
}

// message is one WireGuard message on the wire.
type message struct {
	out    bool // sent by the side that is heard
	kind   wg.Kind
	size   int  // bytes
	proven bool // a handshake message that carries a cookie's MAC
}

// tap begins to listen at a side's network card, until the story ends.
func (w *world) tap(at, remote *side) *tap {
	w.t.Helper()
	t := &tap{remote: remote.outer}
	w.must(at.host.Do(func() (err error) { t.file, err = openTap("eth0"); return err }))
	t.done.Go(t.listen)
	w.t.Cleanup(func() { t.file.Close(); t.done.Wait() })
	return t
}

// count is how many messages of a kind went out or came in.
func (t *tap) count(kind wg.Kind, out bool) int {
	return t.countIf(func(m message) bool { return m.kind == kind && m.out == out })
}

func (t *tap) countIf(want func(message) bool) (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range t.heard {
		if want(m) {
			n++
		}
	}
	return n
}

// initiations are those of both ways.
func (t *tap) initiations() int {
	return t.countIf(func(m message) bool { return m.kind == wg.KindInitiation })
}

// String lists the handshake messages in order, those that came in as "<".
func (t *tap) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	names := map[wg.Kind]string{wg.KindInitiation: "initiation", wg.KindResponse: "response", wg.KindCookie: "cookie"}
	s := ""
	for _, m := range t.heard {
		if name := names[m.kind]; name != "" {
			s += fmt.Sprintf(" %s%s", map[bool]string{true: ">", false: "<"}[m.out], name)
			if m.proven {
				s += "+"
			}
		}
	}
	return "on the wire:" + s
}

// openTap makes a packet socket, on a thread in the host.
func openTap(card string) (*os.File, error) {
	i, err := net.InterfaceByName(card)
	if err != nil {
		return nil, err
	}
	all := uint16(unix.ETH_P_ALL)<<8 | uint16(unix.ETH_P_ALL)>>8 // in network order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, int(all))
	if err != nil {
		return nil, fmt.Errorf("open a packet socket: %w", err)
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20) // without it a burst may go unheard
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: i.Index}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("listen at %s: %w", card, err)
	}
	return os.NewFile(uintptr(fd), "tap"), nil
}

func (t *tap) listen() {
	conn, err := t.file.SyscallConn()
	if err != nil {
		return
	}
	buf := make([]byte, 65536)
	for {
		var n int
		var from unix.Sockaddr
		err := conn.Read(func(fd uintptr) bool {
			var err error
			n, from, err = unix.Recvfrom(int(fd), buf, 0)
			return err != unix.EAGAIN
		})
		if err != nil {
			return // closed
		}
		if l, ok := from.(*unix.SockaddrLinklayer); ok && n > 0 {
			t.note(buf[:n], l.Pkttype == unix.PACKET_OUTGOING)
		}
	}
}

func (t *tap) note(packet []byte, out bool) {
	src, dst, payload := udp(packet)
	remote := src
	if out {
		remote = dst
	}
	kind := wg.KindOf(payload)
	if kind == wg.KindNone || t.remote.IsValid() && remote.Addr() != t.remote {
		return
	}
	m := message{out: out, kind: kind, size: len(payload)}
	if kind == wg.KindInitiation || kind == wg.KindResponse {
		m.proven = [16]byte(payload[len(payload)-16:]) != [16]byte{}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.heard = append(t.heard, m)
}

// udp takes an IP packet apart; payload is nil if it is no UDP, or a later fragment.
func udp(p []byte) (src, dst netip.AddrPort, payload []byte) {
	var from, to netip.Addr
	switch {
	case len(p) >= 20 && p[0]>>4 == 4 && p[9] == unix.IPPROTO_UDP && binary.BigEndian.Uint16(p[6:])&0x1fff == 0:
		from, to = netip.AddrFrom4([4]byte(p[12:16])), netip.AddrFrom4([4]byte(p[16:20]))
		p = p[min(len(p), int(p[0]&15)*4):]
	case len(p) >= 40 && p[0]>>4 == 6 && p[6] == unix.IPPROTO_UDP:
		from, to = netip.AddrFrom16([16]byte(p[8:24])), netip.AddrFrom16([16]byte(p[24:40]))
		p = p[40:]
	default:
		return src, dst, nil
	}
	if len(p) < 8 {
		return src, dst, nil
	}
	return netip.AddrPortFrom(from, binary.BigEndian.Uint16(p)), netip.AddrPortFrom(to, binary.BigEndian.Uint16(p[2:])), p[8:]
}
