package filter

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
)

// scene is a random Spec: two local classes, some remote ones, addresses and prefixes of both families.
func scene(r *rand.Rand, hosts, prefixes, lists, spans int) *Spec {
	const locals = 2
	remotes := 1 + hosts/4
	s := &Spec{Generation: 7, Locals: locals, Remotes: remotes, Lists: [][]Span{nil}}
	s.Local = []Place{{netip.MustParsePrefix("10.0.0.1/32"), 0}, {netip.MustParsePrefix("fd00::1/128"), 0}, {netip.MustParsePrefix("192.168.0.0/24"), 1}}
	for i := range hosts {
		c := uint32(r.IntN(remotes))
		a := netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
		s.Remote = append(s.Remote, Place{netip.PrefixFrom(a, 32), c}, Place{netip.PrefixFrom(six(a), 128), c})
	}
	for range prefixes {
		a := netip.AddrFrom4([4]byte{10, byte(r.IntN(4)), byte(r.IntN(256)), 0})
		s.Remote = append(s.Remote, Place{netip.PrefixFrom(a, 8+r.IntN(17)).Masked(), uint32(r.IntN(remotes))})
	}
	for range lists {
		var l []Span
		at := uint32(0)
		for i := range spans {
			first := at + uint32(r.IntN(1<<24/spans/2))
			last := first + uint32(r.IntN(1<<24/spans/2))
			l = append(l, Span{first, last, uint32(i), r.IntN(4) == 0})
			at = last + 1
		}
		s.Lists = append(s.Lists, l)
	}
	for range locals * remotes {
		s.In = append(s.In, Pair{uint32(r.IntN(len(s.Lists))), r.IntN(8) == 0})
		s.Out = append(s.Out, Pair{uint32(r.IntN(len(s.Lists))), r.IntN(8) == 0})
	}
	return s
}

func six(a netip.Addr) netip.Addr {
	b := netip.MustParseAddr("fd00::").As16()
	v := a.As4()
	copy(b[12:], v[:])
	return netip.AddrFrom16(b)
}

// naive judges as the package comment says, without any structure.
func naive(places, others []Place, pairs []Pair, s *Spec, remoteIsSource bool, p *Packet, ipsec bool) (Reason, uint32) {
	class := func(places []Place, a netip.Addr) (best Place, ok bool) {
		for _, x := range places {
			if x.Prefix.Contains(a) && (!ok || x.Prefix.Bits() >= best.Prefix.Bits()) {
				best, ok = x, true
			}
		}
		return best, ok
	}
	from, ok := class(places, p.Src.Netip())
	if !ok {
		return UnknownSource, 0
	}
	to, ok := class(others, p.Dst.Netip())
	if !ok {
		return UnknownDestination, 0
	}
	local, remote := from.Class, to.Class
	if remoteIsSource {
		local, remote = remote, local
	}
	pair := pairs[int(local)*s.Remotes+int(remote)]
	if p.Fragment == Later {
		for v := uint32(p.Proto) << 16; v <= uint32(p.Proto)<<16|65535; v++ {
			if x, ok := spanOf(s.Lists[pair.List], v); !ok || x.Deny {
				return LaterFragment, 0
			}
		}
	} else if x, ok := spanOf(s.Lists[pair.List], p.Service()); !ok {
		return NoRule, 0
	} else if x.Deny {
		return Denied, x.Rule
	}
	if pair.IPsec && !ipsec {
		return NeedsIPsec, 0
	}
	return Allowed, 0
}

func spanOf(list []Span, v uint32) (Span, bool) {
	for _, x := range list {
		if x.First <= v && v <= x.Last {
			return x, true
		}
	}
	return Span{}, false
}

func randomPacket(r *rand.Rand, hosts int) (p Packet, in bool) {
	remote := netip.AddrFrom4([4]byte{10, byte(1 + r.IntN(2)), byte(r.IntN(hosts/128 + 1)), byte(r.IntN(256))})
	local := netip.AddrFrom4([4]byte{10, 0, 0, 1})
	if r.IntN(3) == 0 {
		local = netip.AddrFrom4([4]byte{192, 168, byte(r.IntN(16) / 15), byte(r.IntN(256))})
	}
	if r.IntN(3) == 0 {
		remote, local = six(remote), netip.MustParseAddr("fd00::1")
	}
	p = Packet{Src: AddressOf(remote), Dst: AddressOf(local), Proto: uint8(r.IntN(256)), DstPort: uint16(r.IntN(65536))}
	if r.IntN(2) == 0 {
		p.Proto = TCP
	}
	if r.IntN(50) == 0 {
		p.Fragment, p.DstPort = Later, 0
	}
	in = r.IntN(2) == 0
	if !in {
		p.Src, p.Dst = p.Dst, p.Src
	}
	return p, in
}

