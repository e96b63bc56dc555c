package offload

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// same fails if the runs, split, are not the packets: each flow's in its order, byte for byte where bytes have a meaning.
func same(t *testing.T, packets [][]byte, runs []Run) {
	t.Helper()
	var got [][]byte
	for _, u := range flatten(runs) {
		if u.Protocol == None {
			got = append(got, u.Packet)
			continue
		}
		got = append(got, split(t, u)...)
	}
	if len(got) != len(packets) {
		t.Fatalf("%d packets came out of %d", len(got), len(packets))
	}
	want, have := byFlow(packets), byFlow(got)
	for flow := range want {
		if len(have[flow]) != len(want[flow]) {
			t.Fatalf("flow %x: %d packets came out of %d", flow, len(have[flow]), len(want[flow]))
		}
		for i := range want[flow] {
			if have[flow][i] != want[flow][i] {
				t.Fatalf("packet %d of flow %x became\n%x, was\n%x", i, flow, have[flow][i], want[flow][i])
			}
		}
	}
}

// byFlow sorts packets by addresses, and by ports if they have some, in their essence.
func byFlow(packets [][]byte) map[string][]string {
	flows := map[string][]string{}
	for _, p := range packets {
		flow := slowFlow(p)
		flows[flow] = append(flows[flow], string(essence(p)))
	}
	return flows
}

// essence leaves out what may change: the identification of IPv4 where it has no meaning (RFC 6864), whether a checksum is complete, and which of the
// two zeros of ones' complement it is.
func essence(p []byte) []byte {
	p = bytes.Clone(p)
	protocol, start := slowProtocol(p)
	if protocol == None {
		return p
	}
	if start == 20 {
		if p[6]&0x40 != 0 {
			sum := slowFold(p[:20], 0)
			clear(p[4:6])
			binary.BigEndian.PutUint16(p[10:], sum) // all ones still says that the header was right
		} else {
			oneZero(p[10:])
		}
	}
	field := p[start+slowOffset(protocol):]
	if slowPartial(p) {
		binary.BigEndian.PutUint16(field, ^slowFold(p[start:], 0))
	}
	oneZero(field)
	return p
}

// slowPartial: the field of the transport's checksum holds the sum of the pseudo header.
func slowPartial(p []byte) bool {
	protocol, start := slowProtocol(p)
	return binary.BigEndian.Uint16(p[start+slowOffset(protocol):]) == slowPseudo(addresses(p), sample{protocol: protocol}.number(), len(p)-start)
}

func slowOffset(protocol Protocol) int {
	if protocol == UDP {
		return 6
	}
	return 16
}

func oneZero(b []byte) {
	if b[0] == 0xff && b[1] == 0xff {
		clear(b[:2])
	}
}

// slowProtocol says of a packet that may be joined, as far as its headers are whole, what it is.
func slowProtocol(p []byte) (_ Protocol, start int) {
	var number byte
	switch {
	case len(p) >= 28 && p[0] == 0x45 && p[6]&0xbf == 0 && p[7] == 0 && int(binary.BigEndian.Uint16(p[2:])) == len(p):
		start, number = 20, p[9]
	case len(p) >= 48 && p[0]>>4 == 6 && int(binary.BigEndian.Uint16(p[4:]))+40 == len(p):
		start, number = 40, p[6]
	}
	switch {
	case number == 6 && start > 0 && len(p) >= start+20 && p[start+12]>>4 >= 5 && len(p) >= start+int(p[start+12]>>4)*4:
		return TCP, start
	case number == 17 && start > 0 && int(binary.BigEndian.Uint16(p[start+4:])) == len(p)-start:
		return UDP, start
	}
	return None, 0
}

func slowFlow(p []byte) string {
	protocol, start := slowProtocol(p)
	if protocol == None {
		return string(p) // by itself: it keeps no order but behind what may be of its flow, which TestAFragmentIsNotOvertaken looks at
	}
	return fmt.Sprint(protocol, addresses(p), p[start:start+4])
}

// pattern is a packet without what differs inside a run: what is left has to be equal.
func pattern(p []byte) string {
	protocol, start := slowProtocol(p)
	b := bytes.Clone(p[:start+8])
	if protocol == TCP {
		b = bytes.Clone(p[:start+int(p[start+12]>>4)*4])
		b[start+13] &^= 8
		clear(b[start+4 : start+8])
		clear(b[start+16 : start+18])
	} else {
		clear(b[start+4:])
	}
	if start == 20 {
		clear(b[2:6])
		clear(b[10:12])
	} else {
		clear(b[4:6])
	}
	return string(b)
}

// slowRun is a run of the slow Joiner: the numbers of its packets.
type slowRun struct {
	numbers []int
	used    int // when it was last added to
}

