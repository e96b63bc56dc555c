package offload

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
)

// parts are the packets that a train stands for, each made from scratch.
func (a sample) parts() (packets [][]byte) {
	for payload, i := a.payload, 0; len(payload) > 0; i++ {
		b := a
		b.payload = payload[:min(a.segment, len(payload))]
		payload = payload[len(b.payload):]
		b.id += uint16(i)
		b.sequence += uint32(i * a.segment)
		if i > 0 {
			b.flags &^= flagCWR
		}
		if len(payload) > 0 {
			b.flags &^= flagFIN | flagPSH
		}
		packets = append(packets, b.packet())
	}
	return packets
}

func split(tb testing.TB, u *Super) (packets [][]byte) {
	tb.Helper()
	return splitWith(tb, new(Splitter), u)
}

func splitWith(tb testing.TB, s *Splitter, u *Super) (packets [][]byte) {
	tb.Helper()
	if err := s.Start(u); err != nil {
		tb.Fatal(err)
	}
	for range s.Count() {
		packets = append(packets, bytes.Clone(s.Next()))
	}
	if s.Next() != nil {
		tb.Fatal("there are more packets than Count says")
	}
	return packets
}

func check(t *testing.T, got, want [][]byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d packets, want %d", len(got), len(want))
	}
	for i := range got {
		if !bytes.Equal(got[i], want[i]) {
			t.Fatalf("packet %d is\n%x, want\n%x", i, got[i], want[i])
		}
	}
}

func TestATrainBecomesItsPackets(t *testing.T) {
	for _, protocol := range []Protocol{TCP, UDP} {
		for _, six := range []bool{false, true} {
			for _, size := range []int{1, 99, 100, 101, 1000, 1001, 1999, 2000} {
				for _, segment := range []int{17, 100, 1000, 2000} {
					a := sample{protocol: protocol, from: v4(1), to: v4(2), sport: 7, dport: 8, tos: 3, id: 0xfffe, sequence: 1<<32 - 150, ack: 5,
						flags: flagACK | flagECE, window: 9, options: timestamps, payload: numbered(size), segment: segment}
					if six {
						a.from, a.to, a.flow = v6(1), v6(2), 0x12345
					}
					if (size+segment-1)/segment > MaxSegments {
						continue
					}
					t.Run(fmt.Sprintf("%d/six=%v/%d/%d", protocol, six, size, segment), func(t *testing.T) {
						check(t, split(t, a.super()), a.parts())
					})
				}
			}
		}
	}
}

func TestTheLargestTrain(t *testing.T) {
	a := sample{protocol: TCP, from: v4(1), to: v4(2), segment: (MaxPacket - 40 + MaxSegments - 1) / MaxSegments, payload: numbered(MaxPacket - 40)}
	packets := split(t, a.super())
	if len(packets) != MaxSegments {
		t.Errorf("%d packets", len(packets))
	}
	check(t, packets, a.parts())
}

func TestFINAndPSHComeLastAndCWRFirst(t *testing.T) {
	a := sample{protocol: TCP, from: v4(1), to: v4(2), flags: flagFIN | flagPSH | flagACK | flagECE | flagCWR, payload: numbered(300), segment: 100}
	want := []byte{flagACK | flagECE | flagCWR, flagACK | flagECE, flagFIN | flagPSH | flagACK | flagECE}
	for i, p := range split(t, a.super()) {
		if p[33] != want[i] {
			t.Errorf("packet %d has flags %08b, want %08b", i, p[33], want[i])
		}
	}
}

func TestAHeaderAloneIsOnePacket(t *testing.T) {
	a := sample{protocol: TCP, from: v6(1), to: v6(2), segment: 100}
	check(t, split(t, a.super()), [][]byte{a.packet()})
}

func TestExtensionHeadersTravelWithEveryPacket(t *testing.T) {
	a := sample{protocol: TCP, from: v6(1), to: v6(2), payload: numbered(250), segment: 100,
		extension: hopByHop, extensions: []byte{destinationOptions, 0, 1, 4, 0, 0, 0, 0, protocolTCP, 1, 1, 12, 23: 0}}
	check(t, split(t, a.super()), a.parts())

	a.protocol, a.extensions[8] = UDP, protocolUDP
	check(t, split(t, a.super()), a.parts())
}

