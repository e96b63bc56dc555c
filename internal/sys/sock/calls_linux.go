package sock

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// call is sendmmsg(2) or recvmmsg(2): it says how many messages were moved. The descriptor does not block, hence neither does the
// call.
//
// The scheduler is not told of it. Told, it takes the processor away from calls of more than 20 µs, which is a batch of ten messages, and
// the handing over costs a sender at the limit 10 to 25 % more CPU a datagram; not told, timers and other goroutines starve for 20 ms and
// more. Therefore a pace gives way once a batch, which costs neither.
type call func(fd uintptr, m []unix.Mmsghdr) (int, unix.Errno)

func sendmmsg(fd uintptr, m []unix.Mmsghdr) (int, unix.Errno) {
	n, _, e := unix.RawSyscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(unsafe.SliceData(m))), uintptr(len(m)), 0, 0, 0)
	return int(n), e
}

func recvmmsg(fd uintptr, m []unix.Mmsghdr) (int, unix.Errno) {
	n, _, e := unix.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(unsafe.SliceData(m))), uintptr(len(m)), 0, 0, 0)
	return int(n), e
}

// pace counts messages since other goroutines had a turn.
type pace int

// moved counts n messages, and gives way if it is time.
func (p *pace) moved(n int) {
	if *p += pace(n); *p >= Batch {
		*p = 0
		runtime.Gosched()
	}
}