func TestSetDecidesAsTheNaiveWay(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	seen := map[Reason]int{}
	for range 30 {
		hosts := 4 + r.IntN(200)
		spec := scene(r, hosts, r.IntN(40), 1+r.IntN(20), 1+r.IntN(30))
		s, err := New(spec)
		if err != nil {
			t.Fatal(err)
		}
		for range 600 {
			p, in := randomPacket(r, hosts)
			ipsec := r.IntN(2) == 0
			var got, again, want Reason
			var rule int
			var wantRule uint32
			if in {
				got = s.In(&p, ipsec)
				again, rule = s.JudgeIn(&p, ipsec)
				want, wantRule = naive(spec.Remote, spec.Local, spec.In, spec, true, &p, ipsec)
			} else {
				got = s.Out(&p, ipsec)
				again, rule = s.JudgeOut(&p, ipsec)
				want, wantRule = naive(spec.Local, spec.Remote, spec.Out, spec, false, &p, ipsec)
			}
			if got != want || again != want || want == Denied && s.Rules()[rule] != wantRule {
				t.Fatalf("%+v in=%v: %v by %d, want %v by %d", p, in, got, rule, want, wantRule)
			}
			seen[got]++
		}
	}
	for _, r := range []Reason{Allowed, NoRule, Denied, UnknownSource, UnknownDestination, NeedsIPsec, LaterFragment} {
		if seen[r] == 0 {
			t.Errorf("never %v", r)
		}
	}
}

