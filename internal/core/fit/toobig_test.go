package fit

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/cvlan/cvlan/internal/core/offload"
)

func TestTheSourceOfAPacketIsToldWhatFits(t *testing.T) {
	packet := ip4(us, them, 17, nil, make([]byte, 1400))
	m := TooBig(nil, packet, 1300, gate)
	if len(m) != 576 || int(binary.BigEndian.Uint16(m[2:])) != len(m) {
		t.Fatalf("%d bytes, and IP says %d", len(m), binary.BigEndian.Uint16(m[2:]))
	}
	if slowSum(m[:20], 0) != 0xffff || slowSum(m[20:], 0) != 0xffff {
		t.Error("a checksum is wrong")
	}
	if m[0] != 0x45 || m[9] != 1 || m[20] != 3 || m[21] != 4 || binary.BigEndian.Uint16(m[26:]) != 1300 {
		t.Errorf("not the message: %x", m[:28])
	}
	if !bytes.Equal(m[12:16], gate.AsSlice()) || !bytes.Equal(m[16:20], us.AsSlice()) || !bytes.Equal(m[28:], packet[:548]) {
		t.Errorf("not from, to and of whom it should be: %x", m)
	}
}

func TestTheSourceOfAnIPv6PacketIsToldWhatFits(t *testing.T) {
	packet := ip6(us6, them6, 17, make([]byte, 1400))
	m := TooBig([]byte("before"), packet, 1400, gate6)
	if string(m[:6]) != "before" {
		t.Error("what was there is gone")
	}
	m = m[6:]
	if len(m) != 1280 || int(binary.BigEndian.Uint16(m[4:])) != len(m)-40 || slowSum(m[40:], pseudo(gate6, us6, 58, len(m)-40)) != 0xffff {
		t.Fatalf("%d bytes, or a wrong checksum: %x", len(m), m[:48])
	}
	if m[0] != 0x60 || m[6] != 58 || m[40] != 2 || m[41] != 0 || binary.BigEndian.Uint32(m[44:]) != 1400 {
		t.Errorf("not the message: %x", m[:48])
	}
	if !bytes.Equal(m[8:24], gate6.AsSlice()) || !bytes.Equal(m[24:40], us6.AsSlice()) || !bytes.Equal(m[48:], packet[:1232]) {
		t.Errorf("not from, to and of whom it should be: %x", m)
	}
}

func TestASmallPacketIsQuotedWhole(t *testing.T) {
	packet := ip4(us, them, 17, []byte{1, 1, 1, 0}, make([]byte, 80))
	if m := TooBig(nil, packet, 100, gate); len(m) != 28+104 || !bytes.Equal(m[28:], packet) {
		t.Errorf("%x", m)
	}
}

func TestTheMessageComesFromTheDestinationIfThereIsNoBetterAddress(t *testing.T) {
	for _, from := range []netip.Addr{{}, gate6} {
		if m := TooBig(nil, ip4(us, them, 17, nil, make([]byte, 1400)), 1300, from); !bytes.Equal(m[12:16], them.AsSlice()) {
			t.Errorf("from %v", m[12:16])
		}
	}
	mapped := netip.AddrFrom16(gate.As16())
	if m := TooBig(nil, ip4(us, them, 17, nil, make([]byte, 1400)), 1300, mapped); !bytes.Equal(m[12:16], gate.AsSlice()) {
		t.Errorf("from %v", m[12:16])
	}
	for _, from := range []netip.Addr{{}, gate, mapped} {
		if m := TooBig(nil, ip6(us6, them6, 17, make([]byte, 1400)), 1300, from); !bytes.Equal(m[8:24], them6.AsSlice()) {
			t.Errorf("from %x", m[8:24])
		}
	}
}

func TestNobodyIsToldLessThanIPGuarantees(t *testing.T) {
	if m := TooBig(nil, ip6(us6, them6, 17, make([]byte, 1400)), 1000, gate6); binary.BigEndian.Uint32(m[44:]) != 1280 {
		t.Errorf("%d", binary.BigEndian.Uint32(m[44:]))
	}
	if m := TooBig(nil, ip6(us6, them6, 17, make([]byte, 1240)), 1000, gate6); m != nil {
		t.Error("1280 bytes are too many, and nothing can be done about it")
	}
	if m := TooBig(nil, ip4(us, them, 17, nil, make([]byte, 1400)), -5, gate); binary.BigEndian.Uint16(m[26:]) != 68 {
		t.Errorf("%d", binary.BigEndian.Uint16(m[26:]))
	}
}

