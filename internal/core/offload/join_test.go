package offload

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
)

// join runs packets through a Joiner and returns the runs as what a kernel would make of them: packets and trains.
func join(tb testing.TB, packets [][]byte, trains ...Protocol) (supers []*Super) {
	tb.Helper()
	j := NewJoiner(len(packets), trains...)
	for _, p := range packets {
		if !j.Add(p) {
			tb.Fatal("no room")
		}
	}
	return flatten(j.Runs())
}

func flatten(runs []Run) (supers []*Super) {
	for _, r := range runs {
		supers = append(supers, &Super{Layout: r.Layout, Packet: slices.Concat(r.Parts...)})
	}
	return supers
}

// sizes are how many packets each run has.
func sizes(tb testing.TB, packets [][]byte) (n []int) {
	tb.Helper()
	for _, u := range join(tb, clones(packets), TCP, UDP) {
		n = append(n, len(split(tb, u)))
	}
	return n
}

func clones(packets [][]byte) (out [][]byte) {
	for _, p := range packets {
		out = append(out, bytes.Clone(p))
	}
	return out
}

func TestATrainIsPutTogetherAgain(t *testing.T) {
	for _, protocol := range []Protocol{TCP, UDP} {
		for _, six := range []bool{false, true} {
			a := sample{protocol: protocol, from: v4(1), to: v4(2), sport: 7, dport: 8, tos: 3, id: 0xfffe, sequence: 1<<32 - 150, ack: 5,
				flags: flagACK | flagECE | flagPSH, window: 9, options: timestamps, payload: numbered(1234), segment: 100}
			if six {
				a.from, a.to, a.flow = v6(1), v6(2), 0x12345
			}
			got, want := join(t, a.parts(), TCP, UDP), a.super()
			if len(got) != 1 || got[0].Layout != want.Layout || !bytes.Equal(got[0].Packet, want.Packet) {
				t.Errorf("%d runs, the first is\n%+v %x, want\n%+v %x", len(got), got[0].Layout, got[0].Packet, want.Layout, want.Packet)
			}
		}
	}
}

func TestNoPayloadIsCopied(t *testing.T) {
	packets := bulk(1, 2).parts()
	j := NewJoiner(len(packets), TCP)
	for _, p := range packets {
		j.Add(p)
	}
	parts := j.Runs()[0].Parts
	for i, part := range parts[1:] {
		if &part[0] != &packets[i+1][52] {
			t.Fatalf("the payload of packet %d is elsewhere", i+1)
		}
	}
	if &parts[0][0] != &packets[0][0] {
		t.Error("the first packet is elsewhere")
	}
}

