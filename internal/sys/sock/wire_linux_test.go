package sock

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// parse reads a message to send as the kernel would.
func parse(h *unix.Msghdr) shot {
	s := shot{data: int(h.Iov.Len), to: (*name)(unsafe.Pointer(h.Name)).get()}
	control := unsafe.Slice(h.Control, int(h.Controllen))
	all, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		panic(err)
	}
	for _, c := range all {
		switch {
		case c.Header.Level == unix.IPPROTO_UDP && c.Header.Type == unix.UDP_SEGMENT && len(c.Data) == 2:
			s.segment = int(binary.NativeEndian.Uint16(c.Data))
		case c.Header.Level == unix.IPPROTO_IPV6 && c.Header.Type == unix.IPV6_PKTINFO && len(c.Data) == unix.SizeofInet6Pktinfo:
			s.from = netip.AddrFrom16([16]byte(c.Data)).Unmap()
		default:
			panic("control message of an unknown kind")
		}
	}
	return s
}

func TestNamesComeBack(t *testing.T) {
	for _, s := range []string{"192.0.2.1:1", "255.255.255.255:65535", "[2001:db8::1]:258", "[::]:9", "[::1]:65280"} {
		at := netip.MustParseAddrPort(s)
		for _, only4 := range []bool{false, true} {
			if only4 && at.Addr().Is6() {
				continue
			}
			n := name{Family: unix.AF_INET6}
			if only4 {
				n.Family = unix.AF_INET
			}
			if n.set(at, only4); n.get() != at {
				t.Errorf("%v came back as %v", at, n.get())
			}
			var c sendControl
			c.prepare(only4)
			if c.source.setSource(at.Addr(), only4); c.source.getSource(only4) != at.Addr() {
				t.Errorf("%v came back as %v", at.Addr(), c.source.getSource(only4))
			}
		}
	}
}

// The structs are what CMSG_LEN and CMSG_SPACE say.
func TestControlDataIsLaidOutAsTheKernelReadsIt(t *testing.T) {
	if segmentSpace != unix.CmsgSpace(2) || sourceSpace(false) != unix.CmsgSpace(unix.SizeofInet6Pktinfo) || sourceSpace(true) != unix.CmsgSpace(unix.SizeofInet4Pktinfo) {
		t.Error("space", segmentSpace, sourceSpace(false), sourceSpace(true))
	}
	var c sendControl
	if int(unsafe.Offsetof(c.segment.size)) != unix.CmsgLen(0) || int(unsafe.Offsetof(c.source.Inet6Pktinfo)) != unix.CmsgLen(0) {
		t.Error("data does not follow the header")
	}
	if need := unix.CmsgSpace(unix.SizeofInet6Pktinfo) + unix.CmsgSpace(4); need > controlRoom {
		t.Error("room for", controlRoom, "bytes, the kernel writes", need)
	}
}

// control builds what the kernel tells.
func control(level, kind int32, data ...byte) []byte {
	b := make([]byte, unix.CmsgSpace(len(data)))
	h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
	h.Level, h.Type = level, kind
	h.SetLen(unix.CmsgLen(len(data)))
	copy(b[unix.CmsgLen(0):], data)
	return b
}

func info4(b ...byte) []byte {
	return control(unix.IPPROTO_IP, unix.IP_PKTINFO, append(append([]byte{1, 0, 0, 0}, b...), 10, 0, 0, 255)...)
}

func info6(a string) []byte {
	b := netip.MustParseAddr(a).As16()
	return control(unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, append(b[:], 1, 0, 0, 0)...)
}

func gro(size int32) []byte {
	return control(unix.IPPROTO_UDP, unix.UDP_GRO, binary.NativeEndian.AppendUint32(nil, uint32(size))...)
}

func join(parts ...[]byte) (all []byte) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func TestControlDataIsRead(t *testing.T) {
	for _, c := range []struct {
		control []byte
		local   string
		segment int
	}{
		{nil, "", 0},
		{gro(1400), "", 1400},
		{info6("::ffff:192.0.2.1"), "192.0.2.1", 0},
		{join(gro(1400), info6("2001:db8::1")), "2001:db8::1", 1400},
		{join(info4(192, 0, 2, 1), gro(7)), "192.0.2.1", 7},
		{join(control(unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1, 2, 3, 4), gro(8)), "", 8},
		{join(gro(9), []byte{1, 2, 3}), "", 9},
		{gro(9)[:unix.CmsgLen(3)], "", 0},
		{control(unix.IPPROTO_UDP, unix.UDP_GRO, 1), "", 0},
	} {
		local, segment := readControl(c.control)
		if want := c.local; local.IsValid() != (want != "") || local.IsValid() && local != netip.MustParseAddr(want) || segment != c.segment {
			t.Errorf("% x: %v, %d; want %q, %d", c.control, local, segment, want, c.segment)
		}
	}
}

// Whatever the control data is, reading it ends, inside of it.
func FuzzControl(f *testing.F) {
	f.Add(join(gro(1400), info6("2001:db8::1")))
	f.Add(join(info4(192, 0, 2, 1), gro(7)))
	f.Add(gro(9)[:unix.CmsgLen(3)])
	f.Fuzz(func(t *testing.T, b []byte) {
		exact := append(make([]byte, 0, len(b)), b...)
		local, _ := readControl(exact[:len(b):len(b)])
		if local.Is4In6() {
			t.Error("a mapped address")
		}
	})
}
