package fit

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
)

// mss is the option, and what most hosts send with it.
func mss(n uint16) []byte { return []byte{2, 4, byte(n >> 8), byte(n), 4, 2, 1, 3, 3, 7, 1, 0} }

func TestASYNAnnouncesNoMoreThanFits(t *testing.T) {
	odd := []byte{1, 2, 4, 5, 0xb4, 1, 1, 0}
	twice := []byte{2, 4, 5, 0xb4, 1, 2, 4, 0xff, 0xff, 1, 1, 0}
	for name, c := range map[string]struct {
		from, to      netip.Addr
		flags         byte
		options, want []byte
	}{
		"SYN":               {us, them, 2, mss(1460), mss(1260)},
		"SYN ACK":           {us, them, 0x12, mss(1460), mss(1260)},
		"one byte too many": {us, them, 2, mss(1261), mss(1260)},
		"what fits":         {us, them, 2, mss(1260), mss(1260)},
		"none at all":       {us, them, 2, []byte{4, 2, 1, 1}, []byte{4, 2, 1, 1}},
		"no options":        {us, them, 2, nil, nil},
		"an odd place":      {us, them, 2, odd, []byte{1, 2, 4, 0x04, 0xec, 1, 1, 0}},
		"two of them":       {us, them, 2, twice, []byte{2, 4, 0x04, 0xec, 1, 2, 4, 0x04, 0xec, 1, 1, 0}},
		"no SYN":            {us, them, 0x10, mss(1460), mss(1460)},
		"behind the end":    {us, them, 2, append([]byte{1, 1, 1, 0}, mss(1460)...), append([]byte{1, 1, 1, 0}, mss(1460)...)},
		"a wrong length":    {us, them, 2, []byte{2, 3, 5, 0xb4}, []byte{2, 3, 5, 0xb4}},
		"the first of two":  {us, them, 2, []byte{2, 4, 5, 0xb4, 2, 4, 0, 1}, []byte{2, 4, 0x04, 0xec, 2, 4, 0, 1}},
		"behind nonsense":   {us, them, 2, append([]byte{5, 1}, mss(1460)[:10]...), append([]byte{5, 1}, mss(1460)[:10]...)},
		"cut short":         {us, them, 2, []byte{1, 1, 2, 4}, []byte{1, 1, 2, 4}},
		"IPv6":              {us6, them6, 2, mss(1440), mss(1240)},
	} {
		for _, partial := range []bool{false, true} {
			wrap := func(options []byte) []byte {
				h := syn(c.from, c.to, c.flags, options)
				if partial {
					binary.BigEndian.PutUint16(h[16:], pseudo(c.from, c.to, 6, len(h)))
				}
				if c.from.Is4() {
					return ip4(c.from, c.to, 6, nil, h)
				}
				return ip6(c.from, c.to, 6, h)
			}
			got, want := wrap(c.options), wrap(c.want)
			changed := ClampMSS(got, 1300, partial)
			if !bytes.Equal(got, want) || changed == bytes.Equal(c.options, c.want) {
				t.Errorf("%s, partial %v: changed: %v\n%x, want\n%x", name, partial, changed, got, want)
			}
		}
	}
}

func TestASYNBehindOtherHeadersIsFound(t *testing.T) {
	p := ip4(us, them, 6, []byte{1, 1, 1, 0}, syn(us, them, 2, mss(1460)))
	if !ClampMSS(p, 1300, false) || !bytes.Equal(p[24:], syn(us, them, 2, mss(1260))) {
		t.Errorf("behind IPv4 options: %x", p)
	}
	p = ip6(us6, them6, 60, append([]byte{6, 0, 1, 4, 0, 0, 0, 0}, syn(us6, them6, 2, mss(1460))...))
	if !ClampMSS(p, 1300, false) || !bytes.Equal(p[48:], syn(us6, them6, 2, mss(1240))) {
		t.Errorf("behind an extension header: %x", p)
	}
}

