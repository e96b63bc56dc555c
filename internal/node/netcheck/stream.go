package netcheck

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"time"

	core "github.com/cvlan/cvlan/internal/core/netcheck"
)

// streamed is how a connection to one address of a relay went.
type streamed struct {
	took time.Duration // of TCP
	err  error
}

// stream connects to a relay over TCP, at its address of each family and through a proxy, and does TLS. One that answers is enough; the proxy counts only where no address does.
func (c *check) stream(ctx context.Context, i int, r Relay) {
	if r.Port == 0 {
		return
	}
	var (
		got     [2]streamed
		proxied streamed
		proxy   string
		all     sync.WaitGroup
	)
	for k, a := range []netip.Addr{c.places[i].four, c.places[i].six} {
		if a.IsValid() {
			all.Go(func() {
				got[k] = c.secured(ctx, r, func() (net.Conn, error) { return c.cfg.Dial(ctx, netip.AddrPortFrom(a, r.Port)) })
			})
		}
	}
	if c.cfg.Detour != nil {
		all.Go(func() {
			proxied = c.secured(ctx, r, func() (conn net.Conn, err error) {
				conn, proxy, err = c.cfg.Detour(ctx, r)
				return conn, err
			})
		})
	}
	all.Wait()
	c.note(func(o *core.Observed) {
		x := &o.Relays[i]
		for _, s := range got {
			switch {
			case s.took == 0: // it has no such address
			case s.err == nil:
				x.TLS = shorter(x.TLS, s.took)
			case errors.Is(s.err, ErrForeign):
				x.Foreign, x.Problem = true, s.err.Error()
			case errors.Is(s.err, ErrEnded):
				x.Ended, x.Problem = true, s.err.Error()
			case x.Problem == "":
				x.Problem = s.err.Error()
			}
		}
		switch {
		case x.TLS > 0:
		case proxy != "" && proxied.err == nil:
			x.TLS, x.Proxy = proxied.took, proxy
		case proxy != "":
			x.Problem = strings.TrimPrefix(x.Problem+"; through the proxy "+proxy+": "+proxied.err.Error(), "; ")
		}
		if x.TLS > 0 {
			x.Foreign, x.Ended, x.Problem = false, false, ""
		}
	})
}

// secured connects to a relay, and does TLS. No connection and no error means that there is nothing to connect through.
func (c *check) secured(ctx context.Context, r Relay, dial func() (net.Conn, error)) streamed {
	begun := time.Now()
	conn, err := dial()
	s := streamed{max(time.Since(begun), 1), err}
	if conn != nil && err == nil {
		defer conn.Close()
		if c.cfg.Secure != nil {
			s.err = c.cfg.Secure(ctx, r, conn)
		}
	}
	var errno syscall.Errno
	switch {
	case s.err != nil && (ctx.Err() != nil || errors.Is(s.err, context.DeadlineExceeded)):
		s.err = errSilent
	case errors.As(s.err, &errno):
		s.err = errno // what was called, and where, is said already
	}
	return s
}

var errSilent = errors.New("TLS gets no answer")

// shorter is the shorter of two times, of which the first may be 0, for none yet.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 {
		return b
	}
	return min(a, b)
}
