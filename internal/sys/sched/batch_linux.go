package sched

import (
	"fmt"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// passes bounds how often Batch looks for threads that were made meanwhile.
const passes = 5

// Batch has the threads of this process, and those that they make, not drive others from a processor when they wake (SCHED_BATCH, sched(7)).
//
// It is for programs that carry packets. What wakes a worker is somebody who is in the middle of sending: driven away, he goes on only after
// the worker has carried the first few packets and sleeps again. Left alone until he sleeps himself, or on another processor that is free, more
// packets come together, and both change tasks less often. No right is needed, and where the kernel refuses everything works as before.
func Batch() error {
	for range passes {
		changed, err := batchAll()
		if err != nil || !changed {
			return err
		}
	}
	return nil
}

// batchAll changes the threads that there are; it reports whether one was otherwise.
func batchAll() (changed bool, err error) {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return false, fmt.Errorf("list this process's threads: %w", err)
	}
	for _, t := range tasks {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			continue
		}
		if policy(id) == unix.SCHED_BATCH {
			continue
		}
		var none struct{ priority int32 }
		_, _, errno := unix.RawSyscall(unix.SYS_SCHED_SETSCHEDULER, uintptr(id), unix.SCHED_BATCH, uintptr(unsafe.Pointer(&none)))
		switch errno {
		case 0:
			changed = true
		case unix.ESRCH: // it has ended
		default:
			return changed, fmt.Errorf("ask for batch scheduling: %w", errno)
		}
	}
	return changed, nil
}

// policy is that of a thread, or none that exists.
func policy(id int) int {
	p, _, errno := unix.RawSyscall(unix.SYS_SCHED_GETSCHEDULER, uintptr(id), 0, 0)
	if errno != 0 {
		return -1
	}
	return int(p)
}
