package path

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/disco"
)

func finder(guess bool) *Finder {
	f := NewFinder(Config{Refused: []netip.Prefix{netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("fd7a::/48")}, Guess: guess}, 1, source{rand.New(rand.NewPCG(1, 1))})
	var out Decisions
	f.Own(start, Own{Mapping: disco.MappingEndpointIndependent, Prefixes: []netip.Prefix{netip.MustParsePrefix("192.168.7.9/24")}}, &out)
	f.Relay(start, 1, true, &out)
	return f
}

func candidates(all ...string) (cs []disco.Candidate) {
	for _, a := range addrs(all...) {
		cs = append(cs, disco.Candidate{Addr: a, Kind: disco.ServerReflexive})
	}
	return cs
}

// guard watches what a Finder sends directly.
type guard struct {
	t      testing.TB
	pings  map[netip.AddrPort][]mono.Time
	pongs  map[netip.AddrPort][]mono.Time
	proven map[netip.AddrPort]bool
	f      *Finder
}

func newGuard(t testing.TB, f *Finder) *guard {
	return &guard{t, map[netip.AddrPort][]mono.Time{}, map[netip.AddrPort][]mono.Time{}, map[netip.AddrPort]bool{}, f}
}

// look takes the messages of a call.
func (g *guard) look(now mono.Time, out *Decisions) {
	for _, s := range out.Sends {
		if s.Way.Relay != 0 {
			continue
		}
		to := s.Way.Remote
		if !g.f.refuse.takes(to) {
			g.t.Fatalf("%v was sent to", to)
		}
		switch {
		case g.proven[to]:
		case s.Message.Kind == disco.Ping:
			g.pings[to] = append(g.pings[to], now)
			g.pings[netip.AddrPortFrom(to.Addr(), 0)] = append(g.pings[netip.AddrPortFrom(to.Addr(), 0)], now)
		case s.Message.Kind == disco.Pong:
			g.pongs[to] = append(g.pongs[to], now)
		default:
			g.t.Fatalf("a message of kind %d went to %v, which proved nothing", s.Message.Kind, to)
		}
	}
	out.Reset()
}

// judge reports more in a second than may be.
func (g *guard) judge() {
	for _, m := range []map[netip.AddrPort][]mono.Time{g.pings, g.pongs} {
		for a, at := range m {
			bound := perAddress
			if a.Port() == 0 {
				bound = perHost
			}
			for i := range at {
				if i >= bound && at[i].Sub(at[i-bound]) < time.Second {
					g.t.Fatalf("%v got %d datagrams within %v", a, bound+1, at[i].Sub(at[i-bound]))
				}
			}
		}
	}
}

func (g *guard) run(now mono.Time, d time.Duration, out *Decisions) mono.Time {
	end := now.Add(d)
	for at := g.f.Deadline(); !at.IsNever() && at < end; at = g.f.Deadline() {
		now = max(now, at)
		g.f.Tick(now, out)
		g.look(now, out)
	}
	return end
}

func TestAThousandPeersCannotMakeAWeapon(t *testing.T) {
	f := finder(true)
	g := newGuard(t, f)
	var out Decisions
	var named []disco.Candidate
	for port := range 40 {
		named = append(named, disco.Candidate{Addr: netip.AddrPortFrom(netip.MustParseAddr("203.0.113.5"), uint16(1+port)), Kind: disco.RelaySeen})
	}
	now := start
	for id := range Peer(1000) {
		f.SetPeer(now, id, Known{Candidates: named, Relays: [4]uint8{1}}, &out)
		f.Wanted(now, id, &out)
		g.look(now, &out)
	}
	for round := range uint64(20) {
		for id := range Peer(1000) {
			f.Sent(now, id, 100, &out)
			f.Message(now, id, Way{Relay: 1}, disco.Message{Kind: disco.Offer, ID: round + 1, Candidates: named, Mapping: disco.MappingAddressPortDependent}, &out)
			f.Message(now, id, Way{Remote: named[id%16].Addr}, disco.Message{Kind: disco.Ping, ID: uint64(id)}, &out)
			f.Punch(now, id, &out)
			g.look(now, &out)
			if n := len(f.peers[id].search.tracks); n > maxTracks {
				t.Fatalf("%d ways", n)
			}
		}
		now = g.run(now, 500*time.Millisecond, &out)
	}
	g.judge()
	if n := len(g.pings[netip.MustParseAddrPort("203.0.113.5:0")]); n == 0 || n > 11*perHost {
		t.Errorf("%d pings", n)
	}
}

