package offload

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// Whatever a kernel hands over: what is refused has no packets, what is taken becomes packets that lie inside it and are right.
func FuzzStart(f *testing.F) {
	for _, a := range []sample{
		{protocol: TCP, from: v4(1), to: v4(2), options: timestamps, flags: 0xff, payload: numbered(250), segment: 100},
		{protocol: UDP, from: v4(1), to: v4(2), payload: numbered(20), segment: 10},
		{protocol: TCP, from: v6(1), to: v6(2), payload: numbered(25), segment: 10},
		{protocol: UDP, from: v6(1), to: v6(2), payload: numbered(250), segment: 100, extension: hopByHop, extensions: []byte{17, 0, 1, 4, 0, 0, 0, 0}},
	} {
		u := a.super()
		f.Add(u.Packet, uint8(u.Protocol), uint16(u.Segment), uint16(u.Headers), u.Partial, uint16(u.Start), uint16(u.Offset))
		f.Add(u.Packet, uint8(None), uint16(0), uint16(0), true, uint16(u.Start), uint16(u.Offset))
	}
	f.Fuzz(func(t *testing.T, packet []byte, protocol uint8, segment, headers uint16, partial bool, start, offset uint16) {
		const margin = 64
		buf := append(append(bytes.Repeat([]byte{0xaa}, margin), packet...), bytes.Repeat([]byte{0xaa}, margin)...)
		u := &Super{Packet: buf[margin : margin+len(packet)], Layout: Layout{Protocol: Protocol(protocol),
			Segment: int(segment), Headers: int(headers), Partial: partial, Start: int(start), Offset: int(offset)}}
		var s Splitter
		if s.Start(u) != nil {
			if s.Count() != 0 || s.Next() != nil || !bytes.Equal(u.Packet, packet) {
				t.Fatal("a refused train was touched")
			}
			return
		}
		left := Splitter{Partial: true}
		_ = left.Start(&Super{Packet: bytes.Clone(u.Packet), Layout: u.Layout})
		rest, n := len(packet), s.Count()
		for i := range n {
			p := s.Next()
			if q := left.Next(); !bytes.Equal(essence(q), essence(p)) {
				t.Fatalf("left partial, packet %d is\n%x, want\n%x", i, q, p)
			}
			if u.Protocol == None {
				rest -= len(p)
				continue
			}
			payload := p[headers:]
			if !bytes.Equal(payload, packet[int(headers)+i*int(segment):][:len(payload)]) {
				t.Fatalf("payload %d is another", i)
			}
			rest -= len(payload)
			right(t, p)
		}
		if u.Protocol != None {
			rest -= int(headers)
		}
		if rest != 0 || s.Next() != nil || n < 1 || n > MaxSegments {
			t.Fatalf("%d bytes are left after %d packets", rest, n)
		}
		for i := range margin {
			if buf[i] != 0xaa || buf[len(buf)-1-i] != 0xaa {
				t.Fatal("the surroundings were written")
			}
		}
	})
}

// right fails if lengths or checksums of a packet are wrong. Behind extension headers, the address that counts may be elsewhere.
func right(t *testing.T, p []byte) {
	u, ok := UpperOf(p)
	protocol := TCP
	if u.Protocol == protocolUDP {
		protocol = UDP
	}
	again := bytes.Clone(p)
	if fill(again, u.Start, protocol); !ok || p[0]>>4 == 6 && u.Start > 40 {
		return
	}
	if !bytes.Equal(p, again) {
		t.Fatalf("\n%x is not right:\n%x", p, again)
	}
}

// Whatever comes out of a tunnel: the Joiner does what the slow one does, and what is split again is what came.
func FuzzJoin(f *testing.F) {
	add := func(kind byte, packets [][]byte) {
		var b []byte
		for _, p := range packets {
			b = append(binary.BigEndian.AppendUint16(append(b, kind), uint16(len(p))), p...)
		}
		f.Add(b)
	}
	tcp := sample{protocol: TCP, from: v4(1), to: v4(2), options: timestamps, payload: numbered(25), segment: 10}
	udp := sample{protocol: UDP, from: v6(1), to: v6(2), payload: numbered(25), segment: 10}
	add(0, append(tcp.parts(), udp.parts()...))
	add(1, append(udp.parts(), tcp.parts()...))
	f.Fuzz(func(t *testing.T, data []byte) {
		agree(t, unpack(data), TCP, UDP)
	})
}

// unpack makes packets of bytes: a kind, a length, the packet. The kind's lowest bit has lengths and checksums set right.
func unpack(data []byte) (packets [][]byte) {
	for len(data) >= 3 && len(packets) < 200 {
		kind, size := data[0], min(int(binary.BigEndian.Uint16(data[1:])), len(data)-3)
		p := bytes.Clone(data[3 : 3+size])
		data = data[3+size:]
		if u, ok := UpperOf(p); ok && kind&1 != 0 {
			lengths(p)
			if h := len(p) - u.Start; u.Protocol == protocolUDP && h >= 8 {
				fill(p, u.Start, UDP)
			} else if u.Protocol == protocolTCP && h >= 20 {
				fill(p, u.Start, TCP)
			}
		}
		packets = append(packets, p)
	}
	return packets
}
