package tun

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/cvlan/cvlan/internal/core/offload"
)

// maxParts bounds the parts of a run: one of IOV_MAX pieces is the virtio header.
const maxParts = 1023

// queue is one file of a native. Its system calls never wait, therefore they are raw: the runtime need not prepare for a thread that
// blocks. Waiting is the poller's business.
//
// give and take are what the poller calls back with the descriptor. They are bound once, because a closure would be an allocation a call.
type queue struct {
	native *native
	raw    syscall.RawConn
	in     inbound
	out    outbound
}

// inbound is the state of a Read.
type inbound struct {
	take   func(fd uintptr) bool
	buf    []byte
	supers []offload.Super
	n      int
	err    error
	header header
	pieces [2]unix.Iovec
}

// outbound is the state of a Write.
type outbound struct {
	give   func(fd uintptr) bool
	runs   []offload.Run // those that are not written yet
	err    error
	header header
	pieces [1 + maxParts]unix.Iovec
}

func newQueue(n *native, f *os.File) (*queue, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	q := &queue{native: n, raw: raw}
	q.in.take, q.out.give = q.take, q.give
	q.in.pieces[0] = piece(q.in.header[:])
	q.out.pieces[0] = piece(q.out.header[:])
	return q, nil
}

// Read implements Queue.
func (q *queue) Read(buf []byte, supers []offload.Super) (int, error) {
	if len(supers) == 0 || !roomy(buf, Headroom) {
		return 0, ErrRoom
	}
	in := &q.in
	in.buf, in.supers, in.n, in.err = buf, supers, 0, nil
	err := q.raw.Read(in.take)
	in.buf, in.supers = nil, nil
	switch {
	case in.n > 0:
		return in.n, nil
	case err == nil:
		err = in.err
	}
	return 0, q.native.gone(err)
}

// take reads until there is no more or no room; it returns false to be called again when the descriptor is ready.
func (q *queue) take(fd uintptr) bool {
	in := &q.in
	for at := Headroom; in.n < len(in.supers) && roomy(in.buf, at); {
		size, errno := in.read(fd, at)
		switch errno {
		case 0:
		case unix.EAGAIN:
			return in.n > 0
		case unix.EINTR:
			continue
		case unix.EINVAL: // a packet for which virtio has no words; the kernel dropped it
			q.native.skipped.Add(1)
			continue
		default:
			in.err = errno
			return true
		}
		packet := in.buf[at : at+size]
		layout, ok := in.header.layout(packet)
		if !ok || size > offload.MaxPacket {
			q.native.skipped.Add(1)
			continue
		}
		in.supers[in.n] = offload.Super{Layout: layout, Packet: packet}
		in.n++
		at = behind(at, size)
	}
	return true
}

// read gets one packet into buf at its place and its virtio header beside. It offers a byte more than a packet can have, to see one
// that was cut.
func (in *inbound) read(fd uintptr, at int) (int, unix.Errno) {
	in.pieces[1] = piece(in.buf[at : at+offload.MaxPacket+1])
	n, _, errno := unix.RawSyscall(unix.SYS_READV, fd, uintptr(unsafe.Pointer(&in.pieces)), uintptr(len(in.pieces)))
	if errno != 0 {
		return 0, errno
	}
	return max(int(n)-len(in.header), 0), 0
}

// Write implements Queue.
func (q *queue) Write(runs []offload.Run) error {
	out := &q.out
	out.runs, out.err = runs, nil
	err := q.raw.Write(out.give)
	out.runs = nil
	if err == nil {
		err = out.err
	}
	if err != nil {
		return q.native.gone(err)
	}
	return nil
}

// give writes what is left; it returns false to be called again when the descriptor is ready.
func (q *queue) give(fd uintptr) bool {
	for out := &q.out; len(out.runs) > 0; out.runs = out.runs[1:] {
		errno := out.write(fd, &out.runs[0])
		for errno == unix.EINTR {
			errno = out.write(fd, &out.runs[0])
		}
		switch errno {
		case 0:
		case unix.EAGAIN:
			return false
		case unix.EBADFD, unix.EBADF:
			out.err = errno
			return true
		default: // EIO: the interface is down; EINVAL: malformed; ENOBUFS, ENOMEM; EPERM of a filter
			q.native.refused.Add(1)
		}
	}
	return true
}

// write hands one run over, in its pieces.
func (out *outbound) write(fd uintptr, r *offload.Run) unix.Errno {
	if len(r.Parts) == 0 || len(r.Parts) > maxParts || len(r.Parts[0]) == 0 || !out.header.describe(&r.Layout, r.Parts[0][0]>>4) {
		return unix.EINVAL
	}
	for i, p := range r.Parts {
		out.pieces[1+i] = piece(p)
	}
	_, _, errno := unix.RawSyscall(unix.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&out.pieces)), uintptr(1+len(r.Parts)))
	return errno
}

func piece(b []byte) (v unix.Iovec) {
	v.Base = unsafe.SliceData(b)
	v.SetLen(len(b))
	return v
}
