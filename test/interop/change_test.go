//go:build interop && linux

package interop

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/core/wg"
)

// noticed is when a side that sends and hears nothing has begun a handshake: 15 seconds (§6.5), and it may take a second message.
const noticed = 15*time.Second + retried

func TestASideRoamsWhileTheyTalk(t *testing.T) {
	each(t, bothBegin, func(w *world, v variant) {
		roams, other := w.order(v.first)
		w.established(roams, other, peerOptions{})
		defer w.talkBothWays()()
		for _, s := range []*side{roams, other} {
			peer := other
			if s == other {
				peer = roams
			}
			to := s.outer.As4()
			to[3] = 77
			w.moves(s, netip.AddrFrom4(to))
			w.reaches(s, peer.inner4, soon)
			w.reaches(peer, s.inner4, soon)
			w.eventually(soon, "the new address is known", func() error {
				if got := w.stats(peer).endpoint; got != netip.AddrPortFrom(s.outer, port) {
					return fmt.Errorf("%s has %v for it", peer.host.Name(), got)
				}
				return nil
			})
		}
	})
}

func TestARebootedSideComesBackAtOnce(t *testing.T) {
	each(t, bothBegin, func(w *world, v variant) {
		reboots, other := w.order(v.first)
		w.established(reboots, other, peerOptions{})
		w.reboots(reboots)
		w.must(reboots.SetPeer(w.ctx, other, peerOptions{endpoint: true}))
		w.reaches(reboots, other.inner4, retried)
		w.reaches(other, reboots.inner4, soon)
	})
}

func TestARebootOfTheOtherSideIsNoticed(t *testing.T) {
	each(t, bothBegin, func(w *world, v variant) {
		notices, reboots := w.order(v.first)
		w.established(notices, reboots, peerOptions{})
		tap := w.tap(notices, reboots)
		w.reboots(reboots)
		w.must(reboots.SetPeer(w.ctx, notices, peerOptions{})) // it cannot begin
		took := w.reaches(notices, reboots.inner4, noticed)
		w.reaches(reboots, notices.inner4, soon)
		if tap.count(wg.KindInitiation, true) == 0 {
			w.t.Errorf("it did not begin anew: %v", tap)
		}
		w.t.Logf("noticed after %v", took.Round(100*time.Millisecond))
	})
}

// reboots loses all that a side knows.
func (w *world) reboots(s *side) {
	w.t.Helper()
	w.must(s.Stop())
	w.must(s.Start(w.ctx))
}

// talkBothWays has both sides send echoes, whatever becomes of them, until the function that it returns is called.
func (w *world) talkBothWays() (stop func()) {
	quit := make(chan struct{})
	var both sync.WaitGroup
	for _, ends := range [][2]*side{{w.ours, w.theirs}, {w.theirs, w.ours}} {
		both.Go(func() {
			tick := time.NewTicker(100 * time.Millisecond)
			defer tick.Stop()
			for {
				_ = ends[0].ask(w.ctx, ends[1].inner4, 56)
				select {
				case <-tick.C:
				case <-quit:
					return
				}
			}
		})
	}
	return sync.OnceFunc(func() { close(quit); both.Wait() })
}
