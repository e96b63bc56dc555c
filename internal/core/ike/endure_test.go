package ike

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// Stories of what goes on for long, or goes wrong inside.

// A flood of strangers is flat: beyond the first few no key is computed for any of them, and the heap does not grow, however many there are,
// and whether their own keys are good or poison.
func TestAFloodIsFlat(t *testing.T) {
	poison := bystander(t, 1)
	in, _ := msg.Parse(poison)
	ke, _ := msg.First[msg.KE](in.Payloads)
	clear(ke.Data) // a low-order point, for which all is computed before it is refused
	for _, raw := range [][]byte{bystander(t, 1), poison} {
		floodOf(t, raw)
	}
}

func floodOf(t *testing.T, raw []byte) {
	t.Helper()
	w := newWorld(t, 1, nil)
	b := w.side[1]
	computed := 0
	b.m.method = func(id msg.TransformID) (crypt.Method, error) {
		computed++
		return crypt.NewMethod(id)
	}
	strangers := func(n uint32) uint64 {
		for i := range n {
			binary.BigEndian.PutUint32(raw, 1<<24+i)
			from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 500)
			b.m.Datagram(w.now, Path{Local: b.addr, Remote: from}, raw, &b.out)
			b.out.Reset()
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	few := strangers(1000)
	many := strangers(50_000)
	if computed != defaultCookiesFrom || int64(many)-int64(few) > 256<<10 {
		t.Errorf("%d keys; the heap grows from %d to %d", computed, few, many)
	}
	if n := b.m.weight(); n > defaultCookiesFrom*2*maxInit {
		t.Errorf("it keeps %d bytes", n)
	}
}

// Both sides replace everything at the very same moment, again and again, on a bad line: nothing piles up, and in the end they agree.
func TestBothReplaceEverythingForEver(t *testing.T) {
	w := newWorld(t, 3, nil)
	for _, s := range w.side {
		s.m.cheaply(w.rnd)
	}
	w.link = link{loss: 0.1, dup: 0.1, delay: 10 * time.Millisecond, reorder: 100 * time.Millisecond}
	w.side[0].initiate()
	w.run(10 * time.Second)
	for range 500 {
		for _, s := range w.side {
			for spi := range s.live {
				_ = s.m.RekeyChild(w.now, s.id(), spi, &s.out)
			}
			_ = s.m.Rekey(w.now, s.id(), &s.out)
		}
		w.side[0].flush()
		w.side[1].flush()
		w.run(time.Duration(w.rnd.IntN(2000)) * time.Millisecond)
		for _, s := range w.side {
			used := 0
			for _, one := range s.m.sas {
				if one.stage != stageGone { // those only repeat an answer, for half a minute
					used++
				}
			}
			if used > 8 || len(s.live) > 8 || len(s.m.sessions) != 1 {
				t.Fatalf("%s has %d IKE SAs, %d Child SAs, %d sessions", s.name, used, len(s.live), len(s.m.sessions))
			}
		}
	}
	w.link = link{delay: 10 * time.Millisecond}
	w.run(10 * time.Minute)
	w.agree(1)
	if n := w.side[0].count(EventRekeyed); n < 100 {
		t.Errorf("only %d IKE SAs came of it", n)
	}
}

// A replacement may carry less than what it replaces, and never more than was allowed (as Windows and others ask for, §2.8).
func TestAReplacementIsNotWiderThanAllowed(t *testing.T) {
	ten := []msg.Selector{msg.PrefixSelector(netip.MustParsePrefix("10.0.0.0/8"))}
	one := []msg.Selector{msg.PrefixSelector(netip.MustParsePrefix("10.1.2.3/32"))}
	for name, c := range map[string]struct {
		wish, want []msg.Selector
	}{"more": {everything(), ten}, "as much": {ten, ten}, "less": {one, one}} {
		w := met(t, 1, func(n int, _ *Config, p *Peer) {
			if n == 1 {
				p.Child = &Child{Ours: ten, Theirs: ten}
			}
		})
		b := w.side[1]
		old := b.live[b.child()]
		rekey := msg.Notify{Protocol: msg.ProtocolESP, SPI: spi4(old.Out), Kind: msg.RekeySA}
		w.ask(0, msg.CreateChildSA, rekey, esp(4096), msg.Nonce(make([]byte, 32)), msg.TSi(c.wish), msg.TSr(c.wish))
		fresh, ok := b.live[b.newest()]
		if !ok || fresh.In == old.In || !allWithin(fresh.Ours, c.want) || !allWithin(c.want, fresh.Ours) || !allWithin(fresh.Theirs, c.want) {
			t.Errorf("%s: %+v\n%s", name, fresh, w.story())
		}
	}
}

// An answer that is another exchange's, or for another message, is none; the right one is taken when it comes.
func TestAnswersOfAnotherExchange(t *testing.T) {
	for name, spoil := range map[string]func(h *msg.Header){
		"another exchange":   func(h *msg.Header) { h.Exchange = msg.CreateChildSA },
		"IKE_AUTH":           func(h *msg.Header) { h.Exchange = msg.IKEAuth },
		"the message before": func(h *msg.Header) { h.ID-- },
		"the message after":  func(h *msg.Header) { h.ID++ },
		"a request":          func(h *msg.Header) { h.Flags &^= msg.Response },
		"one of ours":        func(h *msg.Header) { h.Flags ^= msg.FromInitiator },
	} {
		w := met(t, 1, nil)
		w.lawless = true
		a, b := w.side[0], w.side[1]
		a.probe()
		ours, theirs := a.m.sessions[a.id()].sa, b.m.sessions[b.id()].sa
		h := theirs.header(msg.Informational, ours.pending.id, msg.Response)
		spoil(&h)
		raw, err := theirs.sealer.Seal(h, msg.NoPayload, nil)
		if err != nil {
			t.Fatal(err)
		}
		a.m.Datagram(w.now, a.path(), raw, &a.out)
		if a.flush(); ours.pending == nil || len(a.up) != 1 {
			t.Errorf("%s is taken\n%s", name, w.story())
		}
		w.run(time.Minute)
		w.agree(1)
	}
}

// Without an SPI there is no Child SA, and the rest goes on (§2.25 says how to refuse).
func TestNoSPIIsLeft(t *testing.T) {
	for n := range 2 {
		w := met(t, 1, nil)
		w.side[n].exhausted = true
		_ = w.side[0].m.CreateChild(w.now, w.side[0].id(), *w.side[0].peer.Child, &w.side[0].out)
		w.side[0].flush()
		w.run(time.Minute)
		w.side[n].exhausted = false
		w.agree(1)
		w.side[0].rekeyChild()
		w.run(time.Second)
		w.agree(1)
	}
}

// A directory that panics ends the attempt, which is told; all others go on.
func TestADirectoryThatPanics(t *testing.T) {
	w := met(t, 1, nil)
	b := w.side[1]
	w.lawless = true
	b.judge = func(msg.Identity, []msg.Cert) (crypt.Evidence, error) { panic("a bug of the owner's") }
	w.side[0].initiate()
	w.run(4 * time.Minute)
	if e := b.last(EventFault); e.Detail != "a bug of the owner's" || len(b.up) != 1 || len(b.m.halves) != 0 {
		t.Errorf("%+v\n%s", e, w.story())
	}
	b.judge = nil
	w.side[0].rekeyChild()
	w.run(time.Second)
	w.agree(1)
}

var errExhausted = errors.New("no SPI is left")
