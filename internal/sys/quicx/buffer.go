package quicx

import "net"

// Buffers are the sizes of a socket's kernel buffers in bytes.
type Buffers struct{ Read, Write int }

// Hint returns what a person can do about buffers below want, or "". A UDP socket that many clients share drops packets in bursts
// when they are small.
func (b Buffers) Hint(want int) string {
	if b.Read == 0 || b.Read >= want && b.Write >= want {
		return ""
	}
	return "raise the limits: sysctl -w net.core.rmem_max=7500000 net.core.wmem_max=7500000, or run with CAP_NET_ADMIN"
}

// raiseBuffers asks the kernel for size bytes each way, beyond the system's limit where that is allowed, and returns what it granted.
func raiseBuffers(c net.PacketConn, size int) Buffers {
	u, ok := c.(*net.UDPConn)
	if !ok {
		return Buffers{}
	}
	if b := buffersOf(u); b.Read >= size && b.Write >= size {
		return b
	}
	u.SetReadBuffer(size)
	u.SetWriteBuffer(size)
	forceBuffers(u, size)
	return buffersOf(u)
}
