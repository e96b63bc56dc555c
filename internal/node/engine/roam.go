package engine

import (
	"net/netip"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/node/guide"
	"github.com/cvlan/cvlan/internal/node/session"
)

// roam is called when the host's network has changed: a link, an address, a route.
func (e *Engine) roam() {
	before := e.reach
	e.retryAt = min0(e.retryAt) // a clash may be gone
	e.raise()
	e.session.Wake()
	if e.dev != nil && !slices.Equal(before, e.reach) {
		e.dev.tunnel.Wake()
		e.renewNames()
	}
	e.changed()
}

// resume is called when the machine has slept. Whoever knew us may have forgotten us since, and we may be elsewhere.
func (e *Engine) resume(slept time.Duration) {
	e.log.Info("the machine slept", logx.Took, slept)
	e.retryAt = min0(e.retryAt)
	e.raise()
	e.session.Wake()
	if e.dev != nil {
		e.dev.tunnel.Resume(slept)
		e.renewNames()
	}
	e.changed()
}

// min0 makes an attempt that waits due at once; one that does not wait stays so.
func min0(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return time.Now()
}

// report tells the session where others can reach this node: nowhere without a tunnel, and wherever its guide has found out if it has one.
func (e *Engine) report() {
	var all []netip.AddrPort
	e.reach = nil
	if e.dev != nil {
		addrs, err := e.cfg.Outside.Host.LocalAddrs(e.cfg.Ledger.interfaces()...)
		if err != nil {
			e.log.Warn("own addresses not known", logx.Err, err)
			return
		}
		e.reach = addrs
		if g := e.dev.tunnel.Guide(); g != nil {
			near, err := e.cfg.Outside.Host.LocalNetworks(e.cfg.Ledger.interfaces()...)
			if err != nil {
				e.log.Warn("own networks not known", logx.Err, err)
			}
			g.SetOwn(addrs, near)
			return
		}
		for _, a := range addrs {
			all = append(all, netip.AddrPortFrom(a, e.dev.tunnel.Port()))
		}
	}
	e.session.Report(session.Reach{Endpoints: all})
}

// reached is told by the guide where this node can be reached. It is called on the tunnel's goroutine.
func (e *Engine) reached(r guide.Reach) {
	out := session.Reach{Home: r.Home}
	if h := uint64(r.Home); h != 0 && e.home.Swap(h) != h {
		poke(e.news)
	}
	for _, c := range r.Candidates {
		out.Endpoints, out.Kinds = append(out.Endpoints, c.Addr), append(out.Kinds, byte(c.Kind))
	}
	e.session.Report(out)
}

// punched is told by the session that a peer and this node are to begin at one moment.
// The session goes on meanwhile: the tunnel's owner may be busy.
func (e *Engine) punched(peer ident.Node) {
	go func() {
		if t := e.Status().tunnel; t != nil && t.Guide() != nil {
			t.Guide().Punched(peer)
		}
	}()
}