func TestNoPeerIsThere(t *testing.T) {
	f := finder(false)
	for _, a := range []string{
		"127.0.0.1:1", "[::1]:1", "169.254.169.254:80", "169.254.1.1:9", "224.0.0.1:9", "255.255.255.255:9", "240.0.0.1:9", "0.0.0.0:9", "0.1.2.3:9",
		"[ff02::1]:9", "[fe80::1]:9", "[::]:9", "[::ffff:127.0.0.1]:9", "100.100.100.200:80", "168.63.129.16:80", "[fd00:ec2::254]:80",
		"100.64.0.9:9", "100.127.255.255:9", "[fd7a::5]:9", "192.168.7.255:9", "192.0.2.1:0", "[64:ff9b::7f00:1]:9", "[2002:7f00:1::]:9", "[::127.0.0.1]:9",
		"[64:ff9b::6440:1]:9",
	} {
		if p := netip.MustParseAddrPort(a); f.refuse.takes(netip.AddrPortFrom(p.Addr().Unmap(), p.Port())) {
			t.Errorf("%s is taken", a)
		}
	}
	for _, a := range []string{"192.168.7.1:9", "10.0.0.255:9", "203.0.113.1:9", "[2001:db8::1]:9", "[fd00::1]:9", "[64:ff9b::c000:201]:9"} {
		if !f.refuse.takes(netip.MustParseAddrPort(a)) {
			t.Errorf("%s is refused", a)
		}
	}
}

// hunted is a Finder that pings the only peer, 203.0.113.5:9; it returns the ping.
func hunted(t *testing.T) (*Finder, disco.Message, *Decisions) {
	t.Helper()
	f, out := finder(false), &Decisions{}
	f.SetPeer(start, 1, Known{Candidates: candidates("203.0.113.5:9")}, out)
	f.Wanted(start, 1, out)
	f.Punch(start, 1, out)
	f.Tick(start, out)
	for _, s := range out.Sends {
		if s.Message.Kind == disco.Ping && s.Way.Direct() {
			out.Reset()
			return f, s.Message, out
		}
	}
	t.Fatal("nothing was pinged")
	return nil, disco.Message{}, nil
}

func TestOnlyTheAnswerToAPingProvesAWay(t *testing.T) {
	there := netip.MustParseAddrPort("203.0.113.5:9")
	for name, c := range map[string]struct {
		from  Way
		wrong uint64
		want  bool
	}{
		"as it should be":            {Way{Remote: there}, 0, true},
		"another transaction":        {Way{Remote: there}, 1, false},
		"from another address":       {Way{Remote: netip.MustParseAddrPort("203.0.113.6:9")}, 0, false},
		"from another port":          {Way{Remote: netip.MustParseAddrPort("203.0.113.5:10")}, 0, false},
		"to another socket":          {Way{Remote: there, Socket: 3}, 0, false},
		"through a relay":            {Way{Relay: 1}, 0, false},
		"from a relay without a way": {Way{}, 0, false},
	} {
		f, ping, out := hunted(t)
		now := start.Add(20 * time.Millisecond)
		f.Heard(now, 1, c.from, out)
		f.Message(now, 1, c.from, disco.Message{Kind: disco.Pong, ID: ping.ID ^ c.wrong, Size: ping.Size}, out)
		f.Message(now, 1, c.from, disco.Message{Kind: disco.Ping, ID: 7}, out)
		st, _ := f.Status(1)
		if st.Chosen.Direct() != c.want {
			t.Errorf("%s: chosen %v", name, st.Chosen)
		}
	}
}