func TestHostileSpecsAreRefused(t *testing.T) {
	good := func() *Spec { return scene(rand.New(rand.NewPCG(1, 1)), 8, 4, 3, 4) }
	for name, spoil := range map[string]func(*Spec){
		"no lists":         func(s *Spec) { s.Lists = nil },
		"first list":       func(s *Spec) { s.Lists[0] = s.Lists[1] },
		"unknown list":     func(s *Spec) { s.In[0].List = 99 },
		"unknown class":    func(s *Spec) { s.Remote[0].Class = 99 },
		"missing pairs":    func(s *Spec) { s.Out = s.Out[1:] },
		"negative":         func(s *Spec) { s.Locals = -1 },
		"overflow":         func(s *Spec) { s.Locals, s.Remotes = 1<<31, 1<<31 },
		"overlap":          func(s *Spec) { s.Lists[1][1].First = s.Lists[1][0].Last },
		"backwards":        func(s *Spec) { s.Lists[1][0].First = s.Lists[1][0].Last + 1 },
		"beyond":           func(s *Spec) { s.Lists[1][3].Last = 1 << 24 },
		"no prefix":        func(s *Spec) { s.Local[0].Prefix = netip.Prefix{} },
		"a mapped address": func(s *Spec) { s.Local[0].Prefix = netip.MustParsePrefix("::ffff:1.2.3.4/128") },
	} {
		s := good()
		spoil(s)
		if _, err := New(s); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := New(good()); err != nil {
		t.Error(err)
	}
}

func TestDecidingAllocatesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	s, _ := New(scene(r, 1000, 100, 100, 100))
	b4p, b6p := packet4("10.1.0.7", "10.0.0.1", TCP, tcp(1, 443)), packet6("fd00::a01:7", "fd00::1", UDP, udp(1, 53))
	var p Packet
	if n := testing.AllocsPerRun(100, func() {
		for _, b := range [][]byte{b4p, b6p} {
			p.Parse(b)
			s.In(&p, false)
			s.Out(&p, false)
			s.JudgeIn(&p, false)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkIn judges packets of random peers under lists of 1,000 rules: such as pass, and such as do not.
func BenchmarkIn(b *testing.B) {
	for _, c := range []struct {
		name            string
		hosts, prefixes int
	}{{"overlay", 1000, 0}, {"routed", 8, 10_000}} {
		r := rand.New(rand.NewPCG(8, 9))
		s, err := New(scene(r, c.hosts, c.prefixes, 20, 1000))
		if err != nil {
			b.Fatal(err)
		}
		for _, passes := range []bool{true, false} {
			var packets []Packet
			for len(packets) < 4096 {
				a := netip.AddrFrom4([4]byte{10, 1, byte(r.IntN(c.hosts) >> 8), byte(r.IntN(min(c.hosts, 256)))})
				if c.prefixes > 0 {
					a = netip.AddrFrom4([4]byte{10, byte(r.IntN(4)), byte(r.IntN(256)), byte(1 + r.IntN(255))})
				}
				p := Packet{Src: AddressOf(a), Dst: AddressOf(netip.AddrFrom4([4]byte{10, 0, 0, 1})), Proto: TCP, DstPort: uint16(r.IntN(65536))}
				if (s.In(&p, true) == Allowed) == passes {
					packets = append(packets, p)
				}
			}
			b.Run(fmt.Sprintf("%s/passes=%v", c.name, passes), func(b *testing.B) {
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					s.In(&packets[i&4095], true)
					i++
				}
			})
		}
	}
	raw := packet4("10.1.0.7", "10.0.0.1", TCP, tcp(1, 443))
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		var p Packet
		for b.Loop() {
			p.Parse(raw)
		}
	})
}

func TestLaterFragmentsNeedAllPortsWhateverRulesSayIt(t *testing.T) {
	const first, last = UDP << 16, UDP<<16 | 0xffff
	for name, c := range map[string]struct {
		list []Span
		want Reason
	}{
		"one rule":              {[]Span{{first, last, 1, false}}, Allowed},
		"more than one proto":   {[]Span{{0, 1<<24 - 1, 1, false}}, Allowed},
		"rules beside another":  {[]Span{{first, first + 99, 1, false}, {first + 100, first + 100, 2, false}, {first + 101, last + 5, 3, false}}, Allowed},
		"a gap":                 {[]Span{{first, first + 99, 1, false}, {first + 101, last, 3, false}}, LaterFragment},
		"a denial between":      {[]Span{{first, first + 99, 1, false}, {first + 100, first + 100, 2, true}, {first + 101, last, 3, false}}, LaterFragment},
		"all but the last port": {[]Span{{first, last - 1, 1, false}}, LaterFragment},
		"nothing":               {nil, LaterFragment},
	} {
		for _, more := range []int{0, long} { // with ports, too
			list := c.list
			for i := range more {
				list = append(list, Span{uint32(SCTP<<16 + 2*i), uint32(SCTP<<16 + 2*i), 9, false})
			}
			if len(c.list) > 0 && c.list[0].Last == 1<<24-1 {
				list = c.list
			}
			s, err := New(&Spec{Locals: 1, Remotes: 1, Local: []Place{{netip.MustParsePrefix("10.0.0.1/32"), 0}}, Remote: []Place{{netip.MustParsePrefix("10.0.0.2/32"), 0}},
				In: []Pair{{List: 1}}, Out: []Pair{{List: 1}}, Lists: [][]Span{nil, list}})
			if err != nil {
				t.Fatal(err)
			}
			p := Packet{Src: AddressOf(netip.MustParseAddr("10.0.0.2")), Dst: AddressOf(netip.MustParseAddr("10.0.0.1")), Proto: UDP, Fragment: Later}
			if got := s.In(&p, false); got != c.want {
				t.Errorf("%s: %v", name, got)
			}
		}
	}
}

// What is known of the address at hand is what the table says: also where it is there twice, and where there is none and the packet's is ::.
func TestHomeIsWhatTheTableSays(t *testing.T) {
	host := func(a string, class uint32) Place {
		p := netip.MustParseAddr(a)
		return Place{netip.PrefixFrom(p, p.BitLen()), class}
	}
	behind := Place{netip.MustParsePrefix("fd00::/8"), 0}
	for name, local := range map[string][]Place{
		"nothing":     nil,
		"one":         {host("10.0.0.1", 1)},
		"twice":       {host("10.0.0.1", 0), host("10.0.0.1", 1)},
		"behind":      {behind},
		"unspecified": {behind, host("::", 1), host("10.0.0.1", 0)},
	} {
		side := newSide(local)
		h := side.home(local)
		if class, known := side.class(h.address); h.class != class || h.known != known {
			t.Errorf("%s: %+v, the table says %d %v", name, h, class, known)
		}
		s, err := New(&Spec{Local: local, Remote: []Place{host("10.0.0.2", 0), host("fd00::2", 0)}, Locals: 2, Remotes: 1, In: make([]Pair, 2), Out: make([]Pair, 2), Lists: [][]Span{nil}})
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range []string{"::", "10.0.0.1", "fd00::1", "10.0.0.9"} {
			want := NoRule
			if _, known := side.class(AddressOf(netip.MustParseAddr(a))); !known {
				want = UnknownSource
			}
			if got, _ := s.Judge(true, AddressOf(netip.MustParseAddr(a)), AddressOf(netip.MustParseAddr("fd00::2")), TCP<<16, TCP<<16, false); got != want {
				t.Errorf("%s, from %s: %v, want %v", name, a, got, want)
			}
		}
	}
}
