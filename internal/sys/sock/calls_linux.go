package sock

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// call is sendmmsg(2) or recvmmsg(2): it says how many messages were moved. The descriptor does not block, hence neither does the
// call.
//
// The scheduler is not told of it. Told, it takes the processor away from calls of more than 20 µs, which are ten messages, whenever
// something else wants to run, and handing it over costs senders at the limit 5 to 15 % more CPU a datagram. Not told, it runs no timer and
// no other goroutine for 20 ms and more. Therefore callers that have not waited for so long give way once a turn (BenchmarkAtTheLimit). Not more often:
// it has the runtime wake a thread, which finds nothing to do as a rule. Callers must not be locked to a thread; giving way costs them 5 µs then.
type call func(fd uintptr, m []unix.Mmsghdr) (int, unix.Errno)

func sendmmsg(fd uintptr, m []unix.Mmsghdr) (int, unix.Errno) {
	n, _, e := unix.RawSyscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(unsafe.SliceData(m))), uintptr(len(m)), 0, 0, 0)
	return int(n), e
}

func recvmmsg(fd uintptr, m []unix.Mmsghdr) (int, unix.Errno) {
	n, _, e := unix.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(unsafe.SliceData(m))), uintptr(len(m)), 0, 0, 0)
	return int(n), e
}

// turn is after how many messages others have theirs: a millisecond or two.
const turn = 4 * Batch

// pace counts messages since other goroutines had a turn.
type pace int

// moved counts n messages, and gives way if it is time.
func (p *pace) moved(n int) {
	if *p += pace(n); *p >= turn {
		*p = 0
		runtime.Gosched()
	}
}
