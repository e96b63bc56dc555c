package world

import (
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
)

// pair is two machines of one network that see each other.
func (w *World) pair() (a, b *Node) {
	w.T.Helper()
	key := w.Controller.Key(w.Controller.Network("office", true), nil)
	a, b = w.Node("a"), w.Node("b")
	a.Join(key)
	b.Join(key)
	a.Up()
	b.Up()
	a.Reaches(10*time.Second, "b")
	return a, b
}

// speak waits until both speak a protocol with each other, and fails the story if an echo is lost on the way there. An echo is sent every 20 ms.
func (w *World) speak(a, b *Node, protocol string) {
	w.T.Helper()
	for end := time.Now().Add(10 * time.Second); a.Speaks("b") != protocol || b.Speaks("a") != protocol; w.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			w.T.Fatalf("not %s, but %s and %s: %+v", protocol, a.Speaks("b"), b.Speaks("a"), a.Network().Peers)
		}
		w.echoes(a, b)
	}
	for range 50 {
		w.echoes(a, b)
		w.Sleep(20 * time.Millisecond)
	}
}

func (w *World) echoes(a, b *Node) {
	w.T.Helper()
	if err := a.Ping("b"); err != nil {
		w.T.Error(err)
	}
	if err := b.Ping("a"); err != nil {
		w.T.Error(err)
	}
}

// One of two prefers IPsec, and changes its mind, under traffic.
func TestTwoSpeakWhatOneOfThemPrefers(t *testing.T) {
	Tell(t, 31, func(w *World) {
		a, b := w.pair()
		if p := a.Speaks("b"); p != local.WireGuardProtocol {
			t.Errorf("at first they speak %s", p)
		}
		for _, p := range []string{local.IPsecProtocol, "", local.IPsecProtocol, local.WireGuardProtocol} {
			a.Prefers(p)
			want := p
			if p == "" {
				want = local.WireGuardProtocol
			}
			w.speak(a, b, want)
		}
	})
}
