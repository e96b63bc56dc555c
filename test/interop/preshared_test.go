//go:build interop && linux

package interop

import (
	"crypto/rand"
	"errors"
	"testing"

	"github.com/cvlan/cvlan/internal/core/wg"
)

func TestOnlyTheRightPresharedKeyOpens(t *testing.T) {
	each(t, bothBegin, func(w *world, v variant) {
		begins, answers := w.order(v.first)
		var right, wrong peerOptions
		rand.Read(right.preshared[:])
		rand.Read(wrong.preshared[:])
		tap := w.tap(begins, answers)
		w.must(answers.SetPeer(w.ctx, begins, wrong))
		right.endpoint = true
		w.must(begins.SetPeer(w.ctx, answers, right))
		w.eventually(2*retried, "two attempts", func() error {
			if begins.ask(w.ctx, answers.inner4, 56) == nil {
				w.t.Fatal("the wrong key opens")
			}
			if tap.count(wg.KindInitiation, true) < 2 || tap.count(wg.KindResponse, false) < 2 {
				return errors.New(tap.String())
			}
			return nil
		})
		if p := w.stats(begins); !p.handshake.IsZero() || p.rx != 0 || p.tx == 0 {
			w.t.Errorf("%s tells of %+v; it has sent, and received nothing that is authentic", begins.host.Name(), p)
		}
		if begins.kind == cvlan && w.drops(begins)["forged"] == 0 {
			w.t.Errorf("our side does not say that responses were forged: %v", w.drops(begins))
		}
		if p := w.stats(answers); !p.handshake.IsZero() {
			w.t.Errorf("%s tells of %+v; there was no handshake", answers.host.Name(), p)
		}

		right.endpoint = false
		w.must(answers.SetPeer(w.ctx, begins, right))
		w.reaches(begins, answers.inner4, 2*retried)
		w.reaches(answers, begins.inner4, soon)
	})
}
