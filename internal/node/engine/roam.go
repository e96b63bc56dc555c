package engine

import (
	"net/netip"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/base/logx"
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

// report tells the session where others can reach this node: nowhere without a tunnel.
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
		for _, a := range addrs {
			all = append(all, netip.AddrPortFrom(a, e.dev.tunnel.Port()))
		}
	}
	e.session.Report(session.Reach{Endpoints: all})
}
