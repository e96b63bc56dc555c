package sock

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Receive implements Socket.
func (u *udp) Receive(trains []Train) (int, error) {
	if len(trains) == 0 {
		return 0, nil
	}
	for in := &u.in; ; {
		in.offer(trains)
		if err := u.raw.Read(in.wait); err != nil {
			return 0, u.ended(err)
		}
		if in.errno != 0 {
			return 0, fmt.Errorf("receive from UDP port %d: %w", u.port, in.errno)
		}
		in.pace.moved(in.moved)
		if n := in.collect(trains); n > 0 {
			return n, nil
		}
	}
}

// incoming is what Receive works with: messages that point at their parts, all made once.
type incoming struct {
	u        *udp
	msgs     [Batch]unix.Mmsghdr
	iovs     [Batch]unix.Iovec
	names    [Batch]name
	controls [Batch][controlRoom / 8]uint64 // so that they are aligned

	asked, moved int // messages of the last call
	pace         pace
	errno        unix.Errno
	wait         func(fd uintptr) bool
}

// prepare makes everything that stays the same.
func (in *incoming) prepare(u *udp) {
	in.u = u
	for i := range in.msgs {
		h := &in.msgs[i].Hdr
		h.Name, h.Control = (*byte)(unsafe.Pointer(&in.names[i])), (*byte)(unsafe.Pointer(&in.controls[i]))
		h.Iov = &in.iovs[i]
		h.SetIovlen(1)
		in.renew(h)
	}
	in.wait = func(fd uintptr) bool {
		for {
			in.moved, in.errno = u.recvmmsg(fd, in.msgs[:in.asked])
			switch in.errno {
			case unix.EINTR:
			case unix.EAGAIN: // others have their turn while this waits
				in.pace = 0
				return false
			default:
				return true
			}
		}
	}
}

// renew writes what the kernel overwrites in a message.
func (in *incoming) renew(h *unix.Msghdr) {
	h.Namelen = unix.SizeofSockaddrInet6
	h.SetControllen(controlRoom)
}

// offer gives the kernel the trains' buffers.
func (in *incoming) offer(trains []Train) {
	in.asked = min(len(trains), Batch)
	for i := range in.asked {
		b := trains[i].Data
		in.iovs[i].Base = unsafe.SliceData(b)
		in.iovs[i].SetLen(cap(b))
	}
}

// collect makes trains of the messages, without gaps: the buffer of one that is left out is moved behind.
func (in *incoming) collect(trains []Train) int {
	n := 0
	for i := range in.moved {
		t := &trains[i]
		ok := in.read(i, t)
		in.renew(&in.msgs[i].Hdr)
		if !ok {
			continue
		}
		if n != i {
			trains[n], *t = *t, trains[n]
		}
		n++
	}
	return n
}

// read makes a train of message i; false if there is nothing to deliver.
func (in *incoming) read(i int, t *Train) bool {
	m := &in.msgs[i]
	control := unsafe.Slice((*byte)(unsafe.Pointer(&in.controls[i])), controlRoom)
	size := int(m.Len)
	local, segment := readControl(control[:m.Hdr.Controllen])
	if segment <= 0 || segment > size {
		segment = size
	}
	if m.Hdr.Flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		size = in.u.whole(int(m.Hdr.Flags), size, segment)
	}
	if size == 0 {
		return false
	}
	t.Data, t.Segment, t.Remote, t.Local = t.Data[:size], segment, in.names[i].get(), local
	return true
}

// whole is how many bytes of a message that lost its end are datagrams from end to end. Without all of the control data nobody knows, and
// none are.
func (u *udp) whole(flags, size, segment int) int {
	u.truncated.Add(1)
	if flags&unix.MSG_CTRUNC != 0 || segment == size {
		return 0
	}
	return size / segment * segment
}
