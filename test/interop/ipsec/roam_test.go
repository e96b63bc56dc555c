//go:build interop && linux

package ipsec

import (
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/lab"
	"github.com/cvlan/cvlan/internal/lab/load"
)

// One of both goes to another network and comes back, while pings go. Who began says so to the other (MOBIKE), and the IKE SA stays (charon makes
// another Child SA); if it was the other who began, another session takes the place of the first.
func TestOneGoesElsewhereUnderTraffic(t *testing.T) {
	for _, first := range []string{"we", "they"} {
		for _, who := range []string{"we", "they"} {
			t.Run(first+" began/"+who+" go", func(t *testing.T) {
				t.Parallel()
				v := modern
				if who == "we" {
					v.place.ours = routed
				} else {
					v.place.theirs = routed
					v.charon = "retransmit_timeout = 1" // one message tells that they have gone. If it is lost, it comes again after 4 seconds by default: all pings
				}
				meet(t, v, func(w *world) {
					if first == "they" {
						w.theirs.does("--initiate", "--child", "c", "--timeout", "10")
					}
					w.reach()
					h := w.ours
					if who == "they" {
						h = w.theirs.host
					}
					w.goesAndComesBack(h)
					if n := w.theirs.counts("established between"); first == who && n != 1 {
						t.Errorf("they have made %d IKE SAs", n)
					}
					w.until("one pair is left", func() bool { return w.theirs.installed() == 1 })
				})
			})
		}
	}
}

// Over IPv4 they are heard no more. They have told us that they have IPv6 too, and there we find them, by the IKE SA that there is. We have told them the same
// about us.
func TestWhoIsSilentIsFoundElsewhere(t *testing.T) {
	t.Parallel()
	meet(t, modern, func(w *world) {
		w.reach()
		w.ping(20, 10*time.Millisecond)
		if !w.theirs.says("N(MOBIKE_SUP) N(ADD_4_ADDR) N(ADD_6_ADDR) ]") {
			t.Error("they have not heard where else we are")
		}
		_, err := w.ours.Run(w.ctx, "ip", "route", "add", "blackhole", w.there.Addr().String()+"/32")
		w.must(err)
		w.until("pings come back", func() bool { return w.tryPing(5, 100*time.Millisecond, time.Second).Received == 5 })
		w.ping(20, 10*time.Millisecond)
		if n := w.theirs.counts("established between"); n != 1 {
			t.Errorf("they have made %d IKE SAs", n)
		}
		if sas := w.theirs.sas(); !strings.Contains(sas, w.ours.Addr6().String()) {
			t.Errorf("they are not spoken with over IPv6:\n%s", sas)
		}
	})
}

// goesAndComesBack takes a computer elsewhere and back. What is said while it is on its way is lost, and a little more.
func (w *world) goesAndComesBack(h *lab.Host) {
	w.t.Helper()
	const pings, gap = 400, 10 * time.Millisecond
	for _, to := range []*lab.Site{w.lab.Site("elsewhere", routed), w.home} {
		answers := make(chan load.RoundTrips)
		go func() { answers <- w.tryPing(pings, gap, time.Second) }()
		before := w.asks().Peers[0].RxPackets
		w.until("pings come back", func() bool { return w.asks().Peers[0].RxPackets > before+20 })
		h.Roam(to)
		r := <-answers
		w.t.Logf("to %s: %d of %d pings are lost", to.Name(), r.Sent-r.Received, r.Sent)
		if r.Received < r.Sent/2 {
			w.t.Errorf("to %s: of %d pings %d have come back; our drops: %v; theirs:\n%s", to.Name(), r.Sent, r.Received, w.asks().Drops, w.theirSAs())
		}
		w.ping(20, gap)
	}
}