func TestPongCountsOnce(t *testing.T) {
	f, ping, out := hunted(t)
	w := Way{Remote: netip.MustParseAddrPort("203.0.113.5:9")}
	pong := disco.Message{Kind: disco.Pong, ID: ping.ID, Size: ping.Size}
	f.Message(start.Add(time.Millisecond), 1, w, pong, out)
	f.peers[1].search.find(w).fail(start.Add(time.Second))
	f.Message(start.Add(time.Second), 1, w, pong, out)
	if !f.peers[1].search.find(w).proven.IsNever() {
		t.Error("a replayed pong proved the way")
	}
}

func TestReplayedOfferChangesNothing(t *testing.T) {
	f, _, out := hunted(t)
	offer := func(id uint64, a string) {
		f.Message(start, 1, Way{Relay: 1}, disco.Message{Kind: disco.Offer, ID: id, Candidates: candidates(a), StartIn: answers}, out)
	}
	offer(5, "192.0.2.1:1")
	n := len(f.peers[1].search.tracks)
	offer(5, "192.0.2.2:1")
	offer(4, "192.0.2.3:1")
	if len(f.peers[1].search.tracks) != n {
		t.Error("an old offer was taken")
	}
}

// guessing counts the ports of a peer that are probed within some minutes.
func guessedPorts(t *testing.T, seen bool, mine, theirs disco.Mapping) (probes, sockets int) {
	f, out := finder(true), &Decisions{}
	now := start
	f.Own(now, Own{Mapping: mine}, out)
	for id := range Peer(3) {
		f.SetPeer(now, id, Known{Relays: [4]uint8{1}}, out)
	}
	var began []mono.Time
	by := map[Peer]bool{}
	for now < start.Add(100*time.Second) {
		for id := range Peer(3) {
			f.Sent(now, id, 100, out)
			f.Message(now, id, Way{Relay: 1}, disco.Message{Kind: disco.Offer, ID: uint64(now), Candidates: candidates(fmt.Sprintf("203.0.113.%d:9", id)), Mapping: theirs}, out)
			if seen {
				f.Seen(now, id, netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(id)}), 9))
			}
		}
		end := now.Add(100 * time.Millisecond)
		for f.Deadline() < end {
			now = max(now, f.Deadline())
			f.Tick(now, out)
		}
		now = end
		for _, s := range out.Sends {
			if s.Way.Direct() && s.Way.Remote.Port() != 9 {
				probes++
				if !by[s.Peer] {
					by[s.Peer] = true
					began = append(began, now)
				}
			}
		}
		for _, e := range out.Events {
			if e.Kind == OpenSockets && e.Count > 1 {
				sockets += e.Count
			}
		}
		out.Reset()
	}
	if len(began) > 1 && began[1].Sub(began[0]) < time.Second {
		t.Error("two peers at one time")
	}
	return probes, sockets
}

func TestPortsAreGuessedOnlyWhereAPeerWasSeen(t *testing.T) {
	const e, h = disco.MappingEndpointIndependent, disco.MappingAddressPortDependent
	for _, c := range []struct {
		seen         bool
		mine, theirs disco.Mapping
		most         int
		sockets      int
	}{
		{true, e, h, 3 * 2 * guessProbes, 0}, {true, h, e, 0, 3 * 2 * guessSockets},
		{false, e, h, 0, 0}, {false, h, e, 0, 0}, {true, h, h, 0, 0}, {true, e, e, 0, 0},
	} {
		probes, sockets := guessedPorts(t, c.seen, c.mine, c.theirs)
		if probes > c.most || sockets > c.sockets || (probes == 0) != (c.most == 0) || (sockets == 0) != (c.sockets == 0) {
			t.Errorf("%+v: %d probes, %d sockets", c, probes, sockets)
		}
	}
}

