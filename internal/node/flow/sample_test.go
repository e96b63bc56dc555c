package flow

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/policy/filter"
)

// What packets are made of. Transport headers have no checksums: nobody here looks at them.

func packet(src, dst netip.Addr, proto uint8, payload []byte) []byte {
	if src.Is4() {
		b := make([]byte, 20, 20+len(payload))
		b[0], b[8], b[9] = 0x45, 64, proto
		binary.BigEndian.PutUint16(b[2:], uint16(20+len(payload)))
		copy(b[12:], src.AsSlice())
		copy(b[16:], dst.AsSlice())
		return append(b, payload...)
	}
	b := make([]byte, 40, 40+len(payload))
	b[0], b[6], b[7] = 0x60, proto, 64
	binary.BigEndian.PutUint16(b[4:], uint16(len(payload)))
	copy(b[8:], src.AsSlice())
	copy(b[24:], dst.AsSlice())
	return append(b, payload...)
}

// fragmentOf cuts the payload of an IPv4 or IPv6 packet without extension headers.
func fragmentOf(b []byte, from, to int, id uint16) []byte {
	if b[0]>>4 == 4 {
		payload := b[20:]
		f := append(b[:20:20], payload[from:to]...)
		binary.BigEndian.PutUint16(f[2:], uint16(len(f)))
		binary.BigEndian.PutUint16(f[4:], id)
		binary.BigEndian.PutUint16(f[6:], fieldOf(from, to < len(payload), 0x2000, 0))
		return f
	}
	payload := b[40:]
	f := append(b[:40:40], b[6], 0, 0, 0, 0, 0, 0, 0)
	f[6] = 44
	binary.BigEndian.PutUint16(f[42:], fieldOf(from, to < len(payload), 1, 3))
	binary.BigEndian.PutUint32(f[44:], uint32(id))
	f = append(f, payload[from:to]...)
	binary.BigEndian.PutUint16(f[4:], uint16(len(f)-40))
	return f
}

func fieldOf(from int, more bool, bit uint16, shift uint) uint16 {
	v := uint16(from/8) << shift
	if more {
		v |= bit
	}
	return v
}

func tcp(src, dst uint16, flags uint8) []byte {
	b := make([]byte, 20)
	binary.BigEndian.PutUint16(b, src)
	binary.BigEndian.PutUint16(b[2:], dst)
	b[12], b[13] = 5<<4, flags
	return b
}

func udp(src, dst uint16, payload int) []byte {
	b := make([]byte, 8+payload)
	binary.BigEndian.PutUint16(b, src)
	binary.BigEndian.PutUint16(b[2:], dst)
	return b
}

// icmp is a message with its rest: an identifier, or what it quotes.
func icmp(kind, code uint8, id uint16, quoted ...byte) []byte {
	b := append(make([]byte, 8), quoted...)
	b[0], b[1] = kind, code
	binary.BigEndian.PutUint16(b[4:], id)
	return b
}

const (
	syn    = filter.SYN
	synAck = filter.SYN | filter.ACK
	ack    = filter.ACK
	finAck = filter.FIN | filter.ACK
	rst    = filter.RST
)

// end is one node of a story: its Table, and the rules that are in force.
type end struct {
	*Table
	addr, addr6 netip.Addr
	generation  uint64
}

// allow is a rule of a story: so many ports of a protocol may be opened from one end to the other.
type allow struct {
	from, to    *end
	proto       uint8
	first, last uint16
	deny        bool
}

// rule is an allow of one port; port 0 of a protocol without ports.
func rule(from, to *end, proto uint8, port uint16) allow {
	return allow{from, to, proto, port, port, false}
}

// story has two ends that see each other, and one clock.
type story struct {
	*testing.T
	a, b *end
	now  mono.Time
}