// slowJoin is the Joiner in words of one syllable. It returns the numbers of the packets in each run.
func slowJoin(packets [][]byte, trains ...Protocol) (runs []*slowRun) {
	open := map[string]*slowRun{}
	for n, p := range packets {
		protocol, start := slowProtocol(p)
		if protocol == None {
			for flow, r := range open {
				if first := packets[r.numbers[0]]; len(p) >= 20 && p[0]>>4 == first[0]>>4 && (p[0]>>4 == 4 || len(p) >= 40) &&
					bytes.Equal(addresses(p), addresses(first)) {
					delete(open, flow)
				}
			}
			runs = append(runs, &slowRun{numbers: []int{n}})
			continue
		}
		flow := slowFlow(p)
		r := open[flow]
		good := slices.Contains(trains, protocol) && slowJoinable(p, protocol, start)
		if r != nil && good && slowFollows(packets, r, p) && slowSound(p) && slowSound(packets[r.numbers[0]]) {
			r.numbers, r.used = append(r.numbers, n), n
		} else {
			r = &slowRun{numbers: []int{n}, used: n}
			runs = append(runs, r)
			delete(open, flow)
			if !good {
				continue
			}
			if len(open) == 8 {
				longest := ""
				for f, o := range open {
					if longest == "" || o.used < open[longest].used {
						longest = f
					}
				}
				delete(open, longest)
			}
			open[flow] = r
		}
		if protocol == TCP && p[start+13]&8 != 0 || len(p) < len(packets[r.numbers[0]]) || len(r.numbers) == 128 {
			delete(open, flow)
		}
	}
	return runs
}

func slowJoinable(p []byte, protocol Protocol, start int) bool {
	if protocol == TCP {
		return len(p) > len(pattern(p)) && p[start+13]&0b1011_0111 == 0b0001_0000
	}
	return len(p) > start+8 && (p[start+6] != 0 || p[start+7] != 0)
}

func slowFollows(packets [][]byte, r *slowRun, p []byte) bool {
	first := packets[r.numbers[0]]
	headers, size := len(pattern(first)), 0
	for _, n := range r.numbers {
		size += len(packets[n]) - headers
	}
	protocol, start := slowProtocol(p)
	switch {
	case pattern(p) != pattern(first), len(p) > len(first), size+len(p) > 65535:
		return false
	case start == 20 && p[6]&0x40 == 0 && binary.BigEndian.Uint16(p[4:]) != binary.BigEndian.Uint16(first[4:])+uint16(len(r.numbers)):
		return false
	}
	return protocol == UDP || binary.BigEndian.Uint32(p[start+4:]) == binary.BigEndian.Uint32(first[start+4:])+uint32(size)
}

// slowSound: the checksums are what they would be if they were made anew, or that of the transport is partial.
func slowSound(p []byte) bool {
	protocol, start := slowProtocol(p)
	again := bytes.Clone(p)
	fill(again, start, protocol)
	ip, field := start == 40 || bytes.Equal(oneOf(p[10:12]), oneOf(again[10:12])), start+slowOffset(protocol)
	return ip && (slowPartial(p) || bytes.Equal(oneOf(p[field:field+2]), oneOf(again[field:field+2])))
}

func oneOf(b []byte) []byte { b = bytes.Clone(b); oneZero(b); return b }

// agree fails if the Joiner and the slow one differ.
func agree(t *testing.T, packets [][]byte, trains ...Protocol) (runs, joined int) {
	t.Helper()
	return agreeWith(t, NewJoiner(len(packets), trains...), packets, trains...)
}

func agreeWith(t *testing.T, j *Joiner, packets [][]byte, trains ...Protocol) (runs, joined int) {
	t.Helper()
	want := slowJoin(packets, trains...)
	work := clones(packets)
	for _, p := range work {
		j.Add(p)
	}
	got := j.Runs()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || len(got[i].Parts) != len(want[i].numbers) {
			t.Fatalf("run %d differs: %d packets in %d runs, want %d runs", i, len(packets), len(got), len(want))
		}
		for k, n := range want[i].numbers {
			part := got[i].Parts[k]
			if len(part) > len(work[n]) || len(part) > 0 && &part[len(part)-1] != &work[n][len(work[n])-1] {
				t.Fatalf("run %d: piece %d is not of packet %d", i, k, n)
			}
		}
	}
	same(t, packets, got)
	return len(got), len(packets) - len(got)
}

