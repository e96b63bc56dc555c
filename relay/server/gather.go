package server

import (
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/sys/sched"
	"github.com/cvlan/cvlan/internal/sys/sock"
)

// A worker that keeps up with many packets finds a few each time it looks, and pays for two system calls and a train that is hardly one. From
// gatherFrom messages a millisecond on it naps between looks, so that they gather; below that naps cost more than they save (docs/adr/0052).
const (
	gatherFrom = 80
	gatherFor  = 20 * time.Microsecond
	gatherLate = 100 * time.Microsecond // where timers may be later than that, no naps are taken
	openEyed   = 16                     // of so many naps one is a turn for the rest of the program
)

// gather decides when a worker naps.
type gather struct {
	since mono.Time
	came  int // messages since
	dense bool
	naps  int
}

// rest is called when all of what came at now, n messages, has been sent, and naps if that pays.
func (g *gather) rest(now mono.Time, n int) {
	if !g.count(now, n) {
		return
	}
	if g.naps++; g.naps%openEyed == 0 {
		// The runtime looks for what else has come from the network only when it finds nothing to do.
		time.Sleep(time.Microsecond)
		return
	}
	sched.Nap(gatherFor)
}

// count reports whether to nap. Where a look was full, more waits already.
func (g *gather) count(now mono.Time, n int) bool {
	g.came += n
	if past := now.Sub(g.since); past >= time.Millisecond {
		g.dense = time.Duration(g.came)*time.Millisecond >= gatherFrom*past
		g.since, g.came = now, 0
	}
	return g.dense && n < sock.Batch
}
