package hub

import (
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime is how long this process has used the processor.
func cpuTime() time.Duration {
	var r unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
