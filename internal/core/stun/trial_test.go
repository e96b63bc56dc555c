package stun

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/sim/natmodel"
)

// bench is a NAT, a server outside, and a node inside that measures, in virtual time.
type bench struct {
	*testing.T
	rnd    *rand.Rand
	now    mono.Time
	box    *natmodel.Box
	kind   string
	server Server
	dead   bool // the server
	loss   float64
	l      Lifetime
	tries  []time.Duration
	fresh  uint16
}

var (
	trialServer = netip.MustParseAddrPort("203.0.113.10:443")
	trialMain   = netip.MustParseAddrPort("192.168.1.2:41641")
)

type dice struct{ *rand.Rand }

func (d dice) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(d.Uint32())
	}
	return len(b), nil
}

func newBench(t *testing.T, kind string, lifetime time.Duration, seed uint64) *bench {
	b := &bench{T: t, rnd: rand.New(rand.NewPCG(seed, 3)), now: mono.Time(time.Hour), kind: kind, server: Server{Ports: true}}
	b.keeps(lifetime)
	b.l.Moved(b.now, 0)
	return b
}

// keeps has the NAT keep idle mappings that long from now on.
func (b *bench) keeps(d time.Duration) {
	c, err := natmodel.Kind(b.kind)
	if err != nil {
		b.Fatal(err)
	}
	c.Lifetime = d
	b.box = natmodel.New(c, netip.MustParseAddr("198.51.100.1"), b.rnd)
}

// ask carries a question of a socket to the server, and the answer to whichever socket it reaches.
func (b *bench) ask(tr *Trial, from, spare netip.AddrPort, q Transmit) {
	seen, ok := b.box.Out(b.now, from, q.To)
	if !ok || b.dead || b.rnd.Float64() < b.loss {
		return
	}
	a, change, ok := b.server.Answer(nil, q.Data, seen)
	if len(a) > len(q.Data) {
		b.Fatalf("%d bytes for %d", len(a), len(q.Data))
	}
	if !ok || change != 0 || b.rnd.Float64() < b.loss {
		return
	}
	if to, ok := b.box.In(b.now, q.To, Towards(q.Data, a, seen)); ok && (to == spare || to == trialMain) {
		tr.Datagram(b.now, to == spare, q.To, a)
	}
}

// run lets time pass.
func (b *bench) run(d time.Duration) {
	for end := b.now.Add(d); b.l.Deadline() < end; {
		b.now = max(b.now, b.l.Deadline())
		idle := b.l.Begin(b.now)
		if idle == 0 {
			b.Fatal("it wakes up for nothing")
		}
		b.tries = append(b.tries, idle)
		b.fresh++
		spare := netip.AddrPortFrom(trialMain.Addr(), 20000+b.fresh)
		tr, quiet, main := NewTrial(trialServer, idle, dice{b.rnd}), Out{}, Out{}
		for tr.Start(b.now, &quiet); ; tr.Tick(b.now, &quiet, &main) {
			for _, q := range quiet.Transmits {
				b.ask(tr, spare, spare, q)
			}
			for _, q := range main.Transmits {
				b.ask(tr, trialMain, spare, q)
			}
			quiet.Reset()
			main.Reset()
			if tr.Verdict() != Undecided {
				break
			}
			b.now = max(b.now, tr.Deadline())
		}
		b.l.Ended(b.now, tr.Verdict())
	}
}

// fits is the longest rung that is shorter than what a NAT keeps.
func fits(keeps time.Duration) (known time.Duration) {
	for _, r := range rungs {
		if r < keeps {
			known = r
		}
	}
	return known
}

func TestALifetimeIsMeasuredWhateverTheNAT(t *testing.T) {
	for _, kind := range []string{"fw", "fullcone", "addr", "port", "port+rand", "linux+openinput", "symaddr", "sym"} {
		for i, keeps := range []time.Duration{15, 30, 60, 120, 300} {
			b := newBench(t, kind, keeps*time.Second+time.Second, uint64(i))
			b.loss = 0.02
			b.run(50 * time.Minute)
			if got := b.l.Known(); got != fits(keeps*time.Second+time.Second) {
				t.Errorf("%s keeps %v, and that is taken for %v: %v", kind, keeps*time.Second, got, b.tries)
			}
		}
	}
}