func newStory(t *testing.T) *story {
	s := &story{T: t, now: mono.Time(time.Hour)}
	s.a = &end{New(Config{}), netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1"), 0}
	s.b = &end{New(Config{}), netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("fd00::2"), 0}
	return s
}

func (s *story) pass(d time.Duration) { s.now = s.now.Add(d) }

func (s *story) other(e *end) *end {
	if e == s.a {
		return s.b
	}
	return s.a
}

// policy puts rules in force at both ends.
func (s *story) policy(rules ...allow) {
	s.Helper()
	for _, e := range []*end{s.a, s.b} {
		s.policyAt(e, rules...)
	}
}

// behind is the prefix that both ends may have routes to: b's.
var behind = netip.MustParsePrefix("192.168.0.0/16")

func (s *story) policyAt(e *end, rules ...allow) {
	s.Helper()
	set, err := filter.New(s.spec(e, rules))
	if err != nil {
		s.Fatal(err)
	}
	e.Swap(set)
}

func (s *story) spec(e *end, rules []allow) *filter.Spec {
	o := s.other(e)
	host := func(a netip.Addr) filter.Place { return filter.Place{Prefix: netip.PrefixFrom(a, a.BitLen())} }
	e.generation++
	spec := &filter.Spec{Generation: e.generation, Locals: 1, Remotes: 1, Lists: [][]filter.Span{nil, nil, nil},
		Local: []filter.Place{host(e.addr), host(e.addr6)}, Remote: []filter.Place{host(o.addr), host(o.addr6)},
		In: []filter.Pair{{List: 1}}, Out: []filter.Pair{{List: 2}}}
	if e == s.a {
		spec.Remote = append(spec.Remote, filter.Place{Prefix: behind})
	} else {
		spec.Local = append(spec.Local, filter.Place{Prefix: behind})
	}
	for i, r := range rules {
		list := 1
		if r.from == e {
			list = 2
		}
		spec.Lists[list] = append(spec.Lists[list], filter.Span{First: uint32(r.proto)<<16 | uint32(r.first), Last: uint32(r.proto)<<16 | uint32(r.last), Rule: uint32(i), Deny: r.deny})
	}
	for _, l := range spec.Lists {
		slices.SortFunc(l, func(x, y filter.Span) int { return cmp.Compare(x.First, y.First) })
	}
	return spec
}

// carries sends a packet from one end to the other: "" if it arrives, else where it was dropped and why.
func (s *story) carries(from *end, b []byte) string {
	to := s.other(from)
	if why := s.asked(from, from.Out, b); why != "" {
		return "out: " + why
	}
	if why := s.asked(to, to.In, b); why != "" {
		return "in: " + why
	}
	return ""
}

func (s *story) asked(e *end, f func(mono.Time, []byte, int, bool) bool, b []byte) string {
	before := e.Counters()
	if f(s.now, b, len(b), false) {
		return ""
	}
	after := e.Counters()
	for reason, n := range after.DroppedIn {
		if n != before.DroppedIn[reason] {
			return reason
		}
	}
	for reason, n := range after.DroppedOut {
		if n != before.DroppedOut[reason] {
			return reason
		}
	}
	return "nothing counted"
}

// arrives fails the story if a packet does not.
func (s *story) arrives(from *end, b []byte) {
	s.Helper()
	if why := s.carries(from, b); why != "" {
		s.Errorf("dropped %s", why)
	}
}

// dropped fails the story unless a packet is dropped as said.
func (s *story) dropped(from *end, b []byte, want string) {
	s.Helper()
	if why := s.carries(from, b); why != want {
		s.Errorf("dropped %q, want %q", why, want)
	}
}

// send makes a packet from one end to the other.
func (s *story) send(from *end, proto uint8, payload []byte) []byte {
	return packet(from.addr, s.other(from).addr, proto, payload)
}

func (s *story) tcp(from *end, src, dst uint16, flags uint8) []byte {
	return s.send(from, filter.TCP, tcp(src, dst, flags))
}

// connect opens a connection from a high port, and says something both ways.
func (s *story) connect(from *end, src, dst uint16) {
	s.Helper()
	to := s.other(from)
	s.arrives(from, s.tcp(from, src, dst, syn))
	s.arrives(to, s.tcp(to, dst, src, synAck))
	s.arrives(from, s.tcp(from, src, dst, ack))
	s.arrives(to, s.tcp(to, dst, src, ack))
}

func (e *end) wants(t *testing.T, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
