package ike_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

// A peer of another kind has two addresses, and the one in use falls silent. It is found at the other, by the session that there is.
func TestAPeerIsFoundAtAnotherOfItsAddresses(t *testing.T) {
	other := netip.AddrFrom4([4]byte{192, 0, 2, 102})
	inWorld(t, func(e *end) {
		if e.N == 2 {
			e.config.Reach = func() []netip.Addr { return []netip.Addr{e.Home, other} }
		}
	}, func(w *world) {
		if err := w.b.Sock.Move(w.b.Home, other); err != nil {
			t.Fatal(err)
		}
		w.a.Says(w.b.End, 0, 1)
		w.Pass(time.Second)
		w.b.WantHeard(0, 1)
		since := w.a.Of(w.b.End).SessionSince
		w.Silence(w.b.Home, true)
		for i := range 40 {
			w.a.Says(w.b.End, i, 1)
			w.Pass(time.Second)
		}
		if heard := w.b.Heard(); !slices.Contains(heard, 39) || len(heard) < 15 {
			t.Errorf("of 40 packets came %v", heard)
		}
		if st := w.a.Of(w.b.End); !st.SessionSince.Equal(since) {
			t.Error("it took another session")
		}
		w.b.Says(w.a.End, 50, 5)
		w.Pass(time.Second)
		w.a.WantHeard(50, 5)
		w.a.wantOneSA()
		w.b.wantOneSA()
	})
}