func TestWhatIsNoSYNIsLeftAlone(t *testing.T) {
	s := syn(us, them, 2, mss(1460))
	later, tiny := ip4(us, them, 6, nil, s), ip4(us, them, 6, nil, s)
	later[7] = 1
	tiny[0], tiny[28], tiny[29] = 0x44, 0x90, 2 // it would be a SYN at 16, with options that can be read
	copy(tiny[36:], []byte{1, 1, 1, 1})
	short := syn(us, them, 2, mss(1460))
	short[12] = 0x40
	for name, p := range map[string][]byte{
		"nothing":              nil,
		"UDP":                  ip4(us, them, 17, nil, s),
		"UDP over IPv6":        ip6(us6, them6, 17, s),
		"a later fragment":     later,
		"a later piece":        ip6(us6, them6, 44, append([]byte{6, 0, 0, 8, 0, 0, 0, 0}, s...)),
		"a tiny IPv4 header":   tiny,
		"a tiny TCP header":    ip4(us, them, 6, nil, short),
		"half a TCP header":    ip4(us, them, 6, []byte{1, 1, 1, 0}, s[:19]),
		"less than the flags":  ip4(us, them, 6, make([]byte, 40), s[:10]),
		"half of the options":  ip4(us, them, 6, nil, s[:28]),
		"half of an extension": ip6(us6, them6, 60, []byte{6, 1, 1, 4, 0, 0, 0, 0}),
		"another version":      append([]byte{0x50}, make([]byte, 100)...),
	} {
		before := bytes.Clone(p)
		if ClampMSS(p, 1300, false) || !bytes.Equal(p, before) {
			t.Errorf("%s was changed", name)
		}
	}
}

func TestAnMSSIsNeverLoweredToNothing(t *testing.T) {
	for mtu, want := range map[int]uint16{-1: 64, 0: 64, 60: 64, 104: 64, 105: 65, 65535 + 40: 65535, 1 << 20: 65535} {
		p := ip4(us, them, 6, nil, syn(us, them, 2, mss(65535)))
		ClampMSS(p, mtu, false)
		if !bytes.Equal(p[20:], syn(us, them, 2, mss(want))) {
			t.Errorf("mtu %d: %x", mtu, p[40:44])
		}
	}
}

// The checksum stays as right or as wrong as it was, whatever the values are.
func TestEveryMSSKeepsItsChecksum(t *testing.T) {
	for old := 1; old < 1<<16; old += 37 {
		for mtu := 41 + old%100; mtu < old+40; mtu += 997 {
			p := ip4(us, them, 6, nil, syn(us, them, 2, mss(uint16(old))))
			ClampMSS(p, mtu, false)
			if sum := slowSum(p[20:], pseudo(us, them, 6, len(p)-20)); sum != 0xffff {
				t.Fatalf("%d to mtu %d: sum %#x", old, mtu, sum)
			}
		}
	}
}

func FuzzClampMSS(f *testing.F) {
	f.Add(ip4(us, them, 6, nil, syn(us, them, 2, mss(1460))), 1300, false)
	f.Add(ip6(us6, them6, 60, append([]byte{6, 0, 1, 4, 0, 0, 0, 0}, syn(us6, them6, 0x12, []byte{1, 2, 4, 5, 0xb4, 1, 1, 0})...)), 1280, true)
	f.Fuzz(func(t *testing.T, packet []byte, mtu int, partial bool) {
		before := bytes.Clone(packet)
		changed := ClampMSS(packet, mtu, partial)
		if changed == bytes.Equal(packet, before) {
			t.Fatalf("changed: %v\n%x was\n%x", changed, packet, before)
		}
		if ClampMSS(packet, mtu, partial) {
			t.Fatalf("changed again: %x", packet)
		}
		// All that a checksum is over sums to the same as before, but for the option where it is partial.
		if changed && !partial && slowSum(packet, 0)%0xffff != slowSum(before, 0)%0xffff {
			t.Fatalf("another sum: %x was\n%x", packet, before)
		}
	})
}

func BenchmarkClampMSS(b *testing.B) {
	for name, p := range map[string][]byte{
		"SYN":  ip4(us, them, 6, nil, syn(us, them, 2, mss(1260))),
		"TCP":  ip4(us, them, 6, nil, syn(us, them, 0x10, mss(1460))),
		"UDP6": ip6(us6, them6, 17, make([]byte, 100)),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				ClampMSS(p, 1300, false)
			}
		})
	}
}

func BenchmarkTooBig(b *testing.B) {
	p, dst := ip4(us, them, 17, nil, make([]byte, 1400)), make([]byte, 0, Room)
	for b.Loop() {
		TooBig(dst, p, 1300, gate)
	}
}
