package quicx

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// eight are messages as quic-go reads into.
func eight() []ipv4.Message {
	ms := make([]ipv4.Message, 8)
	for i := range ms {
		ms[i].Buffers, ms[i].OOB = [][]byte{make([]byte, maxPacket)}, make([]byte, 128)
	}
	return ms
}

// What a gatherer sends arrives one by one and in order, whether the system hands it out in trains or not.
func TestWhatArrivesTogetherIsHandedOutOneByOne(t *testing.T) {
	for _, together := range []bool{true, false} {
		here, there := socketOf(t), socketOf(t)
		var came []netip.AddrPort
		tell := func(from netip.AddrPort) { came = append(came, from) }
		g, s := newGatherer(there, ipv4.NewPacketConn(there).WriteBatch), scattered(here, tell)
		if !s.together {
			t.Skip("the system hands out no trains")
		}
		if !together {
			s = &scatterer{read: ipv4.NewPacketConn(here).ReadBatch, came: tell}
			rc, _ := here.SyscallConn()
			rc.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_GRO, 0) })
		}
		reads, read := 0, s.read
		s.read = func(ms []ipv4.Message, flags int) (int, error) { reads++; return read(ms, flags) }
		out := []ipv4.Message{{Buffers: make([][]byte, 1)}}
		var sent [][]byte
		for i, size := range []int{1326, maxPacket, 40, 900} { // each a train with a shorter end
			for range 12 {
				sent = append(sent, bytes.Repeat([]byte{byte(len(sent))}, size))
			}
			sent = append(sent, bytes.Repeat([]byte{byte(len(sent))}, 10+i))
			for _, b := range sent[13*i:] {
				if _, _, err := g.WriteMsgUDP(b, nil, addrOf(here)); err != nil {
					t.Fatal(err)
				}
			}
			for g.turn(out) {
			}
		}
		ms := eight()
		for len(sent) > 0 {
			n, err := s.ReadBatch(ms, 0)
			if err != nil || n == 0 {
				t.Fatal(n, err)
			}
			if len(came) == 0 {
				t.Error("nobody was told of what is handed out")
			}
			for _, m := range ms[:n] {
				if !bytes.Equal(m.Buffers[0][:m.N], sent[0]) {
					t.Fatalf("%d of %d bytes of %d are left", m.N, len(sent[0]), len(sent))
				}
				if AddrPort(m.Addr) != AddrPort(there.LocalAddr()) {
					t.Error(m.Addr)
				}
				sent = sent[1:]
			}
		}
		if together && reads != 1 {
			t.Errorf("%d calls of the system for four trains", reads)
		}
		if want := map[bool]int{true: 4, false: 4 * 13}[together]; len(came) != want || slices.ContainsFunc(came, func(a netip.AddrPort) bool { return a != AddrPort(there.LocalAddr()) }) {
			t.Errorf("told %d times, want %d: %v", len(came), want, came)
		}
	}
}

func TestALongDatagramIsCutAndAnEmptyOneLeftOut(t *testing.T) {
	here, there := socketOf(t), socketOf(t)
	s := scattered(here, nil)
	if !s.together {
		t.Skip("the system hands out no trains")
	}
	for _, size := range []int{0, 3000, 7} {
		if _, err := there.WriteToUDP(make([]byte, size), addrOf(here)); err != nil {
			t.Fatal(err)
		}
	}
	var got []int
	for ms := eight(); len(got) < 2; {
		n, err := s.ReadBatch(ms, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range ms[:n] {
			got = append(got, m.N)
		}
	}
	if !slices.Equal(got, []int{maxPacket, 7}) {
		t.Error(got)
	}
}

func TestTheSizeIsTakenOutOfControlData(t *testing.T) {
	message := func(level, kind int32, data ...byte) []byte {
		b := make([]byte, unix.CmsgSpace(len(data)))
		head := unix.Cmsghdr{Level: level, Type: kind}
		head.SetLen(unix.CmsgLen(len(data)))
		binary.Encode(b, binary.NativeEndian, head)
		copy(b[unix.CmsgLen(0):], data)
		return b
	}
	size := func(n uint32) []byte {
		return message(unix.IPPROTO_UDP, unix.UDP_GRO, binary.NativeEndian.AppendUint32(nil, n)...)
	}
	tos, short := message(unix.IPPROTO_IP, unix.IP_TOS, 3), message(unix.IPPROTO_UDP, unix.UDP_GRO, 1, 2)
	for i, c := range []struct {
		control, rest []byte
		size          int
	}{
		{nil, nil, 0},
		{tos, tos, 0},
		{size(1300), nil, 1300},
		{slices.Concat(size(1300), tos), tos, 1300},
		{slices.Concat(tos, size(1300)), tos, 1300},
		{slices.Concat(tos, size(1300), tos), slices.Concat(tos, tos), 1300},
		{short, short, 0},
		{size(1 << 31), nil, 0},
		{tos[:10], tos[:10], 0},
	} {
		if rest, size := takeSize(slices.Clone(c.control)); !bytes.Equal(rest, c.rest) || size != c.size {
			t.Errorf("case %d: %x, %d", i, rest, size)
		}
	}
}