// Errors about errors would go on for ever, and errors to groups would be answered by all (RFC 1812, section 4.3.2.7; RFC 4443, section
// 2.4 (e)).
func TestWhatIsNotAnswered(t *testing.T) {
	addr := netip.MustParseAddr
	large := make([]byte, 1400)
	icmp := func(kind byte) []byte { return append([]byte{kind}, large...) }
	udp := func() []byte { return ip4(us, them, 17, nil, large) }
	change := func(at int, to byte) []byte { p := udp(); p[at] = to; seal4(p, 20); return p }
	behind := func(kind byte) []byte { return append([]byte{58, 0, 1, 4, 0, 0, 0, 0}, icmp(kind)...) }
	piece := func(offset, kind byte) []byte {
		return append([]byte{58, 0, 0, offset, 0, 0, 0, 0}, icmp(kind)...)
	}
	wrong := udp()
	wrong[10]++

	for name, c := range map[string]struct {
		packet []byte
		told   bool
	}{
		"any":                            {udp(), true},
		"nothing":                        {nil, false},
		"what fits":                      {ip4(us, them, 17, nil, large[:1280]), false},
		"what just does not fit":         {ip4(us, them, 17, nil, large[:1281]), true},
		"what may be fragmented":         {change(6, 0), false},
		"a first fragment":               {change(6, 0x60), true},
		"a later fragment":               {change(7, 1), false},
		"a wrong checksum":               {wrong, false},
		"a wrong length":                 {udp()[:1390], false},
		"no IP":                          {append([]byte{0x30}, large...), false},
		"a broadcast":                    {ip4(us, addr("255.255.255.255"), 17, nil, large), false},
		"a group":                        {ip4(us, addr("239.0.0.1"), 17, nil, large), false},
		"nobody":                         {ip4(addr("0.0.0.0"), them, 17, nil, large), false},
		"from a group":                   {ip4(addr("224.0.0.1"), them, 17, nil, large), false},
		"from itself":                    {ip4(addr("127.0.0.1"), them, 17, nil, large), false},
		"an echo":                        {ip4(us, them, 1, nil, icmp(8)), true},
		"an unreachable":                 {ip4(us, them, 1, nil, icmp(3)), false},
		"a redirect":                     {ip4(us, them, 1, nil, icmp(5)), false},
		"time exceeded":                  {ip4(us, them, 1, nil, icmp(11)), false},
		"an ICMP nobody knows":           {ip4(us, them, 1, nil, icmp(99)), false},
		"IPv6":                           {ip6(us6, them6, 17, large), true},
		"IPv6 that fits":                 {ip6(us6, them6, 17, large[:1260]), false},
		"IPv6 with a wrong length":       {ip6(us6, them6, 17, large)[:1400], false},
		"IPv6 to a group":                {ip6(us6, addr("ff02::1"), 17, large), true},
		"IPv6 from nobody":               {ip6(addr("::"), them6, 17, large), false},
		"IPv6 from a group":              {ip6(addr("ff02::1"), them6, 17, large), false},
		"IPv6 from itself":               {ip6(addr("::1"), them6, 17, large), false},
		"an IPv6 echo":                   {ip6(us6, them6, 58, icmp(128)), true},
		"an IPv6 error":                  {ip6(us6, them6, 58, icmp(1)), false},
		"an IPv6 error nobody knows":     {ip6(us6, them6, 58, icmp(127)), false},
		"an IPv6 redirect":               {ip6(us6, them6, 58, icmp(137)), false},
		"an IPv6 error behind options":   {ip6(us6, them6, 60, behind(2)), false},
		"an IPv6 echo behind options":    {ip6(us6, them6, 60, behind(128)), true},
		"a first fragment of an error":   {ip6(us6, them6, 44, piece(1, 2)), false},
		"a later fragment of who knows?": {ip6(us6, them6, 44, piece(8, 2)), true},
		"an IPv6 message without one":    {ip6(us6, them6, 60, append([]byte{58, 159}, make([]byte, 1278)...)), false},
		"IPv6 without end":               {ip6(us6, them6, 60, bytes.Repeat([]byte{60, 0, 1, 4, 0, 0, 0, 0}, 170)), false},
	} {
		mtu, from := 1300, gate
		if len(c.packet) > 0 && c.packet[0]>>4 == 6 {
			from = gate6
		}
		if got := TooBig(nil, c.packet, mtu, from) != nil; got != c.told {
			t.Errorf("%s: told: %v", name, got)
		}
	}
	if TooBig(nil, ip6(us6, addr("ff02::1"), 17, large), 1300, gate) != nil {
		t.Error("a message came from a group")
	}
}

func TestTheLargestPacketHasToFit(t *testing.T) {
	for _, c := range []struct {
		u    offload.Super
		want int
	}{
		{offload.Super{Packet: make([]byte, 1234)}, 1234},
		{offload.Super{Packet: make([]byte, 5000), Layout: offload.Layout{Protocol: offload.TCP, Headers: 52, Segment: 1400}}, 1452},
		{offload.Super{Packet: make([]byte, 1000), Layout: offload.Layout{Protocol: offload.TCP, Headers: 52, Segment: 1400}}, 1000},
	} {
		if got := Size(&c.u); got != c.want {
			t.Errorf("%d, want %d", got, c.want)
		}
	}
}

func TestAMessageCostsNoAllocation(t *testing.T) {
	four, six, dst := ip4(us, them, 17, nil, make([]byte, 1400)), ip6(us6, them6, 17, make([]byte, 1400)), make([]byte, 0, Room)
	if n := testing.AllocsPerRun(100, func() {
		if TooBig(dst, four, 1300, gate) == nil || TooBig(dst, six, 1300, gate6) == nil || TooBig(dst, six, 1300, netip.Addr{}) == nil {
			t.Fatal("nobody is told")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzTooBig(f *testing.F) {
	f.Add(ip4(us, them, 17, []byte{1, 1, 1, 0}, make([]byte, 80)), 70, false)
	f.Add(ip6(us6, them6, 60, append([]byte{58, 0, 1, 4, 0, 0, 0, 0, 128}, make([]byte, 1250)...)), 1280, true)
	f.Fuzz(func(t *testing.T, packet []byte, mtu int, six bool) {
		from := gate
		if six {
			from = gate6
		}
		before := bytes.Clone(packet)
		m := TooBig(make([]byte, 0, Room), packet, mtu, from)
		if !bytes.Equal(packet, before) {
			t.Fatal("the packet was written")
		}
		if m == nil {
			return
		}
		if len(m) > Room || TooBig(nil, m, 0, from) != nil {
			t.Fatalf("%x is too large, or answered itself", m)
		}
		if m[0]>>4 == 4 && slowSum(m[:20], 0) != 0xffff {
			t.Fatalf("%x has a wrong checksum", m)
		}
	})
}
