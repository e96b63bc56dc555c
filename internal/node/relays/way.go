package relays

import (
	"context"
	"errors"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/sys/stream"
)

// directWait is the head start of the direct way over the proxy, and stagger that of QUIC over TCP.
const (
	directWait = 300 * time.Millisecond
	stagger    = 150 * time.Millisecond
)

// errNoAddress is why a relay is not dialed that the map does not name any more.
var errNoAddress = errors.New("no address is known of the relay")

// connect finds a way to a relay.
func (f *Ferry) connect(ctx context.Context, r ident.Relay) (*stream.Conn, error) {
	t := f.target(r)
	if len(t.addrs) == 0 {
		return nil, errNoAddress
	}
	proxy := f.proxy(t.addrs)
	direct := func(ctx context.Context) (*stream.Conn, error) { return f.direct(ctx, r, t) }
	if proxy == nil {
		return direct(ctx)
	}
	indirect := func(ctx context.Context) (*stream.Conn, error) { return f.indirect(ctx, r, t, proxy) }
	ways, head := []way{direct, indirect}, directWait
	if t.viaProxy {
		ways[0], ways[1] = indirect, direct
	}
	c, won, err := firstOf(ctx, ways, head)
	if err == nil {
		f.arrived(t, (won == 1) != t.viaProxy)
	}
	return c, err
}

func (f *Ferry) direct(ctx context.Context, r ident.Relay, t target) (*stream.Conn, error) {
	return stream.DialConn(ctx, stream.DialConfig{
		Whom: "relay", Addrs: t.addrs, TLS: f.tls(r), Transport: f.cfg.Transport, Datagrams: true, Stagger: stagger,
		Memory: &f.past, Attachment: t.attachment + " " + r.String(), Afresh: t.afresh,
		Lookup: f.cfg.Lookup, DialTCP: f.cfg.DialTCP, ListenUDP: f.cfg.ListenUDP,
	})
}

// way makes a connection.
type way func(context.Context) (*stream.Conn, error)

// firstOf tries ways one after the other, each with a head start over the next; the first connection wins, nothing is left of the others.
func firstOf(ctx context.Context, ways []way, head time.Duration) (won *stream.Conn, which int, err error) {
	type result struct {
		c     *stream.Conn
		which int
		err   error
	}
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan result, len(ways))
	timer := time.NewTimer(0)
	defer timer.Stop()
	var errs []error
	for started, ended := 0, 0; ended < len(ways); {
		select {
		case <-timer.C:
			if started < len(ways) {
				go func(i int) { // it ends soon after the context, and its result is awaited below
					c, err := ways[i](inner)
					results <- result{c, i, err}
				}(started)
				started++
				timer.Reset(head)
			}
		case r := <-results:
			ended++
			if r.err != nil {
				errs = append(errs, r.err)
				if won == nil {
					timer.Reset(0)
				}
				continue
			}
			cancel()
			for ; ended < started; ended++ {
				if late := <-results; late.c != nil {
					late.c.Close()
				}
			}
			return r.c, r.which, nil
		}
	}
	return nil, 0, errors.Join(errs...)
}
