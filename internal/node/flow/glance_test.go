package flow

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/cvlan/cvlan/policy/filter"
)

// Packets that look plain and are not: a glance must leave them to who takes them apart.
func TestAGlanceLeavesWhatIsNotPlain(t *testing.T) {
	s := newStory(t)
	good4, good6 := s.tcp(s.a, 40000, 443, ack), packet(s.a.addr6, s.b.addr6, filter.UDP, udp(1, 2, 8))
	mapped := packet(s.a.addr6, s.b.addr6, filter.TCP, tcp(40000, 443, ack))
	for _, at := range []int{8, 24} {
		a := netip.AddrFrom16(s.a.addr.As16()).As16()
		copy(mapped[at:], a[:])
	}
	with := func(b []byte, change func([]byte)) []byte {
		b = append([]byte(nil), b...)
		change(b)
		return b
	}
	for name, b := range map[string][]byte{
		"a length below the header's":  with(good4, func(b []byte) { binary.BigEndian.PutUint16(b[2:], 19) }),
		"a length of nothing":          with(good4, func(b []byte) { binary.BigEndian.PutUint16(b[2:], 0) }),
		"a length beyond the end":      with(good4, func(b []byte) { binary.BigEndian.PutUint16(b[2:], 41) }),
		"a length beyond the end 6":    with(good6, func(b []byte) { binary.BigEndian.PutUint16(b[4:], 17) }),
		"a TCP header beyond the end":  with(good4, func(b []byte) { b[32] = 6 << 4 }),
		"a TCP header too short":       with(good4, func(b []byte) { b[32] = 4 << 4 }),
		"options":                      with(good4, func(b []byte) { b[0] = 0x46 }),
		"a first fragment":             with(good4, func(b []byte) { b[6] = 0x20 }),
		"a later fragment":             with(good4, func(b []byte) { b[7] = 1 }),
		"a SYN":                        s.tcp(s.a, 40000, 443, syn),
		"a FIN":                        s.tcp(s.a, 40000, 443, finAck),
		"no ACK":                       s.tcp(s.a, 40000, 443, 8),
		"another protocol":             s.send(s.a, 47, make([]byte, 30)),
		"an extension header":          with(good6, func(b []byte) { b[6] = 0 }),
		"IPv4 that is mapped":          mapped,
		"no version":                   with(good4, func(b []byte) { b[0] = 0x75 }),
		"half a UDP header":            packet(s.a.addr6, s.b.addr6, filter.UDP, make([]byte, 7)),
		"a UDP header beyond its size": with(good6, func(b []byte) { binary.BigEndian.PutUint16(b[4:], 7) }),
	} {
		var k key
		begins := name == "a SYN" || name == "a FIN" || name == "no ACK"
		if flags, plain := glance(b, len(b), true, &k); plain != begins || plain && quiet(k.proto(), flags) {
			t.Errorf("%s: plain=%v, flags %x", name, plain, flags)
		}
	}
	for name, b := range map[string][]byte{"TCP": good4, "UDP": good6} {
		var k key
		if flags, plain := glance(b, len(b), true, &k); !plain || !quiet(k.proto(), flags) {
			t.Errorf("%s is not plain", name)
		}
	}
	var k key
	train := with(good4, func(b []byte) { binary.BigEndian.PutUint16(b[2:], 60000) })
	_, fits := glance(train, 60000, true, &k)
	if _, long := glance(train, 59999, true, &k); !fits || long {
		t.Error("a train is as long as its header says")
	}
}
