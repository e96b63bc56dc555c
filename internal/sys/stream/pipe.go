package stream

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// Pipe returns the two ends of a stream in memory, without TLS: what one sends the other receives. It bounds and blocks like the real
// ones (64 KiB are under way at most each way) and works in a testing/synctest bubble. Each Info is what that end's Info returns.
func Pipe(left, right Info) (Stream, Stream) {
	a, b := connect(net.TCPAddrFromAddrPort(left.Local), net.TCPAddrFromAddrPort(right.Local))
	return newFramed(&plain{a}, left, 0), newFramed(&plain{b}, right, 0)
}

// plain is a carrier on an in-memory connection.
type plain struct{ *memConn }

func (*plain) tryWrite([]byte) bool { return false }

func (p *plain) finish(until time.Time) {
	p.CloseWrite()
	p.SetReadDeadline(until)
	io.Copy(io.Discard, p.memConn)
}

func (p *plain) abort() { p.Close() }

// inFlight is how many bytes an in-memory connection holds each way.
const inFlight = 64 << 10

// memConn is one end of an in-memory connection: a net.Conn like TCP's, with FIN (CloseWrite) and buffers.
type memConn struct {
	local, remote net.Addr
	in, out       *channel
}

func connect(left, right net.Addr) (a, b *memConn) {
	ab, ba := newChannel(), newChannel()
	return &memConn{left, right, ba, ab}, &memConn{right, left, ab, ba}
}

// Read implements net.Conn.
func (c *memConn) Read(b []byte) (int, error) { return c.in.read(b) }

// Write implements net.Conn.
func (c *memConn) Write(b []byte) (int, error) { return c.out.write(b) }

// CloseWrite lets the peer read what is on its way and then io.EOF.
func (c *memConn) CloseWrite() error { c.out.end(io.EOF, net.ErrClosed); return nil }

// Close implements net.Conn. What is on its way still arrives.
func (c *memConn) Close() error {
	c.out.end(io.EOF, net.ErrClosed)
	c.in.end(net.ErrClosed, io.ErrClosedPipe)
	return nil
}

// LocalAddr implements net.Conn.
func (c *memConn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c *memConn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements net.Conn.
func (c *memConn) SetDeadline(t time.Time) error {
	c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (c *memConn) SetReadDeadline(t time.Time) error { c.in.set(&c.in.reading, t); return nil }

// SetWriteDeadline implements net.Conn.
func (c *memConn) SetWriteDeadline(t time.Time) error { c.out.set(&c.out.writing, t); return nil }

// channel is one direction of an in-memory connection.
type channel struct {
	mu               sync.Mutex
	changed          sync.Cond
	b                []byte
	readEnd          error // what read returns when b is empty
	writeEnd         error // what write returns
	closed           bool  // by the reader: b is of no use to anybody
	reading, writing limit
}

// limit is a deadline.
type limit struct {
	timer  *time.Timer
	at     time.Time
	passed bool
}

func newChannel() *channel {
	c := new(channel)
	c.changed.L = &c.mu
	return c
}

func (c *channel) read(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case c.closed:
			return 0, net.ErrClosed
		case c.reading.passed:
			return 0, os.ErrDeadlineExceeded
		case len(c.b) > 0:
			n := copy(b, c.b)
			if c.b = c.b[n:]; len(c.b) == 0 {
				c.b = nil // idle connections hold nothing
			}
			c.changed.Broadcast()
			return n, nil
		case c.readEnd != nil:
			return 0, c.readEnd
		}
		c.changed.Wait()
	}
}

func (c *channel) write(b []byte) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case c.writeEnd != nil:
			return n, c.writeEnd
		case c.writing.passed:
			return n, os.ErrDeadlineExceeded
		}
		if k := min(len(b), inFlight-len(c.b)); k > 0 {
			c.b = append(c.b, b[:k]...)
			b, n = b[k:], n+k
			c.changed.Broadcast()
		}
		if len(b) == 0 {
			return n, nil
		}
		c.changed.Wait()
	}
}

// end sets what reads and writes return from now on; the first end stays.
func (c *channel) end(read, write error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if read == net.ErrClosed {
		c.closed, c.b = true, nil
	}
	if c.readEnd == nil {
		c.readEnd = read
	}
	if c.writeEnd == nil {
		c.writeEnd = write
	}
	c.stop(&c.reading)
	c.stop(&c.writing)
	c.changed.Broadcast()
}

func (c *channel) stop(l *limit) {
	if l.timer != nil {
		l.timer.Stop()
	}
}

func (c *channel) set(l *limit, t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stop(l)
	l.timer, l.passed, l.at = nil, false, t
	if !t.IsZero() {
		if wait := time.Until(t); wait <= 0 {
			l.passed = true
		} else if !c.closed {
			l.timer = time.AfterFunc(wait, func() { c.expire(l, t) })
		}
	}
	c.changed.Broadcast()
}

// expire passes the deadline, unless it has been set anew while the timer fired.
func (c *channel) expire(l *limit, t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.at.Equal(t) {
		l.passed = true
		c.changed.Broadcast()
	}
}
