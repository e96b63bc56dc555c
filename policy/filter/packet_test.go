package filter

import (
	"bytes"
	"testing"
)

const a4, b4, a6, b6 = "10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"

func TestPacketsAreTakenApart(t *testing.T) {
	with := func(b []byte, f ...func([]byte)) []byte {
		b = bytes.Clone(b)
		for _, f := range f {
			f(b)
		}
		return b
	}
	options := func(o ...byte) []byte {
		b := packet4(a4, b4, TCP, append(o, tcp(1, 2)...))
		b[0] = 0x45 + byte(len(o)/4)
		return b
	}
	full := packet4(a4, b4, TCP, tcp(5000, 443))
	chain := tcp(5000, 443)
	next := uint8(TCP)
	for range 9 {
		chain, next = extension(next, chain), destOpts
	}
	for _, c := range []struct {
		name    string
		b       []byte
		want    Reason
		service uint32
		part    Fragment
	}{
		{"tcp", full, Allowed, TCP<<16 | 443, Whole},
		{"udp 6", packet6(a6, b6, UDP, udp(5, 53)), Allowed, UDP<<16 | 53, Whole},
		{"echo", packet4(a4, b4, ICMP, []byte{8, 0, 0, 0, 1, 2, 0, 0}), Allowed, ICMP << 16, Whole},
		{"gre", packet4(a4, b4, 47, nil), Allowed, 47 << 16, Whole},
		{"nothing", nil, Truncated, 0, Whole},
		{"version 5", []byte{0x55}, NotIP, 0, Whole},
		{"short", full[:19], Truncated, 0, Whole},
		{"cut payload", full[:30], Malformed, 0, Whole},
		{"header length 16", with(full, func(b []byte) { b[0] = 0x44 }), Malformed, 0, Whole},
		{"total below header", with(full, func(b []byte) { b[2], b[3] = 0, 19 }), Malformed, 0, Whole},
		{"tcp data offset 4", with(full, func(b []byte) { b[32] = 4 << 4 }), Malformed, 0, Whole},
		{"tcp header longer than packet", with(full, func(b []byte) { b[32] = 15 << 4 }), Truncated, 0, Whole},
		{"no room for ports", packet4(a4, b4, UDP, make([]byte, 7)), Truncated, 0, Whole},
		{"padding behind", append(bytes.Clone(full), 1, 2, 3), Allowed, TCP<<16 | 443, Whole},
		{"record route", options(7, 4, 4, 0), Allowed, TCP<<16 | 2, Whole},
		{"loose source route", options(131, 3, 4, 0), SourceRouted, 0, Whole},
		{"strict behind no-operation", options(1, 137, 3, 4), SourceRouted, 0, Whole},
		{"option of length 0", options(7, 0, 0, 0), Malformed, 0, Whole},
		{"option longer than header", options(7, 5, 0, 0), Malformed, 0, Whole},
		{"first fragment", packet4(a4, b4, TCP, append(tcp(1, 80), 0, 0, 0, 0), place(0, true)), Allowed, TCP<<16 | 80, First},
		{"tiny first fragment", packet4(a4, b4, TCP, tcp(1, 80)[:8], place(0, true)), TinyFragment, 0, First},
		{"fragment over flags", packet4(a4, b4, TCP, tcp(1, 80)[:8], place(1, true)), OverlapFragment, 0, Whole},
		{"later fragment", packet4(a4, b4, UDP, make([]byte, 9), place(185, false)), Allowed, UDP << 16, Later},
		{"fragment beyond 64 KB", packet4(a4, b4, UDP, make([]byte, 16), place(8191, false)), Malformed, 0, Whole},
		{"ragged fragment", packet4(a4, b4, UDP, make([]byte, 9), place(0, true)), Malformed, 0, Whole},
		{"empty fragment", packet4(a4, b4, UDP, nil, place(5, false)), Malformed, 0, Whole},
		{"options before tcp 6", packet6(a6, b6, hopByHop, extension(destOpts, extension(TCP, tcp(1, 22)))), Allowed, TCP<<16 | 22, Whole},
		{"hop-by-hop later", packet6(a6, b6, destOpts, extension(hopByHop, extension(TCP, tcp(1, 22)))), Malformed, 0, Whole},
		{"routing type 0", packet6(a6, b6, routing, extension(TCP, tcp(1, 22))), SourceRouted, 0, Whole},
		{"routing type 4", packet6(a6, b6, routing, extension(TCP, tcp(1, 22), 0, 4)), Allowed, TCP<<16 | 22, Whole},
		{"nine extensions", packet6(a6, b6, next, chain), TooManyHeaders, 0, Whole},
		{"extension beyond the end", packet6(a6, b6, destOpts, extension(TCP, nil, 200)), Truncated, 0, Whole},
		{"fragment 6", packet6(a6, b6, fragment, extension(UDP, append(udp(1, 53), make([]byte, 8)...), 0, 0, 1, 0, 0, 0, 9)), Allowed, UDP<<16 | 53, First},
		{"later fragment 6", packet6(a6, b6, fragment, extension(UDP, make([]byte, 8), 0, 0x10, 0, 0, 0, 0, 9)), Allowed, UDP << 16, Later},
		{"atomic fragment", packet6(a6, b6, fragment, extension(UDP, udp(1, 53))), Allowed, UDP<<16 | 53, Whole},
		{"two fragment headers", packet6(a6, b6, fragment, extension(fragment, extension(UDP, udp(1, 53)))), Malformed, 0, Whole},
		{"first fragment without transport 6", packet6(a6, b6, fragment, extension(destOpts, extension(UDP, nil), 0, 0, 1)), TinyFragment, 0, First},
		{"mapped address", packet6("::ffff:1.2.3.4", b6, UDP, udp(1, 2)), Malformed, 0, Whole},
		{"nothing follows", packet6(a6, b6, 59, nil), Allowed, 59 << 16, Whole},
	} {
		var p Packet
		if got := p.Parse(c.b); got != c.want || got == Allowed && (p.Service() != c.service || p.Fragment != c.part) {
			t.Errorf("%s: %v, %+v", c.name, got, p)
		}
	}
}

