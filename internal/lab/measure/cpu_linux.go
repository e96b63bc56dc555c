package measure

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// CPU returns the processor time, user and system, that all threads of a living process have used since its start, ended
// threads included, to the nanosecond. What the kernel does for a process in an interrupt is counted for whoever runs there.
func CPU(pid int) (time.Duration, error) {
	const scheduled = 2 // the scheduler's own count, clock_getcpuclockid(3)
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduled), &t); err != nil {
		return 0, fmt.Errorf("read the processor time of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// Thread returns the processor time that the calling thread has used. A goroutine that asks twice locks itself to its thread
// (runtime.LockOSThread).
func Thread() (time.Duration, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		return 0, fmt.Errorf("read the thread's processor time: %w", err)
	}
	return time.Duration(t.Nano()), nil
}