// What is joined, and what is not. Each story is a train of 100-byte segments in which something happens.
func TestWhatContinuesIsJoined(t *testing.T) {
	tcp := sample{protocol: TCP, from: v4(1), to: v4(2), id: 7, sequence: 9, options: timestamps, payload: numbered(400), segment: 100}
	udp := sample{protocol: UDP, from: v4(1), to: v4(2), id: 7, payload: numbered(400), segment: 100}
	tcp6, udp6 := tcp, udp
	tcp6.from, tcp6.to, udp6.from, udp6.to = v6(1), v6(2), v6(1), v6(2)
	// again finishes a packet whose bytes were changed.
	again := func(p []byte, protocol Protocol) { u, _ := UpperOf(p); fill(p, u.Start, protocol) }

	for name, c := range map[string]struct {
		of     sample
		change func(p [][]byte) [][]byte
		want   []int
	}{
		"nothing":                 {tcp, func(p [][]byte) [][]byte { return p }, []int{4}},
		"a lost segment":          {tcp, func(p [][]byte) [][]byte { return slices.Delete(p, 1, 2) }, []int{1, 2}},
		"a lost datagram":         {udp, func(p [][]byte) [][]byte { return slices.Delete(p, 1, 2) }, []int{3}},
		"a segment overtaken":     {tcp, func(p [][]byte) [][]byte { p[1], p[2] = p[2], p[1]; return p }, []int{1, 1, 1, 1}},
		"a segment repeated":      {tcp, func(p [][]byte) [][]byte { return slices.Insert(p, 1, p[1]) }, []int{2, 3}},
		"PSH":                     {tcp, func(p [][]byte) [][]byte { p[1][33] |= flagPSH; again(p[1], TCP); return p }, []int{2, 2}},
		"PSH at once":             {tcp, func(p [][]byte) [][]byte { p[0][33] |= flagPSH; again(p[0], TCP); return p }, []int{1, 3}},
		"FIN":                     {tcp, func(p [][]byte) [][]byte { p[3][33] |= flagFIN; again(p[3], TCP); return p }, []int{3, 1}},
		"RST":                     {tcp, func(p [][]byte) [][]byte { p[1][33] |= flagRST; again(p[1], TCP); return p }, []int{1, 1, 2}},
		"SYN":                     {tcp, func(p [][]byte) [][]byte { p[0][33] |= flagSYN; again(p[0], TCP); return p }, []int{1, 3}},
		"URG":                     {tcp, func(p [][]byte) [][]byte { p[1][33] |= flagURG; again(p[1], TCP); return p }, []int{1, 1, 2}},
		"CWR":                     {tcp, func(p [][]byte) [][]byte { p[0][33] |= flagCWR; again(p[0], TCP); return p }, []int{1, 3}},
		"no ACK":                  {tcp, func(p [][]byte) [][]byte { p[1][33] = 0; again(p[1], TCP); return p }, []int{1, 1, 2}},
		"ECE":                     {tcp, func(p [][]byte) [][]byte { p[2][33] |= flagECE; again(p[2], TCP); return p }, []int{2, 1, 1}},
		"another acknowledgement": {tcp, func(p [][]byte) [][]byte { p[2][31]++; again(p[2], TCP); return p }, []int{2, 1, 1}},
		"another window":          {tcp, func(p [][]byte) [][]byte { p[2][35]++; again(p[2], TCP); return p }, []int{2, 1, 1}},
		"another urgent pointer":  {tcp, func(p [][]byte) [][]byte { p[2][39]++; again(p[2], TCP); return p }, []int{2, 1, 1}},
		"another timestamp":       {tcp, func(p [][]byte) [][]byte { p[2][51]++; again(p[2], TCP); return p }, []int{2, 1, 1}},
		"no timestamps once": {tcp, func(p [][]byte) [][]byte {
			q := tcp
			q.options, q.payload, q.sequence = nil, numbered(1), 109
			p[1] = q.packet()[:41:41]
			return p
		}, []int{1, 1, 2}},
		"another TOS":                      {tcp, func(p [][]byte) [][]byte { p[2][1] = 3; again(p[2], TCP); return p }, []int{2, 1, 1}},
		"another TTL":                      {tcp, func(p [][]byte) [][]byte { p[2][8]--; again(p[2], TCP); return p }, []int{2, 1, 1}},
		"another identification":           {tcp, func(p [][]byte) [][]byte { p[2][5]++; again(p[2], TCP); return p }, []int{4}},
		"fragmentation allowed once":       {tcp, func(p [][]byte) [][]byte { p[2][6] = 0; again(p[2], TCP); return p }, []int{2, 1, 1}},
		"a reserved IPv4 flag":             {tcp, func(p [][]byte) [][]byte { p[2][6] |= 0x80; again(p[2], TCP); return p }, []int{2, 1, 1}},
		"a header checksum that is wrong":  {tcp, func(p [][]byte) [][]byte { p[1][10]++; return p }, []int{1, 1, 2}},
		"a checksum that is wrong":         {tcp, func(p [][]byte) [][]byte { p[1][60]++; return p }, []int{1, 1, 2}},
		"a first checksum that is wrong":   {tcp, func(p [][]byte) [][]byte { p[0][60]++; return p }, []int{1, 3}},
		"a datagram's checksum is wrong":   {udp6, func(p [][]byte) [][]byte { p[1][60]++; return p }, []int{1, 1, 2}},
		"no datagram's checksum":           {udp, func(p [][]byte) [][]byte { clear(p[1][26:28]); return p }, []int{1, 1, 2}},
		"another IPv6 class":               {tcp6, func(p [][]byte) [][]byte { p[2][0] |= 1; again(p[2], TCP); return p }, []int{2, 1, 1}},
		"another flow label":               {tcp6, func(p [][]byte) [][]byte { p[2][3]++; again(p[2], TCP); return p }, []int{2, 1, 1}},
		"another hop limit":                {tcp6, func(p [][]byte) [][]byte { p[2][7]--; again(p[2], TCP); return p }, []int{2, 1, 1}},
		"a small segment":                  {tcp, func(p [][]byte) [][]byte { p[1] = p[1][:len(p[1])-1]; again(p[1], TCP); return p }, []int{2, 2}},
		"a small datagram":                 {udp, func(p [][]byte) [][]byte { p[1] = p[1][:len(p[1])-1]; again(p[1], UDP); return p }, []int{2, 2}},
		"a large datagram":                 {udp, func(p [][]byte) [][]byte { p[1] = append(p[1], 1); again(p[1], UDP); return p }, []int{1, 2, 1}},
		"nothing but an acknowledgement":   {tcp, func(p [][]byte) [][]byte { q := bytes.Clone(p[1][:52]); again(q, TCP); return slices.Insert(p, 1, q) }, []int{1, 1, 3}},
		"an empty datagram":                {udp, func(p [][]byte) [][]byte { q := bytes.Clone(p[1][:28]); again(q, UDP); return slices.Insert(p, 1, q) }, []int{1, 1, 3}},
		"a datagram whose length is wrong": {udp, func(p [][]byte) [][]byte { p[1][25]--; return p }, []int{1, 1, 2}},
		"a length that is wrong":           {tcp, func(p [][]byte) [][]byte { p[1] = append(p[1], 0); return p }, []int{1, 1, 2}},
		"a header that is too long":        {tcp, func(p [][]byte) [][]byte { p[1] = p[1][:52]; p[1][32] = 0xf0; lengths(p[1]); return p }, []int{1, 1, 2}},
		"a header that is too short":       {tcp, func(p [][]byte) [][]byte { p[1][32] = 0x40; return p }, []int{1, 1, 2}},
		"a fragment":                       {udp, func(p [][]byte) [][]byte { p[1][6] = 0x20; lengths(p[1]); return p }, []int{1, 1, 2}},
		"IPv4 options":                     {udp, func(p [][]byte) [][]byte { p[1] = withOption(p[1]); return p }, []int{1, 1, 2}},
		"an extension header":              {udp6, func(p [][]byte) [][]byte { p[1] = withExtension(p[1]); return p }, []int{1, 1, 2}},
		"nothing at all": {udp, func(p [][]byte) [][]byte {
			return slices.Insert(p, 1, nil, []byte{0x45}, []byte{0x60}, make([]byte, 60))
		}, []int{4, 1, 1, 1, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			packets := c.change(clones(c.of.parts()))
			j := NewJoiner(len(packets), TCP, UDP)
			for _, p := range clones(packets) {
				j.Add(p)
			}
			var got []int
			for _, r := range j.Runs() {
				got = append(got, len(r.Parts))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("runs of %v packets, want %v", got, c.want)
			}
			same(t, packets, j.Runs())
		})
	}
}