// What is known is never more than what the NAT keeps, at any time, however lossy the network is; and once it has changed, not for longer than between two rounds.
func TestALifetimeIsNeverTakenForLonger(t *testing.T) {
	for seed := range uint64(400) {
		first := time.Duration(12+seed%150) * time.Second
		b := newBench(t, []string{"port", "sym", "fullcone"}[seed%3], first, seed)
		b.loss = float64(seed%5) / 20
		for range 60 {
			b.run(time.Minute)
			b.now = b.now.Add(time.Minute)
			if known := b.l.Known(); known > first && known > rungs[firstRung] {
				t.Fatalf("seed %d: %v is taken for %v", seed, first, known)
			}
		}
		second := time.Duration(12+(seed*7)%150) * time.Second
		b.keeps(second)
		b.loss = 0
		for range 240 {
			b.run(time.Minute)
			b.now = b.now.Add(time.Minute)
		}
		if got := b.l.Known(); got != fits(second) {
			t.Errorf("seed %d: after %v it is %v, and taken for %v", seed, first, second, got)
		}
	}
}

func TestATrialThatTellsNothingChangesNothing(t *testing.T) {
	for name, spoil := range map[string]func(*bench){
		"an older server": func(b *bench) { b.server.Ports = false },
		"a dead server":   func(b *bench) { b.dead = true },
	} {
		b := newBench(t, "port", time.Minute, 1)
		spoil(b)
		b.run(5 * time.Hour)
		if b.l.Known() != 0 || len(b.tries) < 3 || len(b.tries) > 40 {
			t.Errorf("%s: %v after %v", name, b.l.Known(), b.tries)
		}
	}
	b := newBench(t, "port", time.Minute, 1) // it dies in the middle
	b.run(5 * time.Minute)
	known := b.l.Known()
	b.dead = true
	b.run(5 * time.Hour)
	if known == 0 || b.l.Known() != known {
		t.Error("was", known, "is", b.l.Known())
	}
}

func TestWhatIsLostEarlierThanThoughtCountsNoMore(t *testing.T) {
	b := newBench(t, "port", 5*time.Minute, 1)
	b.run(30 * time.Minute)
	if b.l.Known() != rungs[len(rungs)-1] {
		t.Fatal(b.l.Known())
	}
	for _, want := range []time.Duration{20, 15, 12, 10, 10} {
		if b.l.Forgot(b.now); b.l.Known() != want*time.Second {
			t.Errorf("%v, not %v", b.l.Known(), want*time.Second)
		}
	}
	if b.run(30 * time.Minute); b.l.Known() != rungs[len(rungs)-1] {
		t.Error("it is not measured again:", b.l.Known())
	}
	b.l.Moved(b.now, time.Minute)
	if b.l.Known() != 0 || b.l.Deadline() != b.now.Add(2*time.Minute) || b.l.Ended(b.now, Lives) {
		t.Error("it is remembered elsewhere")
	}
}

func TestAnAnswerGoesToAnotherPortOnlyIfAskedSo(t *testing.T) {
	from := netip.MustParseAddrPort("192.0.2.9:999")
	q := AppendRequestTo(nil, TxID{1}, 4242)
	a, _, ok := Server{Ports: true}.Answer(nil, q, from)
	if !ok || len(q) != RequestSize || len(a) > len(q) || Towards(q, a, from) != netip.MustParseAddrPort("192.0.2.9:4242") {
		t.Error(ok, len(q), len(a), Towards(q, a, from))
	}
	a, _, _ = Server{}.Answer(nil, q, from)
	if m, _ := Parse(a); m.Code != codeUnknown || Towards(q, a, from) != from {
		t.Errorf("%+v to %v", m, Towards(q, a, from))
	}
	if plain := AppendRequest(nil, TxID{1}, 0); Towards(plain, mustAnswer(plain, from), from) != from {
		t.Error("elsewhere though nobody asked")
	}
	w := begin(nil, TypeRequest, TxID{1})
	w.attribute(attrResponsePort, 4)
	w.b = append(w.b, 1, 2, 0, 0)
	if _, _, ok := (Server{Ports: true}).Answer(nil, w.b, from); ok {
		t.Error("a short question has something sent elsewhere")
	}
}

func mustAnswer(q []byte, from netip.AddrPort) []byte {
	a, _, _ := Server{Ports: true}.Answer(nil, q, from)
	return a
}
