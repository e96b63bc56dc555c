package offload

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// leave splits a train and leaves the checksums of its packets partial.
func leave(t *testing.T, a sample) [][]byte { return splitWith(t, &Splitter{Partial: true}, a.super()) }

func partialSamples() (all []sample) {
	for _, protocol := range []Protocol{TCP, UDP} {
		a := sample{protocol: protocol, from: v4(1), to: v4(2), sport: 7, dport: 8, id: 5, sequence: 9, payload: numbered(1234), segment: 100}
		b := a
		b.from, b.to, b.flow, b.options = v6(1), v6(2), 0x12345, timestamps
		all = append(all, a, b)
	}
	return all
}

func TestWhatIsLeftPartialIsJoinedAsIfItWereDone(t *testing.T) {
	for _, a := range partialSamples() {
		packets := leave(t, a)
		for i, p := range packets {
			if !slowPartial(p) || bytes.Equal(p, a.parts()[i]) {
				t.Fatalf("packet %d is not left partial: %x", i, p)
			}
		}
		got, want := join(t, packets, TCP, UDP), a.super()
		if len(got) != 1 || got[0].Layout != want.Layout || !bytes.Equal(got[0].Packet, want.Packet) {
			t.Errorf("%d runs, the first is\n%+v %x, want\n%+v %x", len(got), got[0].Layout, got[0].Packet, want.Layout, want.Packet)
		}
	}
}

// A train may be joined of packets of both kinds: the peer's other session does not leave them partial, for one.
func TestPartialAndWholeAreJoined(t *testing.T) {
	for _, a := range partialSamples() {
		packets := append(leave(t, a)[:5:5], a.parts()[5:]...)
		if got := join(t, packets, TCP, UDP); len(got) != 1 || !bytes.Equal(got[0].Packet, a.super().Packet) {
			t.Errorf("%d runs", len(got))
		}
	}
}

func TestAPartialPacketThatStaysAloneIsSaidToBe(t *testing.T) {
	for _, a := range partialSamples() {
		for _, takes := range [][]Protocol{{TCP, UDP}, nil} {
			got := join(t, leave(t, a)[3:4], takes...)
			if len(got) != 1 || !got[0].Partial || got[0].Protocol != None {
				t.Fatalf("%+v", got)
			}
			check(t, split(t, got[0]), a.parts()[3:4])
		}
	}
}

// A Joiner does not look behind extension headers, nor at what may be a fragment.
func TestNothingIsLeftPartialThatNoJoinerKnows(t *testing.T) {
	a := sample{protocol: UDP, from: v6(1), to: v6(2), payload: numbered(250), segment: 100, extension: hopByHop, extensions: []byte{17, 0, 1, 4, 0, 0, 0, 0}}
	check(t, leave(t, a), a.parts())

	b := sample{protocol: TCP, from: v4(1), to: v4(2), payload: numbered(250), segment: 100}
	u := b.super()
	u.Packet[6] |= 0x80 // a flag that nobody has defined
	for _, p := range splitWith(t, &Splitter{Partial: true}, u) {
		right(t, p)
	}
}

func TestAWrongChecksumIsNotTakenForPartial(t *testing.T) {
	for _, a := range partialSamples() {
		_, start := a.headers()
		for bit := range 16 {
			packets := leave(t, a)
			p := packets[1]
			p[start+slowOffset(a.protocol)+bit/8] ^= 1 << (bit % 8)
			was := bytes.Clone(p)
			got := join(t, packets, TCP, UDP)
			if len(got) != 3 || got[1].Layout != (Layout{}) || !bytes.Equal(got[1].Packet, was) {
				t.Errorf("bit %d: %d runs", bit, len(got))
			}
		}
	}
}

// One checksum in 65,535 is by chance what a partial one would be.
func TestAWholeChecksumThatLooksPartialIsCompletedToItself(t *testing.T) {
	for _, a := range partialSamples() {
		a.payload = bytes.Clone(a.payload[:100])
		p := a.packet()
		for n := 0; !slowPartial(p); n++ {
			binary.BigEndian.PutUint16(a.payload, uint16(n))
			p = a.packet()
		}
		got := join(t, [][]byte{bytes.Clone(p)}, TCP, UDP)
		check(t, split(t, got[0]), [][]byte{p})
		if !got[0].Partial {
			t.Error("it was not told from others: look whether this test still finds one")
		}
	}
}