func TestQuotedPacketsMayBeCutOff(t *testing.T) {
	full := packet4(a4, b4, TCP, tcp(5000, 443))
	quote := packet4(b4, a4, ICMP, append([]byte{3, 3, 0, 0, 0, 0, 0, 0}, full[:28]...))
	var p, inner Packet
	if r := p.Parse(quote); r != Allowed || !p.IsError() {
		t.Fatal(r, p)
	}
	if r := inner.ParseQuoted(quote[p.Payload+8:]); r != Allowed || inner.SrcPort != 5000 || inner.DstPort != 443 {
		t.Fatal(r, inner)
	}
	if r := inner.ParseQuoted(full[:27]); r != Truncated {
		t.Error(r)
	}
}

func FuzzPacket(f *testing.F) {
	f.Add(packet4(a4, b4, TCP, tcp(5000, 443)))
	f.Add(packet4(a4, b4, UDP, make([]byte, 9), place(185, false)))
	f.Add(packet6(a6, b6, hopByHop, extension(destOpts, extension(TCP, tcp(1, 22)))))
	f.Add(packet6(a6, b6, fragment, extension(UDP, udp(1, 53))))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p, q Packet
		r := p.Parse(b)
		q.ParseQuoted(b)
		if r != Allowed {
			return
		}
		if p.Payload > p.Length || p.Length > len(b) || p.Src.Is4() != p.Dst.Is4() {
			t.Fatalf("%+v of %d bytes", p, len(b))
		}
		if again := q.ParseQuoted(b); again != Allowed || q != p {
			t.Fatalf("a whole packet quoted is %v, %+v", again, q)
		}
	})
}
