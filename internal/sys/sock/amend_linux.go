package sock

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// amend does what can be done about the first message, which the kernel refused with errno: it stays to be sent in another form, is
// sent one datagram at a time, or is counted and passed over.
func (o *outgoing) amend() error {
	i := o.head
	segments, source := o.has(i)
	switch e := o.errno; {
	case e == unix.EINTR:
		return nil
	case segments && e == unix.EIO: // udp_send_skb: no checksum offload, or IPsec
		o.u.gso.Store(false)
		return o.apart(i)
	case source && sourceGone(e):
		o.strip(i, segments)
		return nil
	case segments && (e == unix.EINVAL || e == unix.EMSGSIZE): // udp_send_skb: larger than the path's MTU (EINVAL before Linux 6.14)
		return o.apart(i)
	default:
		t := o.train(i)
		o.u.refuse(reasonOfErrno(e), t.Datagrams())
		o.head++
		return nil
	}
}

// sourceGone reports whether an error may mean that the address to send from is not this machine's (any more).
func sourceGone(e unix.Errno) bool {
	return e == unix.EINVAL || e == unix.EADDRNOTAVAIL || e == unix.ENETUNREACH || e == unix.EHOSTUNREACH
}

// has tells which parts of its control data a message goes with.
func (o *outgoing) has(i int) (segments, source bool) {
	h := &o.msgs[i].Hdr
	if h.Controllen == 0 {
		return false, false
	}
	segments = h.Control == (*byte)(unsafe.Pointer(&o.controls[i].segment))
	return segments, !segments || int(h.Controllen) > segmentSpace
}

// strip takes the source out of a message.
func (o *outgoing) strip(i int, segments bool) {
	o.stripped = i
	o.msgs[i].Hdr.SetControllen(0)
	if segments {
		o.msgs[i].Hdr.SetControllen(segmentSpace)
	}
}

// train reads back what a message was made of.
func (o *outgoing) train(i int) Train {
	t := Train{Data: unsafe.Slice(o.iovs[i].Base, int(o.iovs[i].Len)), Remote: o.names[i].get()}
	segments, source := o.has(i)
	if segments {
		t.Segment = int(o.controls[i].segment.size)
	}
	if source || o.stripped == i { // it was not the source's fault
		t.Local = o.controls[i].source.getSource(o.u.only4)
	}
	return t
}

// apart sends a message's datagrams by themselves, out of the same memory.
func (o *outgoing) apart(i int) error {
	a := o.u.spare.take(o.u)
	a.one[0] = o.train(i)
	err := a.send(a.one[:], false)
	o.u.spare.give(a)
	o.head++
	return err
}
