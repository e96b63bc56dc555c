package netsim

import (
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// Listen accepts streams on a port; 0 picks one.
func (h *Host) Listen(port uint16) (net.Listener, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	port, err := h.port(port, func(p uint16) bool { return h.listeners[p] != nil })
	if err != nil {
		return nil, err
	}
	l := &listener{host: h, port: port, backlog: make(chan *conn, 128), closed: make(chan struct{})}
	h.listeners[port] = l
	return l, nil
}

type listener struct {
	host    *Host
	port    uint16
	backlog chan *conn
	closed  chan struct{}
	once    sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.backlog:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() {
		l.host.mu.Lock()
		delete(l.host.listeners, l.port)
		l.host.mu.Unlock()
		close(l.closed)
	})
	return nil
}

func (l *listener) vanish() { l.Close() }
func (l *listener) Addr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(l.host.addr, l.port))
}

// Dial opens a stream to a listener: one round trip, refused at once where nobody listens, waiting for ctx where nothing passes.
func (h *Host) Dial(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	for {
		seen, via, open := h.net.exit(h.addr, to.Addr())
		there, ok := h.net.drag(seen, to.Addr())
		back, _ := h.net.drag(to.Addr(), seen)
		ok = ok && open
		wait := there + back
		if !ok {
			wait = time.Second // the next SYN
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, h.fail("dial", "tcp", to, ctx.Err())
		}
		if ok && h.net.Reachable(seen, to.Addr()) {
			return h.connect(to, seen, via)
		}
	}
}

// connect makes both ends of a stream. seen is the address that it comes from for the listener.
func (h *Host) connect(to netip.AddrPort, seen netip.Addr, via *NAT) (net.Conn, error) {
	peer := h.net.host(to.Addr())
	if peer == nil {
		return nil, h.fail("dial", "tcp", to, syscall.EHOSTUNREACH)
	}
	peer.mu.Lock()
	l := peer.listeners[to.Port()]
	peer.mu.Unlock()
	if l == nil {
		return nil, h.fail("dial", "tcp", to, syscall.ECONNREFUSED)
	}
	h.mu.Lock()
	h.nextPort++
	from := netip.AddrPortFrom(h.addr, h.nextPort)
	h.mu.Unlock()
	a, b := newConn(h, from, to), newConn(peer, to, netip.AddrPortFrom(seen, from.Port()))
	a.peer, b.peer = b, a
	a.line, b.line = [2]netip.Addr{seen, to.Addr()}, [2]netip.Addr{to.Addr(), seen}
	a.via = via
	select {
	case l.backlog <- b:
	default:
		return nil, h.fail("dial", "tcp", to, syscall.ECONNREFUSED)
	}
	a.enter()
	b.enter()
	return a, nil
}

// A conn is one end of a stream. Bytes travel in segments, each with its own delay but in order; at most window bytes are
// neither read nor on their way, so that a reader who does not read stops the writer.
type conn struct {
	host          *Host
	local, remote netip.AddrPort
	peer          *conn
	line          [2]netip.Addr // whose conditions it meets: this side, the other
	via           *NAT          // the router before the one who dialled; nil: none

	mu      sync.Mutex
	coming  []segment     // on their way to us
	buf     []byte        // arrived, not yet read
	flight  int           // bytes written by the peer and not yet read here
	eof     bool          // the peer has closed
	err     error         // we have closed, or the stream broke
	changed chan struct{} // closed and replaced at every change
	read    *deadline
	write   *deadline
	gone    bool // power cut: nothing leaves or arrives
}

func newConn(h *Host, local, remote netip.AddrPort) *conn {
	return &conn{host: h, local: local, remote: remote, changed: make(chan struct{}), read: newDeadline(), write: newDeadline()}
}

func (c *conn) enter() {
	c.host.mu.Lock()
	c.host.conns[c] = struct{}{}
	c.host.mu.Unlock()
}

func (c *conn) leave() {
	c.host.mu.Lock()
	delete(c.host.conns, c)
	c.host.mu.Unlock()
}

