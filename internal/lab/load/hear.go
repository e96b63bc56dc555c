package load

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"
)

// hearBuffer holds some 10,000 small packets for a receiver that is kept from its processor.
const hearBuffer = 8 << 20

// hear opens a port, counts numbered packets until the client closes its half, and tells it the count.
func hear(control *net.TCPConn, limit uint64) error {
	if limit > maxPackets {
		return fmt.Errorf("count %d packets: at most %d are allowed", limit, maxPackets)
	}
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: control.LocalAddr().(*net.TCPAddr).IP})
	if err != nil {
		return fmt.Errorf("open a port: %w", err)
	}
	defer c.Close()
	enlarge(c, hearBuffer)
	t, counted := newTally(limit), make(chan error, 1)
	go func() { counted <- t.all(c) }()
	if _, err := control.Write(binary.BigEndian.AppendUint64(nil, uint64(c.LocalAddr().(*net.UDPAddr).Port))); err != nil {
		c.Close()
		<-counted
		return err
	}
	_, ended := io.Copy(io.Discard, control)
	c.SetReadDeadline(time.Now())
	if err := errors.Join(ended, <-counted); err != nil {
		return err
	}
	answer := binary.BigEndian.AppendUint64(nil, t.received)
	answer = binary.BigEndian.AppendUint64(answer, t.doubled)
	_, err = control.Write(binary.BigEndian.AppendUint64(answer, t.reordered))
	return err
}

// all counts until the socket's deadline.
func (t *tally) all(c *net.UDPConn) error {
	b := newBatch(c, numberLen) // the rest of a packet is cut off by the kernel
	for {
		n, err := b.read()
		if err != nil {
			var e net.Error
			if errors.As(err, &e) && e.Timeout() || errors.Is(err, net.ErrClosed) {
				return nil
			}
			if errors.Is(err, syscall.ECONNREFUSED) {
				continue
			}
			return fmt.Errorf("receive packets: %w", err)
		}
		for _, m := range b.messages[:n] {
			if m.N >= numberLen {
				t.add(binary.BigEndian.Uint64(m.Buffers[0]))
			}
		}
	}
}