// With a routing header the checksum is over the address that the packet reaches in the end (RFC 8200, section 8.1), which only the
// kernel's own sum tells.
func TestTheFinalDestinationIsSummed(t *testing.T) {
	route := []byte{protocolTCP, 2, 4, 1, 0, 0, 0, 0}
	a := sample{protocol: TCP, from: v6(1), to: v6(2), finally: v6(3), payload: numbered(250), segment: 100,
		extension: routing, extensions: append(route, v6(3).AsSlice()...)}
	direct := a
	direct.to, direct.extensions = v6(3), nil
	want := direct.parts()
	for i, p := range split(t, a.super()) {
		if !bytes.Equal(p[64:], want[i][40:]) {
			t.Errorf("packet %d has the transport header\n%x, want\n%x", i, p[64:84], want[i][40:60])
		}
	}
}

func TestPacketsAreMadeInPlace(t *testing.T) {
	u := sample{protocol: UDP, from: v4(1), to: v4(2), payload: numbered(250), segment: 100}.super()
	buf := append(append(bytes.Repeat([]byte{0xaa}, 64), u.Packet...), bytes.Repeat([]byte{0xbb}, 64)...)
	u.Packet = buf[64 : 64+len(u.Packet)]
	payload := bytes.Clone(u.Packet[28:])

	var s Splitter
	if err := s.Start(u); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		p := s.Next()
		if &p[0] != &u.Packet[i*100] {
			t.Fatalf("packet %d is elsewhere", i)
		}
		rest := u.Packet[i*100+len(p):]
		if !bytes.Equal(rest, payload[len(payload)-len(rest):]) {
			t.Fatalf("packet %d wrote behind itself", i)
		}
		clear(p) // what the caller does with it is no matter
	}
	if bytes.Count(buf, []byte{0xaa}) < 64 || bytes.Count(buf[64+len(u.Packet):], []byte{0xbb}) != 64 {
		t.Error("the surroundings were written")
	}
}

func TestAPartialChecksumIsFinished(t *testing.T) {
	for _, protocol := range []Protocol{TCP, UDP} {
		a := sample{protocol: protocol, from: v6(1), to: v6(2), sport: 3, payload: numbered(333), segment: 1000}
		u := a.super()
		u.Protocol, u.Segment, u.Headers = None, 0, 0
		check(t, split(t, u), [][]byte{a.packet()})
	}
}

func TestAPacketThatIsDoneIsLeftAlone(t *testing.T) {
	p := sample{protocol: TCP, from: v4(1), to: v4(2), payload: numbered(100)}.packet()
	p[36]++ // even with a checksum that is wrong
	check(t, split(t, &Super{Packet: bytes.Clone(p)}), [][]byte{p})
}

// A UDP checksum of 0 means that there is none, so the sum that comes out as 0 is written as the other zero of ones' complement.
func TestAUDPChecksumIsNeverZero(t *testing.T) {
	a := sample{protocol: UDP, from: v4(1), to: v4(2), payload: make([]byte, 200), segment: 100}
	first := a.parts()[0]
	sum := binary.BigEndian.Uint16(first[26:]) // with this as the payload's first word the checksum is 0
	for at := range 2 {
		binary.BigEndian.PutUint16(a.payload[at*100:], sum)
	}
	for i, p := range split(t, a.super()) {
		if got := binary.BigEndian.Uint16(p[26:]); got != 0xffff {
			t.Errorf("packet %d has checksum %#x", i, got)
		}
	}
	a.payload, a.segment = a.payload[:100], 0
	u := a.super()
	u.Protocol = None
	if p := split(t, u)[0]; binary.BigEndian.Uint16(p[26:]) != 0xffff {
		t.Errorf("a packet by itself has checksum %#x", p[26:28])
	}
}

