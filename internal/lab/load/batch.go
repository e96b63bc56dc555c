package load

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/net/ipv4"
)

// batchLen is how many packets go to or come from the kernel in one call.
const batchLen = 64

// batch sends and receives many packets of one size in one call, where the system can (sendmmsg, recvmmsg).
type batch struct {
	conn     *ipv4.PacketConn // IPv6 sockets work alike: only batches are used of it
	messages []ipv4.Message
}

func newBatch(c *net.UDPConn, size int) *batch {
	b := &batch{ipv4.NewPacketConn(c), make([]ipv4.Message, batchLen)}
	memory := make([]byte, batchLen*size)
	for i := range b.messages {
		b.messages[i].Buffers = [][]byte{memory[i*size : (i+1)*size : (i+1)*size]}
	}
	return b
}

// payload is the memory of the i-th packet.
func (b *batch) payload(i int) []byte { return b.messages[i].Buffers[0] }

// write sends the first n packets, n > 0, to an address, or where the socket is connected for nil. It returns how many are done
// with, at least one without an error. One that the system refuses because of what another packet met (nobody listens, a queue is
// full) counts as done: it is a packet that was lost.
func (b *batch) write(n int, to net.Addr) (done int, err error) {
	for i := range n {
		b.messages[i].Addr = to
	}
	done, err = b.conn.WriteBatch(b.messages[:n], 0)
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOBUFS) {
		return max(done, 1), nil
	}
	return done, err
}

// read waits for packets and returns how many came; the length of the i-th is messages[i].N.
func (b *batch) read() (n int, err error) { return b.conn.ReadBatch(b.messages, 0) }
