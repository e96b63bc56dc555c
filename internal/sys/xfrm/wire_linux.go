package xfrm

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	headerSize = 16 // of a netlink message
	groupSA    = 3  // XFRMNLGRP_SA: what happens to associations
	// answerWithin is how long an answer of the kernel may take, which it gives before the request returns.
	answerWithin = time.Second
	bufferSize   = 1 << 16
)

// wire is two netlink sockets: one that asks, and one that hears which associations are removed.
type wire struct {
	ask, hear int
	seq       uint32
	buf       []byte
}

func dial() (w *wire, err error) {
	w = &wire{ask: -1, hear: -1, buf: make([]byte, bufferSize)}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if w.ask, err = socket(); err != nil {
		return w, err
	}
	if w.hear, err = socket(); err != nil {
		return w, err
	}
	return w, os.NewSyscallError("setsockopt NETLINK_ADD_MEMBERSHIP", unix.SetsockoptInt(w.hear, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, groupSA))
}

func socket() (int, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_XFRM)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	// A socket without an address hears nothing.
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("bind", err)
	}
	// The kernel says in words what it does not like, where it can. It refuses to in vain.
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1)
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1)
	within := unix.NsecToTimeval(int64(answerWithin))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &within); err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("setsockopt SO_RCVTIMEO", err)
	}
	return fd, nil
}

func (w *wire) close() {
	for _, fd := range []int{w.ask, w.hear} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// do sends a request and waits until the kernel has done it.
func (w *wire) do(kind uint16, body []byte) error {
	return w.request(kind, unix.NLM_F_ACK|unix.NLM_F_CREATE, body, nil)
}

// get asks for one thing, dump for all; take is given the body of each message.
func (w *wire) get(kind uint16, body []byte, take func(body []byte)) error {
	return w.request(kind, unix.NLM_F_ACK, body, take)
}

func (w *wire) dump(kind uint16, take func(body []byte)) error {
	return w.request(kind, unix.NLM_F_DUMP, nil, take)
}

func (w *wire) request(kind, flags uint16, body []byte, take func(body []byte)) error {
	w.seq++
	m := order.AppendUint32(nil, uint32(headerSize+len(body)))
	m = order.AppendUint16(m, kind)
	m = order.AppendUint16(m, flags|unix.NLM_F_REQUEST)
	m = order.AppendUint32(m, w.seq)
	m = order.AppendUint32(m, 0)
	if err := unix.Sendto(w.ask, append(m, body...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return os.NewSyscallError("sendto", err)
	}
	for {
		n, err := receive(w.ask, w.buf, 0)
		if err != nil {
			return err
		}
		if done, err := w.answer(w.buf[:n], take); done {
			return err
		}
	}
}

// answer takes the messages of one datagram, and reports whether the last has come.
func (w *wire) answer(b []byte, take func(body []byte)) (done bool, err error) {
	messages(b, func(kind uint16, seq uint32, body []byte) {
		switch {
		case done || seq != w.seq:
		case kind == unix.NLMSG_ERROR:
			done, err = true, refusal(body)
		case kind == unix.NLMSG_DONE:
			done = true
		case take != nil:
			take(body)
		}
	})
	return done, err
}

// refusal is what an acknowledgement says; nil: it was done.
func refusal(body []byte) error {
	if len(body) < 4 {
		return errShort
	}
	code := int32(order.Uint32(body))
	if code == 0 {
		return nil
	}
	err := unix.Errno(-code)
	var why string
	if len(body) >= 4+headerSize {
		attrs(body[4+headerSize:], func(kind uint16, value []byte) {
			if kind == 1 && len(value) > 0 { // NLMSGERR_ATTR_MSG
				why = string(value[:len(value)-1])
			}
		})
	}
	if why != "" {
		return fmt.Errorf("%w (%s)", err, why)
	}
	return err
}

// heard gives what has happened since it was called last, without waiting. It fails if something was missed.
func (w *wire) heard(take func(kind uint16, body []byte)) error {
	for {
		n, err := receive(w.hear, w.buf, unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EAGAIN) {
			return nil
		}
		if err != nil {
			return err
		}
		messages(w.buf[:n], func(kind uint16, _ uint32, body []byte) { take(kind, body) })
	}
}

func receive(fd int, buf []byte, flags int) (int, error) {
	for {
		n, _, err := unix.Recvfrom(fd, buf, flags)
		if err != unix.EINTR {
			return n, os.NewSyscallError("recvfrom", err)
		}
	}
}

// messages yields those of a datagram that are whole.
func messages(b []byte, yield func(kind uint16, seq uint32, body []byte)) {
	for len(b) >= headerSize {
		size := int(order.Uint32(b))
		if size < headerSize || size > len(b) {
			return
		}
		yield(order.Uint16(b[4:]), order.Uint32(b[8:]), b[headerSize:size])
		b = b[min(len(b), (size+3)&^3):]
	}
}
