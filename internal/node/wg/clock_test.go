package wg_test

import (
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/node/tunnel"
)

// A node whose time of day went back is refused by those who remember a later one, until that time has come again. They reach it all the
// same, and those who have forgotten take it as it is.
func TestNodeWhoseClockWentBackIsRefusedUntilItHasCaughtUp(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b, c := w.end(1), w.end(2), w.end(3)
		for _, e := range []*end{b, c} {
			a.knows(e)
			e.knows(a)
		}
		w.talk(a, b, time.Second)
		w.talk(a, c, time.Second)
		w.Pass(rejectAfter)
		const back = 20 * time.Minute
		a.speaks.Now = func() time.Time { return time.Now().Add(-back) }
		a.reboots()
		a.knows(b)
		a.knows(c)
		start := time.Now()
		for time.Since(start) < back-rejectAfter-time.Minute {
			a.says(b, "too early")
			w.Pass(retry)
		}
		if n, all := b.dropped(tunnel.Replayed), b.heard(); n < 100 || len(all) != 0 {
			w.Errorf("b has refused %d initiations and heard %q", n, all)
		}
		c.reboots() // and so forgets
		c.knows(a)
		w.talk(a, c, 2*retry)

		b.says(a, "are you there?")
		if !a.hears("are you there?", retry) {
			w.Error("b does not reach a")
		}
		a.heard()
		b.heard()
		w.Pass(2*time.Minute + rejectAfter) // without a session, and past the time that b remembers
		w.talk(a, b, time.Second)
	})
}

// A clock that jumps while the node runs is nothing to a tunnel: it counts from where it was when the tunnel started.
func TestTimeOfDayThatJumpsWhileTheNodeRunsIsNoMatter(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.end(1), w.end(2)
		ahead := time.Duration(0)
		a.speaks.Now = func() time.Time { return time.Now().Add(ahead) }
		a.reboots()
		a.knows(b)
		b.knows(a)
		for _, ahead = range []time.Duration{0, -time.Hour, time.Hour, -24 * time.Hour} {
			w.talk(a, b, time.Second)
			w.Pass(rejectAfter)
		}
	})
}
