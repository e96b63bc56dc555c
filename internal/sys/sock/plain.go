package sock

import (
	"errors"
	"net"
	"net/netip"
)

// plain is a Socket of what every system has: one datagram a call, the source address always the system's choice.
type plain struct {
	conn          *net.UDPConn
	port          uint16
	receive, send int // sizes of the system's buffers
	counters
}

func openPlain(c Config) (Socket, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.Shared {
		return nil, c.failed(errNotShared)
	}
	conn, err := net.ListenUDP("udp", &net.UDPAddr{Port: int(c.Port)})
	if err != nil {
		return nil, c.failed(err)
	}
	p := &plain{conn: conn, port: conn.LocalAddr().(*net.UDPAddr).AddrPort().Port()}
	grow(conn.SetReadBuffer, c.bytes())
	grow(conn.SetWriteBuffer, c.bytes())
	if raw, err := conn.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { p.receive, p.send = bufferSizes(fd) })
	}
	return p, nil
}

// grow sets a buffer to n bytes, or to the largest fraction of it that the system allows.
func grow(set func(int) error, n int) {
	for set(n) != nil && n > 4096 {
		n /= 2
	}
}

// Receive implements Socket.
func (p *plain) Receive(trains []Train) (int, error) {
	if len(trains) == 0 {
		return 0, nil
	}
	for {
		t := &trains[0]
		n, _, flags, from, err := p.conn.ReadMsgUDPAddrPort(t.Data[:cap(t.Data)], nil)
		switch {
		case errors.Is(err, net.ErrClosed):
			return 0, net.ErrClosed
		case truncated(flags, err):
			p.counters.truncated.Add(1)
		case stray(err), err == nil && n == 0:
		case err != nil:
			return 0, err
		default:
			*t = Train{Data: t.Data[:n], Segment: n, Remote: netip.AddrPortFrom(from.Addr().Unmap().WithZone(""), from.Port())}
			return 1, nil
		}
	}
}

// Send implements Socket.
func (p *plain) Send(trains []Train) error {
	for i := range trains {
		if err := p.sendOne(&trains[i]); err != nil {
			return err
		}
	}
	return nil
}

// sendOne sends the datagrams of a train.
func (p *plain) sendOne(t *Train) error {
	to := netip.AddrPortFrom(t.Remote.Addr().WithZone(""), t.Remote.Port())
	if !to.IsValid() || to.Port() == 0 {
		p.refuse(refused, t.Datagrams())
		return nil
	}
	for rest := t.Data; len(rest) > 0; {
		n := len(rest)
		if t.Segment > 0 {
			n = min(n, t.Segment)
		}
		_, _, err := p.conn.WriteMsgUDPAddrPort(rest[:n], nil, to)
		if errors.Is(err, net.ErrClosed) {
			return net.ErrClosed
		}
		if err != nil {
			p.refuse(reasonOf(err), 1)
		}
		rest = rest[n:]
	}
	return nil
}

// Port implements Socket.
func (p *plain) Port() uint16 { return p.port }

// Stats implements Socket.
func (p *plain) Stats() Stats {
	s := Stats{ReceiveBuffer: p.receive, SendBuffer: p.send}
	p.fill(&s)
	return s
}

// Close implements Socket.
func (p *plain) Close() error {
	if err := p.conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
