package sched

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Nap puts the calling thread to sleep for d and for as much longer as its timers may be late (50 µs, unless Slack or the service manager said otherwise).
//
// The runtime is not told, so nothing else of this process runs on that processor meanwhile; d has to be some microseconds. time.Sleep cannot do it:
// the runtime waits for packets and timers in one call, which is awake with the next packet, and else in whole milliseconds.
func Nap(d time.Duration) {
	t := unix.NsecToTimespec(d.Nanoseconds())
	unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&t)), 0, 0) // what interrupts it ends it
}

// Late is how late the timers of the calling thread may be; Unbounded if nobody knows.
func Late() time.Duration {
	ns, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil {
		return Unbounded
	}
	return time.Duration(ns)
}
