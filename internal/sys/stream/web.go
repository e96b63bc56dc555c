package stream

import (
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
)

// web is the listener that everything but node streams comes out of.
type web struct {
	addr   net.Addr
	door   *door
	wanted atomic.Bool
	conns  chan net.Conn
	done   chan struct{}
	once   sync.Once
}

func newWeb(addr net.Addr, limit int) *web {
	return &web{addr: addr, door: newDoor(limit, 0), conns: make(chan net.Conn, 64), done: make(chan struct{})}
}

// offer passes a connection on, or closes it if nobody takes it or too many are open.
func (w *web) offer(c *tls.Conn, g *guest) {
	leave, err := w.door.enter(addrPort(g.RemoteAddr()).Addr())
	if err != nil || !w.wanted.Load() {
		if err == nil {
			leave()
		}
		c.Close()
		return
	}
	g.leave = leave
	select {
	case <-w.done:
		c.Close()
	case w.conns <- c:
	default:
		c.Close()
	}
}

// Accept implements net.Listener. What it returns is a *tls.Conn, because net/http looks for one.
func (w *web) Accept() (net.Conn, error) {
	select {
	case c := <-w.conns:
		return c, nil
	case <-w.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. It also closes what nobody has taken; the last call, when no more is offered, gets all of that.
func (w *web) Close() error {
	w.once.Do(func() { close(w.done) })
	for {
		select {
		case c := <-w.conns:
			c.Close()
		default:
			return nil
		}
	}
}

// Addr implements net.Listener.
func (w *web) Addr() net.Addr { return w.addr }

// guest is a connection below TLS that says when it is closed.
type guest struct {
	net.Conn
	once  sync.Once
	leave func() // nil: nobody wants to know
}

// Close implements net.Conn.
func (g *guest) Close() error {
	if g.leave != nil {
		g.once.Do(g.leave)
	}
	return g.Conn.Close()
}
