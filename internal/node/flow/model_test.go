package flow

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/policy/filter"
)

// model is a Table told again as plainly as can be: one map, no locks, no bounds, and its own words for what the package comment says.
type model struct {
	set   *filter.Set
	flows map[string]*known
}

type known struct {
	mine   bool // opened by this side
	phase  string
	fin    map[bool]bool // by out
	judged *filter.Set
	cut    bool
	seen   mono.Time
}

// about names the flow of a packet from this side's point of view.
func (m *model) name(p *filter.Packet, out bool) string {
	us, them := netip.AddrPortFrom(p.Src.Netip(), p.SrcPort), netip.AddrPortFrom(p.Dst.Netip(), p.DstPort)
	if !out {
		us, them = them, us
	}
	asks := p.Flags == 8 || p.Flags == 128
	return fmt.Sprint(us, them, p.Proto, isEcho(p) && asks == out)
}

func (m *model) ask(p filter.Packet, out, turned bool) filter.Reason {
	if turned {
		p.Src, p.Dst, p.SrcPort, p.DstPort, out = p.Dst, p.Src, p.DstPort, p.SrcPort, !out
	}
	r := m.set.In(&p, false)
	if out {
		r = m.set.Out(&p, false)
	}
	if turned {
		switch r {
		case filter.UnknownSource:
			return filter.UnknownDestination
		case filter.UnknownDestination:
			return filter.UnknownSource
		}
	}
	return r
}

var idle = map[string]time.Duration{"6 single": 2 * time.Minute, "6 answered": time.Minute, "6 settled": 124 * time.Minute, "6 closing": 4 * time.Minute,
	"6 closed": 10 * time.Second, "17 single": 2 * time.Minute, "17 settled": 5 * time.Minute, "1 single": time.Minute, "1 settled": time.Minute,
	"47 single": 10 * time.Minute, "47 settled": 10 * time.Minute}

// decide is what a Table should say of a packet that is neither an error nor a fragment; vague is true where it may say either, because a flow is
// just being forgotten.
func (m *model) decide(now mono.Time, p filter.Packet, out bool) (reason filter.Reason, vague bool) {
	const (
		syn = filter.SYN
		ack = filter.ACK
		fin = filter.FIN
		rst = filter.RST
	)
	if p.Proto == filter.TCP {
		switch p.Flags & (syn | ack | fin | rst) {
		case syn, syn | ack, ack, fin | ack, rst, rst | ack, rst | fin | ack, rst | fin:
		default:
			return filter.Malformed, false
		}
	}
	beginning := p.Proto == filter.TCP && p.Flags&syn != 0 && p.Flags&ack == 0
	name := m.name(&p, out)
	f := m.flows[name]
	if f != nil {
		rest := idle[fmt.Sprint(p.Proto, " ", f.phase)] - now.Sub(f.seen)
		if rest < 2*time.Second && rest > -2*time.Second {
			return 0, true
		}
		if rest < 0 {
			f = nil
			delete(m.flows, name)
		}
	}
	if f == nil {
		return m.fresh(now, p, out, name, beginning), false
	}
	mine := f.mine == out
	if beginning && !mine && (f.phase != "single" || f.cut) {
		if r := m.ask(p, out, false); r != filter.Allowed {
			return r, false
		}
		m.flows[name] = &known{mine: out, phase: "single", fin: map[bool]bool{}, judged: m.set, seen: now}
		return filter.Allowed, false
	}
	if f.judged != m.set || f.cut {
		r := m.ask(p, out, !mine)
		f.judged, f.cut, f.seen = m.set, r != filter.Allowed, now
		if f.cut {
			if p.Proto == filter.TCP || p.Proto == filter.ICMP || mine || m.ask(p, out, false) != filter.Allowed {
				return r, false
			}
			m.flows[name] = &known{mine: out, phase: "single", judged: m.set, seen: now}
			return filter.Allowed, false
		}
	}
	f.seen = now
	f.step(&p, out, mine, beginning)
	return filter.Allowed, false
}

func (f *known) step(p *filter.Packet, out, mine, beginning bool) {
	switch {
	case p.Proto != filter.TCP:
		if !mine {
			f.phase = "settled"
		}
	case p.Flags&filter.RST != 0:
		f.phase = "closed"
	case beginning && mine:
		f.phase, f.fin = "single", map[bool]bool{}
	case p.Flags&filter.FIN != 0:
		f.fin[out] = true
		f.phase = "closing"
		if f.fin[!out] {
			f.phase = "closed"
		}
	case f.phase == "single" && !mine:
		f.phase = "answered"
	case f.phase == "answered" && mine && p.Flags&filter.SYN == 0:
		f.phase = "settled"
	}
}

