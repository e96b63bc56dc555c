package stream

import (
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"
)

// overTLS is a carrier: TLS on TCP, or on something that behaves like TCP.
type overTLS struct {
	*tls.Conn
	raw net.Conn
}

func newTLSStream(t *tls.Conn, raw net.Conn, limit int) *framed {
	return newFramed(&overTLS{t, raw}, Info{
		Transport: TCP,
		Local:     addrPort(raw.LocalAddr()),
		Remote:    addrPort(raw.RemoteAddr()),
		Chain:     t.ConnectionState().PeerCertificates,
	}, limit)
}

// tryWrite never takes anything: a TLS record half written could not be taken back. The writer goroutine costs 2 µs.
func (*overTLS) tryWrite([]byte) bool { return false }

// finish sends close_notify and FIN, then waits for the peer's by reading on: a socket closed with unread bytes in it answers
// with a reset, and the peer could lose what it had not read yet.
func (c *overTLS) finish(until time.Time) {
	late := time.AfterFunc(flush, c.abort) // crypto/tls would wait for five seconds
	defer late.Stop()
	if c.Conn.CloseWrite() != nil {
		return
	}
	if half, ok := c.raw.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
	c.raw.SetReadDeadline(until)
	io.Copy(io.Discard, io.LimitReader(c.raw, 1<<20))
}

func (c *overTLS) abort() { c.raw.Close() }

const (
	clientIdle  = 25 * time.Second
	clientEvery = 3 * time.Second // three probes before patience ends
	clientTries = 10
	serverEvery = 10 * time.Second
	serverTries = 6
	userTimeout = 60 * time.Second // TCP_USER_TIMEOUT: how long sent bytes may stay unacknowledged
)

// tuneClient makes a dead line known within a minute, and keeps address translators from forgetting a live one.
func tuneClient(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		t.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: clientIdle, Interval: clientEvery, Count: clientTries})
		setUserTimeout(t, userTimeout)
	}
}

// tuneServer probes rarely, since clients do, and each connection at its own time: probes of a hundred thousand that fall due
// together overflow queues and cut connections that are alive (measured).
func tuneServer(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		idle := time.Minute + rand.N(time.Minute)
		t.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: idle, Interval: serverEvery, Count: serverTries})
	}
}

// addrPort returns the address of an endpoint, IPv4 always in its four bytes; invalid if it has none of the kind.
func addrPort(a net.Addr) netip.AddrPort {
	with, ok := a.(interface{ AddrPort() netip.AddrPort })
	if !ok {
		return netip.AddrPort{}
	}
	ap := with.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