func TestMalformedTrainsAreRefused(t *testing.T) {
	tcp := sample{protocol: TCP, from: v4(1), to: v4(2), options: timestamps, payload: numbered(1000), segment: 100}
	six := sample{protocol: UDP, from: v6(1), to: v6(2), payload: numbered(1000), segment: 100}
	fragmented := six
	fragmented.extension, fragmented.extensions = fragment, []byte{protocolUDP, 0, 0, 1, 0, 0, 0, 9}
	endless := six
	endless.extension = destinationOptions
	for range maxExtensions + 1 {
		endless.extensions = append(endless.extensions, destinationOptions, 0, 1, 4, 0, 0, 0, 0)
	}
	long := six
	long.extension, long.extensions = hopByHop, append([]byte{protocolUDP, 30}, make([]byte, 246)...)

	for _, c := range []struct {
		why    string
		from   sample
		change func(u *Super)
	}{
		{"no IP packet", tcp, func(u *Super) { u.Packet = nil }},
		{"no IP packet", tcp, func(u *Super) { u.Packet = u.Packet[:19] }},
		{"no IP packet", tcp, func(u *Super) { u.Packet[0] = 0x55 }},
		{"no IP packet", tcp, func(u *Super) { u.Packet[0] = 0x44 }},
		{"no IP packet", tcp, func(u *Super) { u.Packet[0], u.Packet = 0x4f, u.Packet[:59] }},
		{"no IP packet", six, func(u *Super) { u.Packet = u.Packet[:39] }},
		{"no IP packet", endless, func(*Super) {}},
		{"larger than IP allows", tcp, func(u *Super) { u.Packet = append(u.Packet, make([]byte, MaxPacket)...) }},
		{"checksum is not inside", tcp, func(u *Super) { u.Start = 19 }},
		{"checksum is not inside", tcp, func(u *Super) { u.Start = -1 }},
		{"checksum is not inside", tcp, func(u *Super) { u.Start = len(u.Packet) + 1 }},
		{"checksum is not inside", tcp, func(u *Super) { u.Offset = len(u.Packet) - u.Start - 1 }},
		{"checksum is not inside", tcp, func(u *Super) { u.Offset = -1 }},
		{"checksum is not inside", tcp, func(u *Super) { u.Protocol, u.Offset = None, len(u.Packet)-21 }},
		{"not where the checksum starts", tcp, func(u *Super) { u.Start = 24 }},
		{"not where the checksum starts", tcp, func(u *Super) { u.Partial = false }},
		{"a fragment", tcp, func(u *Super) { u.Packet[6] = 0x20 }},
		{"a fragment", tcp, func(u *Super) { u.Packet[7] = 1 }},
		{"a fragment", fragmented, func(*Super) {}},
		{"headers are not inside", tcp, func(u *Super) { u.Headers = 19 }},
		{"headers are not inside", tcp, func(u *Super) { u.Headers = -1 }},
		{"headers are not inside", tcp, func(u *Super) { u.Headers = len(u.Packet) + 1 }},
		{"headers are too long", long, func(*Super) {}},
		{"size of a segment", tcp, func(u *Super) { u.Segment = 0 }},
		{"size of a segment", tcp, func(u *Super) { u.Segment = -5 }},
		{"size of a segment", tcp, func(u *Super) { u.Segment = MaxPacket + 1 }},
		{"too many segments", tcp, func(u *Super) { u.Packet, u.Segment = u.Packet[:52+MaxSegments+1], 1 }},
		{"not those of its protocol", tcp, func(u *Super) { u.Headers = 51 }},
		{"not those of its protocol", tcp, func(u *Super) { u.Headers = 20 }},
		{"not those of its protocol", tcp, func(u *Super) { u.Packet[32] = 0x40 }},
		{"not those of its protocol", tcp, func(u *Super) { u.Offset = 14 }},
		{"not those of its protocol", tcp, func(u *Super) { u.Protocol = UDP }},
		{"not those of its protocol", tcp, func(u *Super) { u.Protocol = UDP + 1 }},
		{"not those of its protocol", tcp, func(u *Super) { u.Packet[9] = 17 }},
		{"not those of its protocol", six, func(u *Super) { u.Headers = 50 }},
		{"not those of its protocol", six, func(u *Super) { u.Packet[6] = 6 }},
	} {
		t.Run(c.why, func(t *testing.T) {
			u := c.from.super()
			c.change(u)
			var s Splitter
			if err := s.Start(tcp.super()); err != nil {
				t.Fatal(err)
			}
			if err := s.Start(u); err == nil || !strings.Contains(err.Error(), c.why) {
				t.Errorf("%v, want %q in it", err, c.why)
			}
			if s.Count() != 0 || s.Next() != nil {
				t.Error("there are packets of what was refused")
			}
		})
	}
}
