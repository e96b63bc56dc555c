package stream

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
)

// Twin is a network in memory on which Listen and Dial work without sockets, TLS included, in a testing/synctest bubble. It carries TCP only,
// without delay or loss; the simulation's network has those. The zero Twin is ready.
type Twin struct {
	mu        sync.Mutex
	listeners map[netip.AddrPort]*twinListener
	next      uint16
}

// backlog bounds connections that wait for Accept.
const backlog = 128

// ListenTCP returns what goes into ListenConfig.TCP.
func (t *Twin) ListenTCP(at netip.AddrPort) (net.Listener, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.listeners[at] != nil {
		return nil, fmt.Errorf("listen on %s: %w", at, syscall.EADDRINUSE)
	}
	l := &twinListener{twin: t, at: at, conns: make(chan net.Conn, backlog), done: make(chan struct{})}
	if t.listeners == nil {
		t.listeners = make(map[netip.AddrPort]*twinListener)
	}
	t.listeners[at] = l
	return l, nil
}

// DialTCP is what goes into DialConfig.DialTCP. Callers appear under 192.0.2.1.
func (t *Twin) DialTCP(_ context.Context, to netip.AddrPort) (net.Conn, error) {
	t.mu.Lock()
	l := t.listeners[to]
	t.next++
	from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 1}), 1024+t.next%60000)
	t.mu.Unlock()
	refused := &net.OpError{Op: "dial", Net: "tcp", Addr: net.TCPAddrFromAddrPort(to), Err: syscall.ECONNREFUSED}
	if l == nil {
		return nil, refused
	}
	here, there := connect(net.TCPAddrFromAddrPort(from), net.TCPAddrFromAddrPort(to))
	select {
	case <-l.done:
		return nil, refused
	case l.conns <- there:
		return here, nil
	default:
		return nil, refused
	}
}

type twinListener struct {
	twin  *Twin
	at    netip.AddrPort
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

// Accept implements net.Listener.
func (l *twinListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *twinListener) Close() error {
	l.once.Do(func() {
		l.twin.mu.Lock()
		delete(l.twin.listeners, l.at)
		l.twin.mu.Unlock()
		close(l.done)
		for {
			select {
			case c := <-l.conns:
				c.Close()
			default:
				return
			}
		}
	})
	return nil
}

// Addr implements net.Listener.
func (l *twinListener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.at) }