// tell wakes whoever waits for a change. The lock is held.
func (c *conn) tell() {
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *conn) Read(b []byte) (int, error) {
	for {
		c.mu.Lock()
		switch {
		case c.err != nil:
			c.mu.Unlock()
			return 0, c.err
		case len(c.buf) > 0:
			n := copy(b, c.buf)
			c.buf = c.buf[n:]
			c.flight -= n
			c.tell() // the peer's writer waits on our changes for room
			c.mu.Unlock()
			return n, nil
		case c.eof:
			c.mu.Unlock()
			return 0, io.EOF
		}
		changed := c.changed
		c.mu.Unlock()
		select {
		case <-changed:
		case <-c.read.passed():
			return 0, os.ErrDeadlineExceeded
		}
	}
}

func (c *conn) Write(b []byte) (int, error) {
	done := 0
	for len(b) > 0 {
		n, err := c.writeSome(b[:min(len(b), maxSegment)])
		done += n
		if err != nil {
			return done, err
		}
		b = b[n:]
	}
	return done, nil
}

// writeSome sends one segment when the peer has room for it.
func (c *conn) writeSome(b []byte) (int, error) {
	for {
		select {
		case <-c.write.passed():
			return 0, os.ErrDeadlineExceeded
		default:
		}
		c.mu.Lock()
		err, mine := c.err, c.changed
		c.mu.Unlock()
		if err != nil {
			return 0, err
		}
		p := c.peer
		p.mu.Lock()
		if p.flight+len(b) <= window {
			p.flight += len(b)
			p.mu.Unlock()
			c.launch(append([]byte(nil), b...), false)
			return len(b), nil
		}
		theirs := p.changed
		p.mu.Unlock()
		select {
		case <-theirs:
		case <-mine:
		case <-c.write.passed():
			return 0, os.ErrDeadlineExceeded
		}
	}
}

// A segment is on its way to a conn.
type segment struct {
	at   time.Time // when it arrives
	data []byte
	end  bool // the sender has closed
}

// launch puts a segment (or the end of the stream) on its way to the peer, behind everything sent before.
func (c *conn) launch(b []byte, end bool) {
	d, _ := c.host.net.drag(c.line[0], c.line[1])
	p := c.peer
	p.mu.Lock()
	defer p.mu.Unlock()
	p.coming = append(p.coming, segment{time.Now().Add(d), b, end})
	if len(p.coming) == 1 {
		time.AfterFunc(d, p.step)
	}
}

// step takes in what has arrived, in order. A cut line holds everything back; the next look is a retransmission later.
func (c *conn) step() {
	cut := !c.host.net.Reachable(c.line[0], c.line[1])
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		c.coming = nil
		return
	}
	if cut {
		time.AfterFunc(retransmit, c.step)
		return
	}
	now := time.Now()
	for len(c.coming) > 0 && !c.coming[0].at.After(now) {
		c.buf = append(c.buf, c.coming[0].data...)
		c.eof = c.eof || c.coming[0].end
		c.coming = c.coming[1:]
	}
	c.tell()
	if len(c.coming) > 0 {
		time.AfterFunc(c.coming[0].at.Sub(now), c.step)
	}
}

// breakOff ends this side as a keepalive that was never answered does.
func (c *conn) breakOff(err error) {
	c.mu.Lock()
	if c.err == nil {
		c.err = &net.OpError{Op: "read", Net: "tcp", Err: err}
		c.gone, c.coming = true, nil
		c.tell()
	}
	c.mu.Unlock()
	c.leave()
}

func (c *conn) Close() error {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return nil
	}
	c.err = net.ErrClosed
	c.tell()
	c.mu.Unlock()
	c.leave()
	c.launch(nil, true)
	return nil
}

// vanish ends our side without telling the peer.
func (c *conn) vanish() {
	c.mu.Lock()
	c.gone = true
	if c.err == nil {
		c.err = net.ErrClosed
	}
	c.coming = nil
	c.tell()
	c.mu.Unlock()
	c.leave()
	time.AfterFunc(patience, func() { c.peer.breakOff(syscall.ETIMEDOUT) })
}

func (c *conn) LocalAddr() net.Addr                { return net.TCPAddrFromAddrPort(c.local) }
func (c *conn) RemoteAddr() net.Addr               { return net.TCPAddrFromAddrPort(c.remote) }
func (c *conn) SetDeadline(t time.Time) error      { c.read.set(t); c.write.set(t); return nil }
func (c *conn) SetReadDeadline(t time.Time) error  { c.read.set(t); return nil }
func (c *conn) SetWriteDeadline(t time.Time) error { c.write.set(t); return nil }
