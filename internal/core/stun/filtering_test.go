package stun

import (
	"io"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

// filtered lets a Filter run to its end against a server with these places, behind a NAT that lets pass whom lets says.
func filtered(t *testing.T, s Server, lets func(from netip.AddrPort) bool) (Filtering, time.Duration) {
	t.Helper()
	f, out := NewFilter(one, rand.NewChaCha8([32]byte{2})), new(Out)
	now := start
	if err := f.Start(now, out); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		sent := out.Transmits
		if len(out.Events) > 0 {
			return f.Filtering(), now.Sub(start)
		}
		*out = Out{}
		for _, x := range sent {
			b, change, ok := s.Answer(nil, x.Data, mapped)
			if !ok || len(b) > len(x.Data) {
				t.Fatalf("answer of %d bytes to a question of %d, %v", len(b), len(x.Data), ok)
			}
			from := map[Change]netip.AddrPort{0: one, ChangePort: netip.AddrPortFrom(one.Addr(), other.Port()), ChangeIP | ChangePort: other}[change]
			if lets(from) {
				f.Datagram(now, from, b, out)
			}
		}
		if len(out.Transmits)+len(out.Events) == 0 {
			now = f.Deadline()
			f.Tick(now, out)
		}
	}
	t.Fatal("the Filter does not end")
	return 0, 0
}

func TestFilterTellsWhoGetsThrough(t *testing.T) {
	all := func(netip.AddrPort) bool { return true }
	address := func(from netip.AddrPort) bool { return from.Addr() == one.Addr() }
	port := func(from netip.AddrPort) bool { return from == one }
	none := func(netip.AddrPort) bool { return false }
	for name, c := range map[string]struct {
		s    Server
		nat  func(netip.AddrPort) bool
		want Filtering
	}{
		"nothing in between":                    {Server{Other: other}, all, FilteringIndependent},
		"address, two addresses":                {Server{Other: other}, address, FilteringAddress},
		"port, two addresses":                   {Server{Other: other}, port, FilteringPort},
		"nothing in between, one address":       {Server{TwoPorts: true}, all, FilteringAddress},
		"port, one address":                     {Server{TwoPorts: true}, port, FilteringPort},
		"a server of one port":                  {Server{}, all, FilteringUnknown},
		"no UDP":                                {Server{Other: other}, none, FilteringUnknown},
		"another address of the same IP is odd": {Server{Other: netip.AddrPortFrom(one.Addr(), 9)}, all, FilteringAddress},
	} {
		got, took := filtered(t, c.s, c.nat)
		if got != c.want || took > 1500*time.Millisecond {
			t.Errorf("%s: %v after %v, want %v", name, got, took, c.want)
		}
	}
}

func TestFilterDoesNotBelieveAnAnswerFromWhereItAsked(t *testing.T) {
	f, out := NewFilter(one, rand.NewChaCha8([32]byte{2})), new(Out)
	f.Start(start, out)
	b, _, _ := Server{}.Answer(nil, out.Transmits[0].Data, mapped)
	out.Reset()
	f.Datagram(start, one, b, out)
	deaf := Server{}
	q := AppendRequest(nil, TxID(out.Transmits[0].Data[8:20]), 0)
	b, _, _ = deaf.Answer(nil, q, mapped)
	if f.Datagram(start, one, b, out) {
		t.Fatal("an answer from the very place that was asked counts as one from another port")
	}
	if f.Datagram(start, netip.AddrPortFrom(two.Addr(), 99), b, out) {
		t.Fatal("a stranger's answer counts")
	}
}

func TestAFilterWithoutRandomNumbersAsksNothing(t *testing.T) {
	f, out := NewFilter(one, io.LimitReader(rand.NewChaCha8([32]byte{2}), questions*int64(len(TxID{})))), new(Out)
	if err := f.Start(start, out); err != nil {
		t.Fatal(err)
	}
	b, _, _ := Server{Other: other}.Answer(nil, out.Transmits[0].Data, mapped)
	f.Datagram(start, one, b, out) // two questions wait now
	if err := f.Start(start, out); err == nil || !f.Deadline().IsNever() {
		t.Fatalf("%v, and it wants to be woken at %v", err, f.Deadline())
	}
}

func TestChangeIsNoWeapon(t *testing.T) {
	w := begin(nil, TypeRequest, TxID{1})
	w.attribute(attrChange, 4)
	w.b = append(w.b, 0, 0, 0, byte(ChangePort))
	if b, _, ok := (Server{TwoPorts: true}).Answer(nil, w.b, asker6); ok {
		t.Fatalf("a question of %d bytes has %d answered from another port", len(w.b), len(b))
	}
	if _, change, ok := (Server{TwoPorts: true}).Answer(nil, AppendRequest(nil, TxID{1}, ChangePort), asker6); !ok || change != ChangePort {
		t.Fatal("a whole question is not answered")
	}
}

func TestSizedQuestionsGetShortAnswers(t *testing.T) {
	for _, size := range []int{0, RequestSize, 784, 1200, 1228, 1392, 1468, 1472, 5000} {
		q := AppendSized(nil, TxID{1}, 0, size)
		if want := min(max(size, RequestSize), MaxMessage); len(q) != want {
			t.Errorf("%d bytes, want %d", len(q), want)
		}
		b, _, ok := Server{Other: other}.Answer(nil, q, asker6)
		if !ok || len(b) > RequestSize {
			t.Errorf("%d bytes are answered with %d, %v", len(q), len(b), ok)
		}
	}
	if n := len(AppendSized(nil, TxID{1}, ChangePort, 1400)); n != 1400 {
		t.Errorf("with a change: %d", n)
	}
}
