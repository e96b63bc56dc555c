package stream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/proto/control"
)

// Handler serves one stream on a goroutine of its own; the stream is closed when it returns. Info().Chain has been admitted, or is
// empty: a stranger, for whom frames are bounded to 16 KiB and the stay to 30 s. The first frame must come within 10 s, whoever it
// is. The context ends when the listener is to stop; the handler then has 5 s.
type Handler func(context.Context, Stream)

// Serve accepts until the context ends, which is no error, or a socket fails. When it returns, all handlers have, and the sockets are
// closed.
func (l *Listener) Serve(parent context.Context, handle Handler) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	var parts sync.WaitGroup
	if l.tcp != nil {
		parts.Go(func() { cancel(l.acceptTCP(ctx, handle)) })
	}
	if l.port != nil {
		parts.Go(func() { cancel(l.acceptQUIC(ctx, handle)) })
	}
	<-ctx.Done()
	if l.tcp != nil {
		l.tcp.Close()
		l.web.Close()
	}
	last := time.AfterFunc(grace, l.cut)
	defer last.Stop()
	parts.Wait()
	l.Close()
	if err := context.Cause(ctx); parent.Err() == nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func (l *Listener) acceptQUIC(ctx context.Context, handle Handler) error {
	return l.port.Serve(ctx, hosting(l.cfg.TLS.config(), l.cfg.Guests), func(ctx context.Context, c *quic.Conn) { l.greetQUIC(ctx, c, handle) })
}

// acceptTCP accepts and does nothing else, so that a slow peer keeps nobody waiting.
func (l *Listener) acceptTCP(ctx context.Context, handle Handler) error {
	conf := hosting(l.cfg.TLS.routed(), l.cfg.Guests)
	var guests sync.WaitGroup
	defer guests.Wait()
	wait := 5 * time.Millisecond
	for {
		raw, err := l.tcp.Accept()
		switch {
		case ctx.Err() != nil || l.closed.Load():
			if err == nil {
				raw.Close()
			}
			return context.Canceled
		case err != nil && !passing(err):
			return fmt.Errorf("accept on TCP %s: %w", l.Addr(), err)
		case err != nil:
			l.cfg.Log.Warn("connection not accepted", logx.Err, err, logx.Hint, "raise the limit of open files (LimitNOFILE)")
			pause(ctx, wait)
			wait = min(2*wait, time.Second)
			continue
		}
		wait = 5 * time.Millisecond
		leave, err := l.handshake.tcp.enter(addrPort(raw.RemoteAddr()).Addr())
		if err != nil {
			l.cfg.Log.Debug("connection turned away", logx.Reason, err)
			raw.Close()
			continue
		}
		guests.Go(func() {
			defer leave()
			l.greetTCP(ctx, raw, conf, &guests, handle)
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

// greetTCP does the handshake and sends the guest where it belongs. It runs on a goroutine that ends then: the handshake grows its stack
// to four times of what the stream needs for the days that it lives.
func (l *Listener) greetTCP(ctx context.Context, raw net.Conn, conf *tls.Config, guests *sync.WaitGroup, handle Handler) {
	tuneServer(raw)
	g := &guest{Conn: raw}
	c := tls.Server(g, conf)
	shake, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	if err := c.HandshakeContext(shake); err != nil {
		l.cfg.Log.Debug("handshake failed", logx.Transport, TCP, logx.Peer, raw.RemoteAddr(), logx.Err, err)
		g.Close()
		return
	}
	switch alpn := c.ConnectionState().NegotiatedProtocol; {
	case alpn == control.ALPN:
	case l.guest(alpn) != nil:
		l.guest(alpn).TCP(ctx, c)
		return
	default:
		l.web.offer(c, g)
		return
	}
	if l.cfg.Transport == QUIC {
		g.Close()
		return
	}
	s := newTLSStream(c, raw, l.cfg.Limit)
	guests.Go(func() { l.serve(ctx, s, handle) })
}

// greetQUIC waits for the stream in a connection whose handshake is done.
func (l *Listener) greetQUIC(ctx context.Context, c *quic.Conn, handle Handler) {
	if g := l.guest(c.ConnectionState().TLS.NegotiatedProtocol); g != nil {
		g.QUIC(ctx, c)
		return
	}
	if len(c.ConnectionState().TLS.PeerCertificates) == 0 {
		leave, err := l.strangers.enter(addrPort(c.RemoteAddr()).Addr())
		if err != nil {
			c.CloseWithError(busy, "")
			return
		}
		defer leave()
	}
	first, cancel := context.WithTimeout(ctx, firstFrame)
	defer cancel()
	s, err := c.AcceptStream(first)
	if err != nil {
		c.CloseWithError(0, "")
		return
	}
	cancel()
	l.attend(ctx, newQUICStream(c, s, nil, l.cfg.Limit), handle)
}

// guest returns whose a protocol is; nil: ours, or the web's.
func (l *Listener) guest(alpn string) *Guest {
	for i := range l.cfg.Guests {
		if g := &l.cfg.Guests[i]; g.ALPN == alpn {
			return g
		}
	}
	return nil
}

// busy is the code with which a QUIC connection is closed that finds no room. (TCP has no word for it: the connection just ends.)
const busy = 1

// serve is attend for TCP, with the stranger's door.
func (l *Listener) serve(ctx context.Context, s *framed, handle Handler) {
	if len(s.info.Chain) == 0 {
		leave, err := l.strangers.enter(s.info.Remote.Addr())
		if err != nil {
			l.cfg.Log.Debug("stranger turned away", logx.Reason, err)
			s.c.abort()
			return
		}
		defer leave()
	}
	l.attend(ctx, s, handle)
}

// attend runs the handler with the bounds that hold for everybody or for strangers.
func (l *Listener) attend(ctx context.Context, s *framed, handle Handler) {
	l.keep(s, true)
	defer l.keep(s, false)
	defer s.Close()
	s.hurry = true
	s.c.SetReadDeadline(time.Now().Add(firstFrame))
	if len(s.info.Chain) == 0 {
		s.Limit(strangerLimit)
		end := time.AfterFunc(strangerLife, func() { s.Close() })
		defer end.Stop()
	}
	handle(ctx, s)
}

func (l *Listener) keep(s *framed, in bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if in {
		l.streams[s] = struct{}{}
	} else {
		delete(l.streams, s)
	}
}

// cut ends the streams whose handlers have not let go of them.
func (l *Listener) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := range l.streams {
		s.c.abort()
	}
}