func withOption(p []byte) []byte {
	q := slices.Insert(bytes.Clone(p), 20, 1, 1, 1, 0)
	q[0] = 0x46
	fill(q, 24, UDP)
	return q
}

func withExtension(p []byte) []byte {
	q := slices.Insert(bytes.Clone(p), 40, p[6], 0, 1, 4, 0, 0, 0, 0)
	q[6] = hopByHop
	fill(q, 48, UDP)
	return q
}

func TestAnIdentificationCountsUpWherePacketsMayBeFragmented(t *testing.T) {
	a := sample{protocol: UDP, from: v4(1), to: v4(2), id: 0xffff, fragmentable: true, payload: numbered(400), segment: 100}
	if got := sizes(t, a.parts()); !slices.Equal(got, []int{4}) {
		t.Errorf("runs of %v, want one", got)
	}
	packets := a.parts()
	for _, p := range packets {
		clear(p[4:6])
		lengths(p)
	}
	if got := sizes(t, packets); !slices.Equal(got, []int{1, 1, 1, 1}) {
		t.Errorf("runs of %v, want none joined", got)
	}
}

func TestARunIsBoundedInPacketsAndBytes(t *testing.T) {
	small := sample{protocol: UDP, from: v4(1), to: v4(2), payload: numbered(300 * 10), segment: 10}
	if got := sizes(t, small.parts()); !slices.Equal(got, []int{128, 128, 44}) {
		t.Errorf("runs of %v", got)
	}
	for _, six := range []bool{false, true} {
		large := bulk(1, 2)
		large.payload, large.segment = numbered(60*1450), 1450
		if six {
			large.from, large.to = v6(1), v6(2)
		}
		if got := sizes(t, large.parts()); !slices.Equal(got, []int{45, 15}) {
			t.Errorf("runs of %v", got)
		}
	}
	exact := sample{protocol: UDP, from: v6(1), to: v6(2), payload: numbered(MaxPacket - 48), segment: 813}
	if (MaxPacket-48)%813 == 0 {
		t.Fatal("the last datagram should be smaller")
	}
	if got := join(t, exact.parts(), UDP); len(got) != 1 || len(got[0].Packet) != MaxPacket {
		t.Errorf("%d runs, the first with %d bytes", len(got), len(got[0].Packet))
	}
}

func TestFlowsThatAlternateAreJoined(t *testing.T) {
	var packets [][]byte
	for flow := range openFlows {
		packets = append(packets, sample{protocol: UDP, from: v4(1), to: v4(2), sport: uint16(flow), payload: numbered(500), segment: 100}.parts()...)
	}
	alternating := make([][]byte, 0, len(packets))
	for i := range packets {
		alternating = append(alternating, packets[i%openFlows*5+i/openFlows])
	}
	if got := sizes(t, alternating); !slices.Equal(got, []int{5, 5, 5, 5, 5, 5, 5, 5}) {
		t.Errorf("runs of %v packets", got)
	}
}