func TestRandomTrafficArrivesAsItWas(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 3))
	joined, runs := 0, 0
	reused := NewJoiner(2000, TCP, UDP)
	for range 100 {
		packets := traffic(t, rnd)
		r, n := agreeWith(t, reused, packets, TCP, UDP)
		reused.Reset()
		runs, joined = runs+r, joined+n
		agree(t, packets, TCP)
	}
	if joined < runs || runs < 500 {
		t.Errorf("%d packets were joined to %d runs: the traffic tests too little", joined, runs)
	}
}

// One bit of a header is different, in one packet or in all, and the checksums are right.
func TestEveryHeaderBitCounts(t *testing.T) {
	tcp := sample{protocol: TCP, from: v4(1), to: v4(2), id: 7, sequence: 9, options: timestamps, payload: numbered(30), segment: 10}
	udp := sample{protocol: UDP, from: v6(1), to: v6(2), payload: numbered(30), segment: 10}
	tcp6, udp4 := tcp, udp
	tcp6.from, tcp6.to, udp4.from, udp4.to = v6(1), v6(2), v4(1), v4(2)
	for _, a := range []sample{tcp, udp, tcp6, udp4} {
		_, start := a.headers()
		for bit := range 8 * (len(a.parts()[0]) - a.segment) {
			one, all := a.parts(), a.parts()
			for i, p := range slices.Concat(one[1:2], all) {
				p[bit/8] ^= 1 << (bit % 8)
				if i == 0 || bit >= 8 {
					fill(p, start, a.protocol)
				}
			}
			agree(t, one, TCP, UDP)
			agree(t, all, TCP, UDP)
		}
	}
}

// traffic is what a tunnel delivers: trains of some flows that were split, some of it lost, repeated, overtaken and broken.
func traffic(t *testing.T, rnd *rand.Rand) (packets [][]byte) {
	flows := make([][][]byte, 1+rnd.IntN(12))
	for i := range flows {
		a := randomFlow(rnd)
		for range 1 + rnd.IntN(3) {
			flows[i] = append(flows[i], splitWith(t, &Splitter{Partial: rnd.IntN(2) == 0}, a.super())...)
			a.sequence += uint32(len(a.payload))
			a.id += uint16(len(a.payload) / a.segment)
		}
	}
	stay := rnd.IntN(20)
	for i := 0; len(flows) > 0; {
		if rnd.IntN(20) >= stay {
			i = rnd.IntN(len(flows))
		}
		i %= len(flows)
		packets = append(packets, flows[i][0])
		if flows[i] = flows[i][1:]; len(flows[i]) == 0 {
			flows = slices.Delete(flows, i, i+1)
		}
	}
	for range rnd.IntN(20) {
		spoil(rnd, packets)
	}
	return slices.DeleteFunc(packets, func(p []byte) bool { return p == nil })
}

func spoil(rnd *rand.Rand, packets [][]byte) {
	i, k := rnd.IntN(len(packets)), rnd.IntN(len(packets))
	p := bytes.Clone(packets[i])
	switch rnd.IntN(6) {
	case 0:
		packets[i] = nil
	case 1:
		packets[i], packets[k] = packets[k], packets[i]
	case 2:
		packets[k] = p
	case 3: // something is broken
		if len(p) > 0 {
			p[rnd.IntN(len(p))] ^= 1 << rnd.IntN(8)
			packets[i] = p
		}
	case 4: // something in the headers is different, and right
		if protocol, start := slowProtocol(p); protocol != None {
			p[rnd.IntN(min(len(p), 60))] ^= 1 << rnd.IntN(8)
			if again, s := slowProtocol(p); again == protocol && s == start {
				fill(p, start, protocol)
				packets[i] = p
			}
		}
	case 5:
		packets[i] = p[:rnd.IntN(len(p)+1)]
	}
}

func randomFlow(rnd *rand.Rand) sample {
	a := sample{protocol: TCP, from: v4(1), to: v4(byte(2 + rnd.IntN(2))), sport: uint16(rnd.IntN(3)), dport: 80, id: uint16(rnd.Uint32()),
		sequence: rnd.Uint32(), ack: rnd.Uint32(), window: uint16(rnd.Uint32()), flags: flagACK, fragmentable: rnd.IntN(2) == 0}
	if rnd.IntN(2) == 0 {
		a.from, a.to = v6(1), v6(byte(2+rnd.IntN(2)))
	}
	a.segment = 1 + rnd.IntN(1400)
	a.payload = make([]byte, 1+rnd.IntN(min(20*a.segment, 60000)))
	for i := range a.payload {
		a.payload[i] = byte(rnd.Uint32())
	}
	switch rnd.IntN(3) {
	case 0:
		a.protocol = UDP
	case 1:
		a.options = timestamps
		a.flags |= byte(rnd.Uint32()) & (flagPSH | flagECE)
	}
	return a
}
