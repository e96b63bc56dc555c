package fit

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
)

// cut returns all fragments of a packet.
func cut(packet []byte, mtu int) (all [][]byte) {
	var c Cutter
	if !c.Start(packet, mtu, 0xabcdef01) {
		return nil
	}
	for f := c.Next(nil); f != nil; f = c.Next(nil) {
		all = append(all, f)
	}
	return all
}

// glue puts fragments together as a receiver does, in any order, and says where the whole begins and whether its end is there.
func glue(t *testing.T, all [][]byte) (body []byte, from int, whole bool) {
	t.Helper()
	type part struct {
		at   int
		data []byte
		more bool
	}
	var parts []part
	for _, f := range all {
		flags := int(binary.BigEndian.Uint16(f[6:]))
		p := part{flags & 0x1fff * 8, f[20:], flags&0x2000 != 0}
		if f[0]>>4 == 6 {
			flags = int(binary.BigEndian.Uint16(f[42:]))
			p = part{flags &^ 7, f[48:], flags&1 != 0}
			if f[6] != protocolFragment || binary.BigEndian.Uint16(f[4:]) != uint16(len(f)-40) {
				t.Fatalf("%x", f)
			}
		} else if slowSum(f[:20], 0) != 0xffff || int(binary.BigEndian.Uint16(f[2:])) != len(f) {
			t.Fatalf("%x", f)
		}
		parts = append(parts, p)
	}
	slices.SortFunc(parts, func(a, b part) int { return a.at - b.at })
	for i, p := range parts {
		if i > 0 && p.at != parts[0].at+len(body) || p.more && len(p.data)%8 != 0 {
			t.Fatalf("a gap at %d of %d", p.at, len(body))
		}
		body = append(body, p.data...)
		if i == len(parts)-1 {
			whole = !p.more
		} else if !p.more {
			t.Fatal("two ends")
		}
	}
	return body, parts[0].at, whole
}

func TestFragmentsMakeThePacketAgain(t *testing.T) {
	payload := make([]byte, 1353)
	for i := range payload {
		payload[i] = byte(i * 7)
	}
	for name, c := range map[string]struct {
		packet  []byte
		payload []byte
	}{
		"IPv4": {fragmentable(ip4(us, them, 17, nil, payload)), payload},
		"IPv6": {ip6(us6, them6, 17, payload), payload},
	} {
		for _, mtu := range []int{56, 576, 1231, 1232, 1280, 1500} {
			all := cut(bytes.Clone(c.packet), mtu)
			body, from, whole := glue(t, all)
			if !bytes.Equal(body, c.payload) || from != 0 || !whole {
				t.Errorf("%s in %d: %d bytes from %d, whole: %v", name, mtu, len(body), from, whole)
			}
			for _, f := range all {
				if len(f) > mtu {
					t.Errorf("%s: %d bytes of %d", name, len(f), mtu)
				}
			}
			slices.Reverse(all)
			var again [][]byte // and once more, narrower
			for _, f := range all {
				again = append(again, cut(f, 56)...)
			}
			if body, _, whole := glue(t, again); !bytes.Equal(body, c.payload) || !whole {
				t.Errorf("%s in %d and again: %d bytes", name, mtu, len(body))
			}
		}
	}
}

func TestWhatMayNotBeCutIsNot(t *testing.T) {
	big := make([]byte, 1400)
	short := ip6(us6, them6, 17, big)
	for name, p := range map[string][]byte{
		"nothing":            nil,
		"DF":                 ip4(us, them, 17, nil, big),
		"options":            fragmentable(ip4(us, them, 17, []byte{1, 1, 1, 0}, big)),
		"longer than it is":  fragmentable(ip4(us, them, 17, nil, big))[:1000],
		"IPv6 cut short":     short[:1000],
		"hop by hop":         ip6(us6, them6, protocolHopByHop, big),
		"a route":            ip6(us6, them6, protocolRouting, big),
		"half a fragment":    ip6(us6, them6, protocolFragment, []byte{17, 0, 0}),
		"another version":    append([]byte{0x55}, big...),
		"a header of 6, cut": {0x60, 0, 0, 0},
	} {
		if all := cut(p, 1280); all != nil {
			t.Errorf("%s: %d fragments", name, len(all))
		}
	}
	if cut(ip6(us6, them6, 17, big), 55) != nil || cut(fragmentable(ip4(us, them, 17, nil, big)), 27) != nil {
		t.Error("cut to nothing")
	}
}

func TestCuttingAllocatesNothing(t *testing.T) {
	p, dst := fragmentable(ip4(us, them, 17, nil, make([]byte, 1353))), make([]byte, 0, 1500)
	var c Cutter
	if n := testing.AllocsPerRun(100, func() {
		c.Start(p, 1232, 1)
		for c.Next(dst) != nil {
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzCut(f *testing.F) {
	f.Add(fragmentable(ip4(us, them, 17, nil, make([]byte, 1353))), 576)
	f.Add(ip6(us6, them6, 17, make([]byte, 1240)), 1232)
	f.Add(ip6(us6, netip.MustParseAddr("ff02::1"), protocolFragment, append([]byte{17, 0, 0, 9, 1, 2, 3, 4}, make([]byte, 160)...)), 100)
	f.Fuzz(func(t *testing.T, packet []byte, mtu int) {
		before := bytes.Clone(packet)
		total := 0
		for i, f := range cut(packet, mtu) {
			if len(f) > mtu && mtu >= 0 || i > len(packet) {
				t.Fatalf("%d bytes of %d", len(f), mtu)
			}
			total += len(f)
		}
		if !bytes.Equal(packet, before) || total > 60*len(packet) {
			t.Fatal("the packet was changed")
		}
	})
}

// fragmentable is an IPv4 packet without DF.
func fragmentable(p []byte) []byte {
	p[6] &^= 0x40
	seal4(p, int(p[0]&15)*4)
	return p
}