func TestTheFlowThatWaitedLongestMakesRoom(t *testing.T) {
	of := func(flow int) sample {
		return sample{protocol: UDP, from: v4(1), to: v4(byte(flow)), payload: numbered(300), segment: 100}
	}
	packets := [][]byte{of(0).parts()[0], of(1).parts()[0], of(0).parts()[1]} // 1 waits longest
	for flow := 2; flow <= openFlows; flow++ {
		packets = append(packets, of(flow).parts()[0])
	}
	packets = append(packets, of(1).parts()[1], of(2).parts()[1]) // 1 takes the place of 0, the next that waited
	packets = append(packets, of(0).parts()[2])
	if got := sizes(t, packets); !slices.Equal(got, []int{2, 1, 2, 1, 1, 1, 1, 1, 1, 1, 1}) {
		t.Errorf("runs of %v packets", got)
	}
}

func TestAFragmentIsNotOvertaken(t *testing.T) {
	a := sample{protocol: UDP, from: v4(1), to: v4(2), payload: numbered(400), segment: 100}
	other := a
	other.to = v4(3)
	p, q := a.parts(), other.parts()
	piece := bytes.Clone(p[1])
	piece[7] = 9
	lengths(piece)
	if got := sizes(t, [][]byte{p[0], q[0], piece, p[1], q[1]}); !slices.Equal(got, []int{1, 2, 1, 1}) {
		t.Errorf("runs of %v packets: what has the fragment's addresses must stay behind it, others need not", got)
	}
}

func TestOnlyTheKernelsTrainsAreMade(t *testing.T) {
	tcp, udp := bulk(1, 2).parts(), sample{protocol: UDP, from: v4(1), to: v4(2), payload: numbered(400), segment: 100}.parts()
	for _, c := range []struct {
		trains []Protocol
		want   int
	}{{nil, 49}, {[]Protocol{TCP}, 5}, {[]Protocol{UDP}, 46}, {[]Protocol{TCP, UDP}, 2}} {
		if got := len(join(t, clones(append(slices.Clone(tcp), udp...)), c.trains...)); got != c.want {
			t.Errorf("%v: %d runs, want %d", c.trains, got, c.want)
		}
	}
}

func TestAFullJoinerTakesNothing(t *testing.T) {
	packets := bulk(1, 2).parts()
	j := NewJoiner(3, TCP)
	for round := range 3 {
		for i, p := range packets[:5] {
			if took := j.Add(bytes.Clone(p)); took != (i < 3) {
				t.Fatalf("round %d: packet %d taken: %v", round, i, took)
			}
		}
		if j.Len() != 3 || j.Bytes() != 3*1452 {
			t.Errorf("%d packets with %d bytes", j.Len(), j.Bytes())
		}
		same(t, packets[:3], j.Runs())
		j.Reset()
		if j.Len() != 0 || j.Bytes() != 0 || len(j.Runs()) != 0 {
			t.Error("something is left")
		}
	}
}

func TestRunsMayBeAskedForTwiceAndMoreAddedBetween(t *testing.T) {
	packets := bulk(1, 2).parts()
	j := NewJoiner(10, TCP)
	for _, p := range packets[:4] {
		j.Add(bytes.Clone(p))
	}
	same(t, packets[:4], j.Runs())
	same(t, packets[:4], j.Runs())
	for _, p := range packets[4:8] {
		j.Add(bytes.Clone(p))
	}
	if n := len(j.Runs()); n != 2 {
		t.Errorf("%d runs, want that of before and a new one", n)
	}
	same(t, packets[:8], j.Runs())
}

// A run's packets keep their first's headers, so that a receiver that splits it gets what was sent.
func TestAJoinedHeaderSaysHowLongTheRunIs(t *testing.T) {
	u := join(t, sample{protocol: UDP, from: v4(1), to: v4(2), payload: numbered(400), segment: 100}.parts(), UDP)[0]
	if n := binary.BigEndian.Uint16(u.Packet[2:]); int(n) != len(u.Packet) || int(n) != 428 {
		t.Errorf("IPv4 says %d", n)
	}
	if n := binary.BigEndian.Uint16(u.Packet[24:]); n != 408 {
		t.Errorf("UDP says %d", n)
	}
	if slowFold(u.Packet[:20], 0) != 0xffff {
		t.Error("the header's checksum is wrong")
	}
}

func TestJoinerTellsWhetherARunMayGrow(t *testing.T) {
	a := sample{protocol: TCP, from: v4(1), to: v4(2), sport: 7, dport: 8, flags: flagACK | flagPSH, payload: numbered(300), segment: 100}
	j := NewJoiner(10, TCP)
	for i, p := range a.parts() {
		if j.Add(p); j.Growing() != (i < 2) {
			t.Errorf("after packet %d: %v", i, j.Growing())
		}
	}
	j.Add(a.parts()[0])
	if j.Reset(); j.Growing() {
		t.Error("what was forgotten grows")
	}
}