// fresh decides about a packet without a flow.
func (m *model) fresh(now mono.Time, p filter.Packet, out bool, name string, beginning bool) filter.Reason {
	turned := false
	if p.Proto == filter.TCP && !beginning {
		turned = p.Flags&filter.SYN != 0 || p.SrcPort < 32768 && p.DstPort >= 32768
	}
	r := m.ask(p, out, turned)
	if r != filter.Allowed || p.Proto == filter.TCP && p.Flags&filter.RST != 0 || p.Proto == filter.ICMP && p.Flags == 0 {
		return r
	}
	f := &known{mine: out != turned, phase: "single", fin: map[bool]bool{}, judged: m.set, seen: now}
	if p.Proto == filter.TCP && p.Flags&filter.FIN != 0 {
		f.fin[out], f.phase = true, "closing"
	} else if turned {
		f.phase = "answered"
	}
	m.flows[name] = f
	return r
}

// Random packets, pauses and policies: the Table says of each what the model says.
func TestTheTableDecidesAsTheModel(t *testing.T) {
	seen := map[filter.Reason]int{}
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := newStory(t)
		m := &model{flows: map[string]*known{}}
		swap := func() {
			var rules []allow
			for _, x := range [][2]*end{{s.a, s.b}, {s.b, s.a}} {
				for _, proto := range []uint8{filter.ICMP, filter.TCP, filter.UDP, 47} {
					switch last := uint16(65535); r.IntN(4) {
					case 0:
						rules = append(rules, allow{x[0], x[1], proto, 0, last, r.IntN(4) == 0})
					case 1:
						rules = append(rules, allow{x[0], x[1], proto, 0, 500, r.IntN(4) == 0})
					case 2:
						rules = append(rules, allow{x[0], x[1], proto, 500, last, r.IntN(4) == 0})
					}
				}
			}
			set, err := filter.New(s.spec(s.a, rules))
			if err != nil {
				t.Fatal(err)
			}
			s.a.Swap(set)
			m.set = set
		}
		swap()
		for range 4000 {
			s.pass(time.Duration(r.Int64N(int64(time.Second))))
			switch r.IntN(200) {
			case 0:
				swap()
			case 1:
				s.pass(time.Duration(r.Int64N(int64(12 * time.Minute))))
			}
			b, out := s.anything(r)
			var p filter.Packet
			if why := p.Parse(b); why != filter.Allowed {
				t.Fatal(why)
			}
			want, vague := m.decide(s.now, p, out)
			if vague {
				s.pass(5 * time.Second)
				want, _ = m.decide(s.now, p, out)
			}
			ask := s.a.In
			if out {
				ask = s.a.Out
			}
			got := s.asked(s.a, ask, b)
			if want == filter.Allowed && got != "" || want != filter.Allowed && got != want.String() {
				t.Fatalf("seed %d: %+v out=%v: %q, want %v", seed, p, out, got, want)
			}
			seen[want]++
		}
		for i := range s.a.shards {
			s.a.shards[i].check(t, s.a.Table)
		}
		if n := s.a.Counters().Flows; n > len(m.flows)+8 {
			t.Errorf("%d flows, the model has %d", n, len(m.flows))
		}
	}
	for _, reason := range []filter.Reason{filter.Allowed, filter.NoRule, filter.Denied, filter.Malformed, filter.UnknownSource, filter.UnknownDestination} {
		if seen[reason] < 500 {
			t.Errorf("%v only %d times", reason, seen[reason])
		}
	}
}

// anything is a packet at a's door.
func (s *story) anything(r *rand.Rand) (b []byte, out bool) {
	src, dst := s.a.addr, s.b.addr
	if r.IntN(5) == 0 {
		dst = behind.Addr().Next()
	}
	if r.IntN(40) == 0 {
		dst = netip.MustParseAddr("10.0.0.9")
	}
	if out = r.IntN(2) == 0; !out {
		src, dst = dst, src
	}
	port := func() uint16 { return []uint16{443, 443, 1000, 33000, 50000}[r.IntN(5)] }
	switch r.IntN(6) {
	case 0:
		return packet(src, dst, filter.ICMP, icmp([]uint8{8, 0}[r.IntN(2)], 0, uint16(r.IntN(2)))), out
	case 1:
		return packet(src, dst, filter.UDP, udp(port(), port(), 5)), out
	case 2:
		return packet(src, dst, 47, []byte{1}), out
	}
	flags := []uint8{ack, ack, ack, ack, syn, syn | filter.ACK, finAck, rst, rst | ack, 0x10 | 8, 0, syn | rst, finAck | 0x20}[r.IntN(13)]
	return packet(src, dst, filter.TCP, tcp(port(), port(), flags)), out
}