func TestEachPortIsGuessedOnce(t *testing.T) {
	for r := range uint32(50) {
		step := coprime(r * 7919)
		seen := make([]bool, ports)
		at := r
		for range ports {
			if seen[at] {
				t.Fatalf("step %d comes back early", step)
			}
			seen[at] = true
			at = (at + step) % ports
		}
	}
}

func TestSilentPeersAreSmall(t *testing.T) {
	const n = 20_000
	f, out := finder(false), &Decisions{}
	shared := candidates("203.0.113.5:9")
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for id := range Peer(n) {
		f.SetPeer(start, id, Known{Candidates: shared, Relays: [4]uint8{1}}, out)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	per := float64(after.HeapAlloc-before.HeapAlloc) / n
	t.Logf("%.0f bytes a silent peer", per)
	if per > 120 {
		t.Errorf("%.0f bytes a silent peer", per)
	}
	runtime.KeepAlive(f)
}

func TestTalkingAllocatesNothing(t *testing.T) {
	s := newSim(t, 1, "port", "port")
	if !s.bothTalk(5 * time.Second) {
		t.Fatal("never direct")
	}
	n := s.nodes[0]
	now, w := s.now, n.using
	if got := testing.AllocsPerRun(1000, func() {
		now = now.Add(time.Millisecond)
		n.f.Sent(now, 0, 100, &n.out)
		n.f.Heard(now, 0, w, &n.out)
		n.out.Reset()
	}); got > 0 {
		t.Errorf("%v allocations", got)
	}
}

// FuzzFinder feeds a Finder whatever peers, relays and the system may say.
func FuzzFinder(f *testing.F) {
	f.Add([]byte("the quick brown fox jumps over the lazy dog"))
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 12 {
		b := make([]byte, 100*(n+1))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, in []byte) { play(t, in) })
}

// game is a Finder among enemies.
type game struct {
	*testing.T
	f     *Finder
	out   Decisions
	now   mono.Time
	g     *guard
	asked []Send // pings that nobody has answered
}

var places = addrs("203.0.113.5:9", "203.0.113.5:10", "192.168.7.3:1", "[2001:db8::7]:2", "127.0.0.1:3", "100.64.0.1:4", "198.51.100.1:5", "198.51.100.2:6")

// play decodes bytes to inputs, four a step.
func play(t *testing.T, in []byte) {
	f := finder(true)
	p := &game{T: t, f: f, now: start, g: newGuard(t, f)}
	for ; len(in) >= 4; in = in[4:] {
		p.now = p.now.Add(time.Duration(in[3]) * time.Duration(in[1]>>2) * 100 * time.Microsecond)
		if !p.own(in) {
			p.theirs(in)
		}
		p.settle()
		f.Status(Peer(in[1] % 4))
	}
	p.g.judge()
}

// own is an input of our own side.
func (p *game) own(in []byte) bool {
	id, where, x := Peer(in[1]%4), places[in[2]%8], in[3]
	switch in[0] % 20 {
	case 0:
		p.f.SetPeer(p.now, id, Known{Candidates: candidates(where.String()), Relays: [4]uint8{x % 10, in[2] % 10}}, &p.out)
	case 1:
		p.f.RemovePeer(p.now, id, &p.out)
	case 2:
		p.f.Own(p.now, Own{Candidates: candidates(where.String()), Mapping: disco.Mapping(x % 6), Lifetime: time.Duration(x) * time.Second}, &p.out)
	case 3:
		p.f.Relay(p.now, x%10, in[2]&1 == 0, &p.out)
	case 4, 5:
		p.f.Wanted(p.now, id, &p.out)
	case 6, 7:
		p.f.Sent(p.now, id, 100, &p.out)
	case 14:
		p.f.Punch(p.now, id, &p.out)
	case 15:
		p.f.Wake(p.now, Cause(x), &p.out)
	case 16:
		p.f.SocketOpened(p.now, id, uint16(x%3), where, &p.out)
	case 17:
		p.f.SocketClosed(p.now, uint16(x%3), &p.out)
	default:
		return false
	}
	return true
}

