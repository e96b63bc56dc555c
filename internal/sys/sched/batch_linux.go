package sched

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Batch has the threads of this process, and those that they make, not drive others from a processor when they wake (SCHED_BATCH, sched(7)).
//
// It is for programs that carry packets. What wakes a worker is somebody who is in the middle of sending: driven away, he goes on only after
// the worker has carried the first few packets and sleeps again. Left alone until he sleeps himself, or on another processor that is free, more
// packets come together, and both change tasks less often. No right is needed, and where the kernel refuses everything works as before.
func Batch() error { return everyThread(batch) }

func batch(id int) (changed bool, err error) {
	if policy(id) == unix.SCHED_BATCH {
		return false, nil
	}
	var none struct{ priority int32 }
	_, _, errno := unix.RawSyscall(unix.SYS_SCHED_SETSCHEDULER, uintptr(id), unix.SCHED_BATCH, uintptr(unsafe.Pointer(&none)))
	switch errno {
	case 0:
		return true, nil
	case unix.ESRCH: // it has ended
		return false, nil
	}
	return false, fmt.Errorf("ask for batch scheduling: %w", errno)
}

// policy is that of a thread, or none that exists.
func policy(id int) int {
	p, _, errno := unix.RawSyscall(unix.SYS_SCHED_GETSCHEDULER, uintptr(id), 0, 0)
	if errno != 0 {
		return -1
	}
	return int(p)
}
