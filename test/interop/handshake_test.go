//go:build interop && linux

package interop

import (
	"errors"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/core/wg"
	"github.com/cvlan/cvlan/internal/lab"
)

// everywhere are all the ways.
var everywhere = []variant{{v4, we}, {v4, they}, {v6, we}, {v6, they}}

func TestTheyShakeHandsAndPing(t *testing.T) {
	each(t, everywhere, func(w *world, v variant) {
		begins, answers := w.order(v.first)
		tap := w.tap(begins, answers)
		w.established(begins, answers, peerOptions{})
		w.reaches(begins, answers.inner6, soon)
		w.reaches(answers, begins.inner6, soon)
		w.eventually(soon, "one initiation and its response are heard", func() error {
			if tap.count(wg.KindInitiation, true) != 1 || tap.count(wg.KindResponse, false) != 1 || tap.initiations() != 1 {
				return errors.New(tap.String())
			}
			return nil
		})
		for _, s := range []*side{begins, answers} {
			if p := w.stats(s); p.handshake.IsZero() || p.rx == 0 || p.tx == 0 || p.endpoint.Port() != port {
				w.t.Errorf("%s tells of %+v", s.host.Name(), p)
			}
		}
	})
}

func TestBothBeginAtOnce(t *testing.T) {
	each(t, bothBegin, func(w *world, _ variant) {
		way := lab.Quality{Delay: 150 * time.Millisecond} // so that their messages cross for sure
		w.ours.host.Degrade(way)
		w.theirs.host.Degrade(way)
		tap := w.tap(w.ours, w.theirs)
		w.acquaint(peerOptions{})
		talking := w.talkBothWays()
		w.reaches(w.ours, w.theirs.inner4, retried)
		w.reaches(w.theirs, w.ours.inner4, retried)
		talking()
		if tap.count(wg.KindInitiation, true) == 0 || tap.count(wg.KindInitiation, false) == 0 {
			w.t.Fatalf("they did not begin at once: %v", tap)
		}
		settled := tap.initiations()
		w.throughout(5*time.Second, 500*time.Millisecond, func() {
			w.passes(w.ours, w.theirs.inner4, 56)
			w.passes(w.theirs, w.ours.inner4, 56)
		})
		if tap.initiations() != settled {
			w.t.Errorf("they did not settle: %v", tap)
		}
	})
}
