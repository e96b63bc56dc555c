package netsim

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// ListenPacket opens a UDP socket; port 0 picks one.
func (h *Host) ListenPacket(port uint16) (net.PacketConn, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	port, err := h.port(port, func(p uint16) bool { return h.sockets[p] != nil })
	if err != nil {
		return nil, err
	}
	s := &socket{host: h, port: port, in: make(chan packet, queue), closed: make(chan struct{}), read: newDeadline()}
	h.sockets[port] = s
	return s, nil
}

type packet struct {
	from netip.AddrPort
	data []byte
}

type socket struct {
	host   *Host
	port   uint16
	in     chan packet
	closed chan struct{}
	once   sync.Once
	read   *deadline
}

func (s *socket) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case <-s.closed:
		return 0, nil, net.ErrClosed
	case <-s.read.passed():
		return 0, nil, os.ErrDeadlineExceeded
	default:
	}
	select {
	case p := <-s.in:
		return copy(b, p.data), net.UDPAddrFromAddrPort(p.from), nil
	case <-s.closed:
		return 0, nil, net.ErrClosed
	case <-s.read.passed():
		return 0, nil, os.ErrDeadlineExceeded
	}
}

func (s *socket) WriteTo(b []byte, to net.Addr) (int, error) {
	select {
	case <-s.closed:
		return 0, net.ErrClosed
	default:
	}
	dst := to.(*net.UDPAddr).AddrPort()
	dst = netip.AddrPortFrom(dst.Addr().Unmap(), dst.Port())
	from, ok := s.host.net.Leave(netip.AddrPortFrom(s.host.addr, s.port), dst)
	if !ok {
		return len(b), nil
	}
	for _, d := range s.host.net.Delay(from.Addr(), dst.Addr()) {
		p := packet{from, append([]byte(nil), b...)}
		time.AfterFunc(d, func() { s.host.net.deliver(dst, p) })
	}
	return len(b), nil
}

// deliver puts a packet into the socket that listens there, if any and if it has room.
func (n *Net) deliver(dst netip.AddrPort, p packet) {
	dst, ok := n.Arrive(p.from, dst)
	h := n.host(dst.Addr())
	if !ok || h == nil {
		return
	}
	h.mu.Lock()
	s := h.sockets[dst.Port()]
	h.mu.Unlock()
	if s == nil {
		return
	}
	select {
	case s.in <- p:
	default:
	}
}

func (s *socket) Close() error {
	s.once.Do(func() {
		s.host.mu.Lock()
		delete(s.host.sockets, s.port)
		s.host.mu.Unlock()
		close(s.closed)
	})
	return nil
}

func (s *socket) vanish() { s.Close() }
func (s *socket) LocalAddr() net.Addr {
	return net.UDPAddrFromAddrPort(netip.AddrPortFrom(s.host.addr, s.port))
}

func (s *socket) SetDeadline(t time.Time) error      { return s.SetReadDeadline(t) }
func (s *socket) SetReadDeadline(t time.Time) error  { s.read.set(t); return nil }
func (s *socket) SetWriteDeadline(t time.Time) error { return nil }

// A deadline is a channel that is closed when its time has come, and replaced when the time is changed.
type deadline struct {
	mu    sync.Mutex
	timer *time.Timer
	ch    chan struct{}
}

func newDeadline() *deadline { return &deadline{ch: make(chan struct{})} }

func (d *deadline) passed() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ch
}

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil && !d.timer.Stop() {
		d.pass(d.ch) // it has, and whoever would say so may be waiting for the lock
	}
	d.timer = nil
	select {
	case <-d.ch:
		d.ch = make(chan struct{})
	default:
	}
	if t.IsZero() {
		return
	}
	ch := d.ch
	wait := time.Until(t)
	if wait <= 0 {
		close(ch)
		return
	}
	d.timer = time.AfterFunc(wait, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.pass(ch)
	})
}

// pass closes a channel, if it is the one of now and still open.
func (d *deadline) pass(ch chan struct{}) {
	if d.ch != ch {
		return
	}
	select {
	case <-ch:
	default:
		close(ch)
	}
}
