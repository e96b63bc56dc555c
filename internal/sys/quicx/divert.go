package quicx

import (
	"net"
	"net/netip"

	"golang.org/x/net/ipv4"
)

// isQUIC reports whether a datagram is for quic-go: one of the two top bits of the first byte is set (RFC 9000, section 17).
func isQUIC(first byte) bool { return first&0xc0 != 0 }

// divert puts the handler between the socket and quic-go, without a copy or a queue: quic-go's own way for other packets has both. A real
// socket without a handler is left alone, or gathers what is written.
func divert(c net.PacketConn, other Other, gathers bool, came func(netip.AddrPort)) net.PacketConn {
	u, real := c.(*net.UDPConn)
	switch {
	case !real:
		return &diverter{c, other, came}
	case other == nil && gathers:
		return gathered(u, came)
	case other == nil:
		return c
	}
	return &batchDiverter{UDPConn: u, batch: ipv4.NewPacketConn(u), other: other}
}

// diverter serves sockets that give one datagram at a time: in-memory ones. With no handler it only spares us a line that quic-go
// would print about buffers.
type diverter struct {
	net.PacketConn
	other Other
	came  func(netip.AddrPort) // nil: nobody is told
}

// SetReadBuffer does nothing: there is no kernel.
func (*diverter) SetReadBuffer(int) error { return nil }

// SetWriteBuffer does nothing.
func (*diverter) SetWriteBuffer(int) error { return nil }

// ReadFrom implements net.PacketConn for quic-go.
func (d *diverter) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := d.PacketConn.ReadFrom(b)
		if err != nil || n == 0 || isQUIC(b[0]) {
			if err == nil && d.came != nil {
				d.came(AddrPort(from))
			}
			return n, from, err
		}
		if d.other != nil {
			d.other(b[:n], AddrPort(from))
		}
	}
}

// batchDiverter serves UDP sockets. quic-go reads through ReadBatch where it batches (Linux, macOS) and through ReadMsgUDP elsewhere.
type batchDiverter struct {
	*net.UDPConn
	batch *ipv4.PacketConn
	other Other
}

// ReadBatch hands what is not QUIC to the handler and moves the rest to the front. It moves bytes, not buffers, because quic-go knows
// its buffers by their place.
func (d *batchDiverter) ReadBatch(ms []ipv4.Message, flags int) (int, error) {
	for {
		n, err := d.batch.ReadBatch(ms, flags)
		if err != nil || n == 0 {
			return n, err
		}
		if kept := d.sort(ms[:n]); kept > 0 {
			return kept, nil
		}
	}
}

func (d *batchDiverter) sort(ms []ipv4.Message) (kept int) {
	for i := range ms {
		m := &ms[i]
		b := m.Buffers[0][:m.N]
		if m.N == 0 {
			continue
		}
		if !isQUIC(b[0]) {
			d.other(b, AddrPort(m.Addr))
			continue
		}
		if to := &ms[kept]; to != m {
			to.N, to.NN, to.Flags, to.Addr = copy(to.Buffers[0], b), copy(to.OOB, m.OOB[:m.NN]), m.Flags, m.Addr
		}
		kept++
	}
	return kept
}

// ReadMsgUDP is ReadBatch for one datagram.
func (d *batchDiverter) ReadMsgUDP(b, oob []byte) (n, oobn, flags int, addr *net.UDPAddr, err error) {
	for {
		n, oobn, flags, addr, err = d.UDPConn.ReadMsgUDP(b, oob)
		if err != nil || n == 0 || isQUIC(b[0]) {
			return n, oobn, flags, addr, err
		}
		d.other(b[:n], AddrPort(addr))
	}
}
