package wg_test

import (
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/node/tunnel"
)

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v; want %q", err, want)
	}
}

func TestPresharedKeyThatBothHave(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.end(1), w.end(2)
		a.knows(b, preshared(7))
		b.knows(a, preshared(7))
		w.talk(a, b, time.Second)
		if !a.of(b).Preshared {
			w.Error("it is not told")
		}
	})
}

func TestPresharedKeyThatIsWrongNeverWorks(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.end(1), w.end(2)
		a.knows(b, preshared(7))
		b.knows(a, preshared(8))
		for range 300 {
			a.says(b, "a")
			b.says(a, "b")
			w.Pass(time.Second)
		}
		if all := append(a.heard(), b.heard()...); len(all) != 0 {
			w.Errorf("%d packets have arrived", len(all))
		}
		for _, e := range []*end{a, b} { // each has begun some handshakes, and the other's answers were no good
			if n := e.dropped(tunnel.Forged); n < 20 {
				w.Errorf("%d: %v", e.n, e.State().Drops)
			}
		}
		if s := a.of(b); s.Waiting != waits || !s.LastHandshake.IsZero() {
			w.Errorf("%+v", s)
		}
		b.knows(a, preshared(7))
		w.talk(a, b, 2*retry)
	})
}

func TestPresharedKeyThatChangesCountsFromTheNextHandshakeOn(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.pair()
		w.talk(a, b, time.Second)
		a.knows(b, preshared(1))
		w.talk(a, b, time.Second) // the session lives on
		for range 180 {
			a.says(b, "a")
			w.Pass(time.Second)
		}
		if s := a.of(b); !s.SessionSince.IsZero() {
			w.Fatalf("a session outlives its time: %+v", s)
		}
		b.heard()
		b.knows(a, preshared(1))
		w.talk(a, b, 2*retry)
		b.knows(a) // and off at both
		a.knows(b)
		w.Pass(rejectAfter)
		w.talk(a, b, time.Second)
		if a.of(b).Preshared || b.of(a).Preshared {
			w.Error("the key is still told")
		}
	})
}