// theirs is what a peer says, or a relay.
func (p *game) theirs(in []byte) {
	id, where, x := Peer(in[1]%4), places[in[2]%8], in[3]
	w := Way{Remote: where, Socket: uint16(x % 3)}
	if in[2]&0x80 != 0 {
		w = Way{Relay: in[2] % 11}
	}
	say := func(m disco.Message) { p.f.Message(p.now, id, w, m, &p.out) }
	switch in[0] % 20 {
	case 8:
		p.f.Heard(p.now, id, w, &p.out)
	case 9:
		say(disco.Message{Kind: disco.Ping, ID: uint64(x), Size: 100 * int(in[2])})
	case 10:
		say(disco.Message{Kind: disco.Pong, ID: uint64(x), Size: 100 * int(in[2])})
	case 11, 12:
		say(disco.Message{Kind: disco.Offer, ID: uint64(p.now), Candidates: candidates(where.String(), places[x%8].String()), Mapping: disco.Mapping(x % 7), StartIn: uint16(x) << 8})
	case 13:
		say(disco.Message{Kind: disco.Kind(x), ID: uint64(x), StartIn: asks, Size: int(x)})
	case 18:
		p.f.Seen(p.now, id, where)
		p.f.TooBig(p.now, id, w, &p.out)
	case 19: // as an honest peer does
		for _, s := range p.asked {
			if s.Way.Direct() {
				p.g.proven[s.Way.Remote] = true
			}
			p.f.Message(p.now, s.Peer, s.Way, disco.Message{Kind: disco.Pong, ID: s.Message.ID, Size: s.Message.Size}, &p.out)
		}
		p.asked = nil
	}
}

// settle does what is due and looks whether all is as it must be.
func (p *game) settle() {
	for range 100 {
		if at := p.f.Deadline(); at.IsNever() || at > p.now {
			break
		}
		p.f.Tick(p.now, &p.out)
	}
	if at := p.f.Deadline(); !at.IsNever() && at <= p.now {
		p.Fatal("a Finder that wants to be woken for ever")
	}
	for _, s := range p.out.Sends {
		if s.Message.Kind == disco.Ping && len(p.asked) < 3 {
			p.asked = append(p.asked, s)
		}
	}
	if p.f.guesses.by == nil {
		p.g.look(p.now, &p.out)
	}
	p.out.Reset()
	for _, one := range p.f.peers {
		s := one.search
		switch {
		case s == nil:
		case len(s.tracks) > maxTracks || s.index >= len(p.f.queue.heap) || p.f.queue.heap[s.index] != s:
			p.Fatalf("%d ways, index %d", len(s.tracks), s.index)
		case s.chosen.IsValid() && s.find(s.chosen) == nil:
			p.Fatalf("the way in use is not known: %v", s.chosen)
		}
	}
}

func TestQueueKeepsOrder(t *testing.T) {
	var q queue
	r := rand.New(rand.NewPCG(3, 3))
	var all []*search
	for i := range 200 {
		s := &search{id: Peer(i), at: mono.Time(1 + r.IntN(50))}
		all = append(all, s)
		q.add(s)
	}
	for range 1000 {
		s := all[r.IntN(len(all))]
		q.move(s, mono.Time(1+r.IntN(50)))
	}
	for _, s := range all[:50] {
		q.remove(s)
	}
	var got []mono.Time
	for q.due(100) != nil {
		got = append(got, q.first())
		q.remove(q.heap[0])
	}
	if len(got) != 150 || !slices.IsSorted(got) {
		t.Errorf("%d, sorted %v", len(got), slices.IsSorted(got))
	}
}
