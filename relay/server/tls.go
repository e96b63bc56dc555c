package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/core/forward"
	"github.com/cvlan/cvlan/proto/relay"
)

// handshakeTime bounds a handshake over TLS.
const handshakeTime = 10 * time.Second

// acceptTCP accepts and does nothing else, so that a slow peer keeps nobody waiting.
func (s *Server) acceptTCP(ctx context.Context) error {
	wait := 5 * time.Millisecond
	for {
		raw, err := s.sockets.TCP.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				raw.Close()
			}
			return nil
		case err != nil && !passing(err):
			return fmt.Errorf("relay: accept on TCP port %d: %w", s.Port(), err)
		case err != nil:
			s.cfg.Log.Warn("connection not accepted", logx.Err, err, logx.Hint, "raise the limit of open files (LimitNOFILE)")
			pause(ctx, wait)
			wait = min(2*wait, time.Second)
			continue
		}
		wait = 5 * time.Millisecond
		leave, err := s.doors.tcp.enter(addrPort(raw.RemoteAddr()).Addr())
		if err != nil {
			raw.Close()
			continue
		}
		s.carried.Go(func() {
			defer leave()
			s.greetTCP(ctx, raw)
		})
	}
}

// passing reports whether an accept error ends by itself: descriptors or memory have run out, or the peer has gone again.
func passing(err error) bool {
	t, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](err)
	return ok && t.Temporary() && !errors.Is(err, net.ErrClosed)
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// greetTCP does the handshake and registers, on a goroutine that ends then (see the package comment).
func (s *Server) greetTCP(ctx context.Context, raw net.Conn) {
	tune(raw)
	conn := tls.Server(&cork{Conn: raw}, s.tls)
	shake, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	if err := conn.HandshakeContext(shake); err != nil {
		s.cfg.Log.Debug("handshake failed", logx.Peer, raw.RemoteAddr(), logx.Err, err)
		raw.Close()
		return
	}
	s.Attend(ctx, conn)
}

// Attend serves a TLS connection whose handshake is done, for callers with a listener of their own: as the server's own configuration does, theirs must have
// negotiated relay.ALPN and resume no sessions. It returns when the client is registered or refused; the connection is the server's, and ends
// with the context.
func (s *Server) Attend(ctx context.Context, conn *tls.Conn) {
	state := conn.ConnectionState()
	raw := conn.NetConn()
	enter, err := s.doors.open.enter(netip.Addr{})
	if err != nil || state.NegotiatedProtocol != relay.ALPN {
		raw.Close()
		if err == nil {
			enter()
		}
		return
	}
	c := &carrier{cut: func() { raw.Close() }}
	c.box = outbox{start: s.carried.Go, fail: c.cut, write: func(b []byte) error {
		conn.SetWriteDeadline(time.Now().Add(stuck))
		if k, ok := raw.(*cork); ok && len(b) > recordSize {
			return k.together(conn.Write, b)
		}
		_, err := conn.Write(b)
		return err
	}}
	conn.SetDeadline(time.Now().Add(hurry))
	stop := context.AfterFunc(ctx, c.cut)
	err = greet(conn, func(h *relay.Hello) relay.Welcome {
		return s.admit(&state, h, addrPort(raw.RemoteAddr()), forward.Stream, c)
	})
	stop()
	conn.SetDeadline(time.Time{})
	s.carried.Go(func() {
		defer enter()
		if err == nil && ctx.Err() == nil {
			c.serveStream(conn)
		}
		if c.client != 0 {
			s.forget(c)
		}
		if errors.Is(err, errRefused) {
			conn.SetWriteDeadline(time.Now().Add(time.Second))
			conn.CloseWrite()
			lull(raw)
		}
		raw.Close()
	})
}

// lull waits until the peer has closed, for a second at most: a socket that is closed with unread bytes in it answers with a reset, and the peer
// could lose what it had not read yet.
func lull(c net.Conn) {
	c.SetReadDeadline(time.Now().Add(time.Second))
	var b [256]byte
	for range 64 {
		if _, err := c.Read(b[:]); err != nil {
			return
		}
	}
}

// tune lets the kernel look after silent connections, each at its own time: probes of many that fall due together overflow queues.
func tune(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		t.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: time.Minute + rand.N(time.Minute), Interval: 10 * time.Second, Count: 6})
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
