package path

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/disco"
)

// victims are IPv4 addresses to which nothing may go, in whatever form somebody names them. The last is our own.
var victims = []string{
	"127.0.0.1", "127.9.9.9", "0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.3.4", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
	"100.100.100.200", "168.63.129.16", "100.64.0.9", "192.168.7.255", "192.168.7.9",
}

// disguise writes an IPv4 address in one of the forms that IPv6 has for it.
func disguise(v netip.Addr, form int) netip.Addr {
	var b [16]byte
	put := func(prefix string, at int) netip.Addr {
		b = netip.MustParseAddr(prefix).As16()
		ip := v.As4()
		copy(b[at:], ip[:])
		return netip.AddrFrom16(b)
	}
	switch form {
	case 0:
		return v
	case 1:
		return netip.AddrFrom16(v.As16()) // mapped
	case 2:
		return put("::", 12) // compatible
	case 3:
		return put("64:ff9b::", 12)
	case 4:
		return put("64:ff9b:1::", 12)
	case 5:
		return put("2002::", 2)
	case 6:
		return put("::ffff:0:0:0", 12)
	case 7:
		return put("2001:db8::5efe:0:0", 12) // ISATAP
	case 8:
		return put("2001:db8::200:5efe:0:0", 12)
	}
	return put("2001:0:c000:201::", 12) // Teredo
}

// aimed plays hostile peers against a Finder and counts what leaves its sockets.
type aimed struct {
	*testing.T
	r     *rand.Rand
	f     *Finder
	g     *guard
	out   Decisions
	now   mono.Time
	evil  []netip.AddrPort
	names []netip.AddrPort // harmless ones
	seen  map[netip.Addr]bool
	bouts map[Peer][]mono.Time // of guessing
	aims  map[netip.Addr][]mono.Time
	by    Peer // who was guessed last
	until mono.Time
}

func newAimed(t *testing.T, seed uint64) *aimed {
	a := &aimed{T: t, r: rand.New(rand.NewPCG(seed, 5)), f: finder(true), now: start, seen: map[netip.Addr]bool{}, bouts: map[Peer][]mono.Time{}, aims: map[netip.Addr][]mono.Time{}}
	a.g = newGuard(t, a.f)
	for _, v := range victims {
		for form := range 10 {
			a.evil = append(a.evil, netip.AddrPortFrom(disguise(netip.MustParseAddr(v), form), uint16(1+a.r.IntN(1000))))
		}
	}
	for _, v := range []string{"::1", "::", "fe80::1", "ff02::1", "fec0::1", "fd7a::5", "fd00:ec2::254", "2001:db8:7::9"} {
		a.evil = append(a.evil, netip.AddrPortFrom(netip.MustParseAddr(v), uint16(1+a.r.IntN(1000))))
	}
	for i := range 40 {
		a.names = append(a.names, netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i % 8)}), uint16(1+i)))
	}
	mine := []disco.Mapping{disco.MappingEndpointIndependent, disco.MappingAddressPortDependent}[seed%2]
	a.f.Own(start, Own{Mapping: mine, Prefixes: []netip.Prefix{netip.MustParsePrefix("192.168.7.9/24")}, Candidates: []disco.Candidate{
		{Addr: netip.MustParseAddrPort("192.168.7.9:41641"), Kind: disco.Host}, {Addr: netip.MustParseAddrPort("[2001:db8:7::9]:41641"), Kind: disco.Host}}}, &a.out)
	return a
}

func (a *aimed) where() netip.AddrPort {
	if a.r.IntN(2) == 0 {
		return a.evil[a.r.IntN(len(a.evil))]
	}
	return a.names[a.r.IntN(len(a.names))]
}

// strikes is one thing that a hostile peer can do, or make relays and the controller do.
func (a *aimed) strikes(id Peer) {
	var named []disco.Candidate
	for range a.r.IntN(20) {
		named = append(named, disco.Candidate{Addr: a.where(), Kind: disco.CandidateKind(a.r.IntN(8))})
	}
	w := Way{Remote: a.where()}
	if a.r.IntN(3) > 0 {
		w = Way{Relay: 1}
	}
	say := func(m disco.Message) { a.f.Message(a.now, id, w, m, &a.out) }
	switch a.r.IntN(9) {
	case 0:
		a.f.SetPeer(a.now, id, Known{Candidates: named[:min(len(named), disco.MaxAddresses)], Relays: [4]uint8{1}}, &a.out)
	case 1, 2:
		mapping := []disco.Mapping{disco.MappingEndpointIndependent, disco.MappingAddressPortDependent}[a.r.IntN(2)]
		say(disco.Message{Kind: disco.Offer, ID: uint64(a.now), Candidates: named, Mapping: mapping, StartIn: uint16(a.r.IntN(65536))})
	case 3:
		say(disco.Message{Kind: disco.Ping, ID: a.r.Uint64(), Size: a.r.IntN(1500)})
	case 4:
		say(disco.Message{Kind: disco.Pong, ID: a.r.Uint64(), Size: a.r.IntN(1500), Addresses: []netip.AddrPort{a.where()}})
	case 5:
		a.f.Heard(a.now, id, w, &a.out)
	case 6:
		a.f.Punch(a.now, id, &a.out)
	case 7:
		if at := a.where(); a.r.IntN(4) == 0 {
			a.seen[at.Addr().Unmap()] = true
			a.f.Seen(a.now, id, at)
		}
	case 8:
		a.f.Sent(a.now, id, 100, &a.out)
	}
}

