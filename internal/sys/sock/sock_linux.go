package sock

import (
	"net"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Port implements Socket.
func (u *udp) Port() uint16 { return u.port }

// Stats implements Socket.
func (u *udp) Stats() Stats {
	_ = u.raw.Control(u.look) // closed: as it was at the end
	s := Stats{
		SendGSO: u.gso.Load(), ReceiveGRO: u.gro.Load(),
		ReceiveBuffer: u.receiveBuffer, SendBuffer: u.sendBuffer,
		Overflow: u.overflow.Load(),
	}
	u.fill(&s)
	return s
}

// Close implements Socket.
func (u *udp) Close() error {
	if u.closed.Swap(true) {
		return nil
	}
	_ = u.raw.Control(u.look)
	return u.file.Close()
}

// look asks the kernel how much it has dropped.
func (u *udp) look(fd uintptr) {
	const drops = 8 // SK_MEMINFO_DROPS
	var info [drops + 1]uint32
	size := uint32(unsafe.Sizeof(info))
	_, _, e := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	if e == 0 { // Linux 4.12
		u.overflow.Store(uint64(info[drops]))
	}
}

// ended is what a call into the runtime's poller failed for.
func (u *udp) ended(err error) error {
	if u.closed.Load() {
		return net.ErrClosed
	}
	return err
}
