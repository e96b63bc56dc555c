//go:build race

package world

import "runtime"

// Under the race detector a world runs on one processor. Go 1.26 runs the timers of a synctest bubble on whatever thread
// meets them, all with the bubble's one race context (runtime.timer.unlockAndRun), so two threads that each meet one
// corrupt it and the detector crashes within minutes of QUIC's many timers. Races are found as well: the detector judges
// by what happened before what, not by what ran at the same instant.
func init() { runtime.GOMAXPROCS(1) }
