//go:build interop && linux

package interop

import (
	"errors"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/core/wg"
)

// These stories are the longest, so they come first in the package: the others run beside them.

// renewed is when a session has been replaced at the latest: it is 120 seconds old, and something was sent.
const renewed = 120*time.Second + retried

func TestKeysAreRenewedUnderTraffic(t *testing.T) {
	each(t, bothBegin, func(w *world, v variant) {
		begins, answers := w.order(v.first)
		w.established(begins, answers, peerOptions{})
		tap := w.tap(w.ours, w.theirs)
		before := [2]peerStats{w.stats(begins), w.stats(answers)}
		asked, lost := 0, 0
		w.throughout(renewed, 500*time.Millisecond, func() {
			asked += 2
			for _, err := range []error{begins.ask(w.ctx, answers.inner4, 56), answers.ask(w.ctx, begins.inner4, 56)} {
				if err != nil {
					lost++
				}
			}
		})
		if lost > 2 { // an echo may come late on a busy machine; without keys there is none for seconds
			w.t.Errorf("%d of %d echoes were lost", lost, asked)
		}
		most := 1
		if begins.kind == stock {
			most = 4 // it may overlook an answer that comes very soon, and asks again
		}
		if n := tap.count(wg.KindResponse, true) + tap.count(wg.KindResponse, false); n < 1 || n > most {
			w.t.Errorf("%d handshakes in %v, want 1: %v", n, renewed, tap)
		}
		for i, s := range []*side{begins, answers} {
			if !w.stats(s).handshake.After(before[i].handshake) {
				w.t.Errorf("%s does not tell of a new handshake", s.host.Name())
			}
		}
	})
}

func TestAPersistentKeepaliveKeepsASilentTunnelFresh(t *testing.T) {
	const every = 10 * time.Second
	each(t, bothBegin, func(w *world, v variant) {
		begins, answers := w.order(v.first)
		tap := w.tap(begins, answers)
		w.introduce(begins, answers, peerOptions{keepalive: every})
		w.eventually(retried, "a handshake without traffic", func() error {
			if w.stats(begins).handshake.IsZero() || w.stats(answers).handshake.IsZero() {
				return errors.New("there was none")
			}
			return nil
		})
		// Stock may miss an answer and ask again after five seconds; that is no renewal.
		first := w.stats(answers).handshake
		w.eventually(renewed+every, "a new handshake without traffic", func() error {
			if w.stats(answers).handshake.Sub(first) < time.Minute {
				return errors.New(tap.String())
			}
			return nil
		})
		empty := tap.countIf(func(m message) bool { return m.out && m.kind == wg.KindTransport && m.size == wg.KeepaliveSize })
		if least := int(120*time.Second/every) - 2; empty < least {
			w.t.Errorf("%d keepalives, want %d at least", empty, least)
		}
		if more := tap.countIf(func(m message) bool { return m.kind == wg.KindTransport && m.size > wg.KeepaliveSize }); more > 0 {
			w.t.Errorf("%d packets went through a tunnel that was to be silent", more)
		}
		w.reaches(answers, begins.inner4, time.Second)
	})
}
