package sock

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Send runs through these, in this order: Send takes a set of arrays, load fills it with messages, flush hands them to the kernel, and
// amend deals with one that the kernel refused.

// Send implements Socket.
func (u *udp) Send(trains []Train) error {
	o := u.spare.take(u)
	err := o.send(trains, u.gso.Load())
	u.spare.give(o)
	return err
}

// outgoing is what one Send at a time works with: messages that point at their parts, all made once.
type outgoing struct {
	u        *udp
	msgs     [Batch]unix.Mmsghdr
	iovs     [Batch]unix.Iovec
	names    [Batch]name
	controls [Batch]sendControl

	head, tail int // the messages not yet sent
	stripped   int // the message that goes without its source now; -1: none
	moved      int // by the last call
	pace       pace
	errno      unix.Errno
	try        func(fd uintptr)
	wait       func(fd uintptr) bool

	next *outgoing // in spare
	one  [1]Train  // of a message that is sent apart
}

func newOutgoing(u *udp) *outgoing {
	o := &outgoing{u: u}
	family := unix.AF_INET6
	if u.only4 {
		family = unix.AF_INET
	}
	for i := range o.msgs {
		o.names[i].Family = uint16(family)
		o.controls[i].prepare(u.only4)
		h := &o.msgs[i].Hdr
		h.Name, h.Namelen = (*byte)(unsafe.Pointer(&o.names[i])), nameSize(family)
		h.Iov = &o.iovs[i]
		h.SetIovlen(1)
	}
	o.try = func(fd uintptr) { o.moved, o.errno = u.sendmmsg(fd, o.msgs[o.head:o.tail]) }
	o.wait = func(fd uintptr) bool {
		o.try(fd)
		return o.errno != unix.EAGAIN
	}
	return o
}

func (o *outgoing) send(trains []Train, gso bool) error {
	for at := 0; len(trains) > 0; {
		trains, at = o.load(trains, at, gso)
		if err := o.flush(); err != nil {
			return err
		}
	}
	return nil
}

// load makes messages of trains, from byte at of the first on, and returns what did not fit.
func (o *outgoing) load(trains []Train, at int, gso bool) ([]Train, int) {
	o.head, o.tail, o.stripped = 0, 0, -1
	for len(trains) > 0 && o.tail < Batch {
		t := &trains[0]
		if at == 0 && !o.u.sendable(t) {
			trains = trains[1:]
			continue
		}
		data, segment := t.Data[at:], t.Segment
		if segment <= 0 || segment > len(data) {
			segment = len(data)
		}
		switch {
		case !gso:
			data = data[:segment]
		case len(data) > MaxTrain || len(data) > MaxSegments*segment:
			data = data[:segment*max(1, min(MaxSegments, MaxTrain/segment))]
		}
		o.put(o.tail, t, data, segment)
		o.tail++
		if at += len(data); at == len(t.Data) {
			trains, at = trains[1:], 0
		}
	}
	return trains, at
}

// sendable reports whether the kernel can be asked to send a train; if not, it has been counted.
func (u *udp) sendable(t *Train) bool {
	switch {
	case len(t.Data) == 0:
		return false
	case !t.Remote.IsValid() || t.Remote.Port() == 0:
		u.refuse(refused, t.Datagrams())
		return false
	case u.only4 && !t.Remote.Addr().Unmap().Is4():
		u.refuse(unreachable, t.Datagrams())
		return false
	}
	return true
}

// put makes message i.
func (o *outgoing) put(i int, t *Train, data []byte, segment int) {
	h, c := &o.msgs[i].Hdr, &o.controls[i]
	o.iovs[i].Base = unsafe.SliceData(data)
	o.iovs[i].SetLen(len(data))
	o.names[i].set(t.Remote, o.u.only4)
	h.Control = (*byte)(unsafe.Pointer(&c.source))
	size := 0
	if segment < len(data) {
		c.segment.size = uint16(segment)
		h.Control = (*byte)(unsafe.Pointer(&c.segment))
		size = segmentSpace
	}
	if t.Local.IsValid() && t.Local.Is4() == t.Remote.Addr().Is4() {
		c.source.setSource(t.Local, o.u.only4)
		size += sourceSpace(o.u.only4)
	}
	h.SetControllen(size)
}

// flush sends the messages. It waits while the kernel's buffer is full.
func (o *outgoing) flush() error {
	for o.head < o.tail {
		// Control lets others send meanwhile; Write, which can wait, does not.
		if err := o.u.raw.Control(o.try); err != nil {
			return o.u.ended(err)
		}
		if o.errno == unix.EAGAIN {
			if err := o.u.raw.Write(o.wait); err != nil {
				return o.u.ended(err)
			}
		}
		if o.errno == 0 {
			o.head += o.moved
			o.pace.moved(o.moved)
		} else if err := o.amend(); err != nil {
			return err
		}
	}
	return nil
}
