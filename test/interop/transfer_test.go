//go:build interop && linux

package interop

import (
	"net/netip"
	"testing"
)

func TestATransferArrivesIntact(t *testing.T) {
	each(t, everywhere, func(w *world, v variant) {
		begins, answers := w.order(v.first)
		w.introduce(begins, answers, peerOptions{})
		w.must(w.exchange(begins, answers, answers.inner4, 8<<20, 8<<20))
		w.must(w.exchange(answers, begins, begins.inner6, 1<<20, 1<<20))
	})
}

func TestPacketsOfAllSizesPass(t *testing.T) {
	each(t, everywhere, func(w *world, v variant) {
		begins, answers := w.order(v.first)
		w.established(begins, answers, peerOptions{})
		for _, to := range []struct {
			addr    func(*side) netip.Addr
			headers int // of IP and ICMP, bytes
		}{
			{func(s *side) netip.Addr { return s.inner4 }, 28},
			{func(s *side) netip.Addr { return s.inner6 }, 48},
		} {
			full := mtu - to.headers
			for _, payload := range []int{0, 1, 3, 4, 15, 16, 17, full - 17, full - 16, full - 1, full, full + 1, 3000, 20_000, 60_000} {
				w.passes(begins, to.addr(answers), payload)
				w.passes(answers, to.addr(begins), payload)
			}
		}
	})
}

func TestFullPacketsPassANarrowPath(t *testing.T) {
	each(t, everywhere, func(w *world, v variant) {
		sends, receives := w.order(v.first)
		if sends.kind == stock {
			w.t.Skip("wireguard-go sends nothing that is larger than the path (EMSGSIZE)")
		}
		sends.lan.MTU(1300) // its own router tells it; the internet's has no IPv6 address to tell from
		w.established(sends, receives, peerOptions{})
		w.must(w.exchange(sends, receives, receives.inner4, 1<<20, 0))
		w.must(w.exchange(sends, receives, receives.inner6, 1<<20, 0))
	})
}

// passes has one packet answered; a second chance is for a machine that is busy.
func (w *world) passes(from *side, to netip.Addr, payload int) {
	w.t.Helper()
	var err error
	for range 2 {
		if err = from.ask(w.ctx, to, payload); err == nil {
			return
		}
	}
	w.t.Errorf("%d bytes from %s to %s: %v", payload, from.host.Name(), to, err)
}