// look judges what leaves: ports from firstPort on are guessed, for nobody names them.
func (a *aimed) look() {
	var plain Decisions
	for _, e := range a.out.Events {
		if e.Kind == OpenSockets && e.Count > 1 {
			for i := range e.Count {
				a.f.SocketOpened(a.now, e.Peer, uint16(100+i), netip.AddrPort{}, &a.out)
			}
		}
	}
	for _, s := range a.out.Sends {
		to := s.Way.Remote
		if !s.Way.Direct() || to.Port() < firstPort && s.Way.Socket == 0 {
			plain.Sends = append(plain.Sends, s)
			continue
		}
		if !a.seen[to.Addr()] {
			a.Fatalf("a port of %v was guessed, which nobody of ours has seen", to)
		}
		if s.Peer != a.by || a.now >= a.until { // who is guessed in turns with another has more bouts than may be
			a.by, a.until = s.Peer, a.now.Add(guessProbes/guessBurst*guessPace+time.Second)
			a.bouts[s.Peer], a.aims[to.Addr()] = append(a.bouts[s.Peer], a.now), append(a.aims[to.Addr()], a.now)
		}
	}
	for _, s := range plain.Sends {
		for _, e := range a.evil {
			if s.Way.Direct() && s.Way.Remote.Addr().Unmap() == e.Addr().Unmap() {
				a.Fatalf("%v was sent to", s.Way.Remote)
			}
		}
	}
	a.out.Reset()
	a.g.look(a.now, &plain)
}

// Whatever hostile peers say: nothing goes where nobody may be sent to, in no disguise, no more than a few datagrams a second to an address that
// has proven nothing, and ports are guessed only of who was seen, of one peer at a time, once a minute each, and once a minute
// an address, however many peers name it.
func TestHostilePeersCannotAim(t *testing.T) {
	worlds := max(12, *worlds/12)
	if testing.Short() {
		worlds = 10
	}
	guessed := 0
	for seed := range worlds {
		a := newAimed(t, uint64(seed))
		peers := 1 + a.r.IntN(12)
		for id := range Peer(peers) {
			a.f.SetPeer(a.now, id, Known{Relays: [4]uint8{1}}, &a.out)
		}
		for range 1500 {
			a.strikes(Peer(a.r.IntN(peers)))
			a.look()
			for end := a.now.Add(time.Duration(a.r.IntN(300)) * time.Millisecond); ; {
				at := a.f.Deadline()
				if at.IsNever() || at >= end {
					a.now = end
					break
				}
				a.now = max(a.now, at)
				a.f.Tick(a.now, &a.out)
				a.look()
			}
		}
		a.g.judge()
		for id, at := range a.bouts {
			guessed += len(at)
			seldom(t, fmt.Sprintf("seed %d: ports of peer %d", seed, id), at)
		}
		for ip, at := range a.aims {
			seldom(t, fmt.Sprintf("seed %d: ports of %v", seed, ip), at)
		}
	}
	if guessed == 0 {
		t.Error("nobody was guessed: the test is blind")
	}
	t.Logf("%d bouts of guessing in %d worlds", guessed, worlds)
}

func seldom(t *testing.T, what string, at []mono.Time) {
	t.Helper()
	for i := 1; i < len(at); i++ {
		if at[i].Sub(at[i-1]) < guessEvery-guessLead {
			t.Fatalf("%s were guessed twice within %v", what, at[i].Sub(at[i-1]))
		}
	}
}

// Many peers of a hostile map may name one victim. Many honest ones may be behind one NAT: there one that answered lets the next be guessed.
func TestAnAddressIsGuessedOnceAMinuteUnlessItAnswers(t *testing.T) {
	var g guesses
	now, ip := start, netip.MustParseAddr("203.0.113.1")
	guess := func(a netip.Addr) bool {
		if g.spares(now, a) {
			return false
		}
		g.lately = append(g.lately, target{a, now})
		return true
	}
	if !guess(ip) || guess(ip) {
		t.Error("twice, or not at all")
	}
	if g.answered(ip); !guess(ip) {
		t.Error("not though it answered")
	}
	for n := range 2 * maxGuessed {
		guess(netip.AddrFrom4([4]byte{198, 51, 100, byte(n)}))
	}
	if len(g.lately) != maxGuessed {
		t.Error(len(g.lately), "are remembered")
	}
	if now = now.Add(guessEvery); !guess(ip) || len(g.lately) != 1 {
		t.Error("it is never guessed again")
	}
}
