package path

import (
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// Bounds of what goes to addresses that have proven nothing, over all peers together.
const (
	perAddress = 5  // datagrams a second to one address and port
	perHost    = 40 // and to all ports of one address
	maxLimited = 4096
)

// limiter counts what went to unproven addresses in the last second. The zero limiter is ready.
type limiter struct {
	windows map[netip.AddrPort]*window // port 0: all ports of the address
	order   []netip.AddrPort           // of windows, oldest first
}

type window struct {
	sent [perHost]mono.Time // a ring of as many as the bound allows
	next int
	born mono.Time
}

func (w *window) room(now mono.Time, bound int) bool {
	oldest := w.sent[w.next%bound]
	return oldest.IsNever() || now.Sub(oldest) >= time.Second
}

func (w *window) count(now mono.Time, bound int) {
	w.sent[w.next%bound] = now
	w.next = (w.next + 1) % bound
}

func (w *window) latest(bound int) mono.Time { return w.sent[(w.next+bound-1)%bound] }

// take reports whether one more datagram may go to an address, and counts it.
func (l *limiter) take(now mono.Time, to netip.AddrPort) bool {
	l.expire(now) // first: a window in hand must stay in the table
	one := l.window(now, to)
	all := l.window(now, netip.AddrPortFrom(to.Addr(), 0))
	if one == nil || all == nil || !one.room(now, perAddress) || !all.room(now, perHost) {
		return false
	}
	one.count(now, perAddress)
	all.count(now, perHost)
	return true
}

// window returns the window of an address; nil if too many others were used within the last second.
func (l *limiter) window(now mono.Time, to netip.AddrPort) *window {
	if w := l.windows[to]; w != nil {
		return w
	}
	if len(l.order) >= maxLimited {
		return nil
	}
	if l.windows == nil {
		l.windows = map[netip.AddrPort]*window{}
	}
	w := &window{born: now}
	l.windows[to] = w
	l.order = append(l.order, to)
	return w
}

// expire looks at some of the oldest windows: those unused for a second go, the others become the youngest.
func (l *limiter) expire(now mono.Time) {
	for range min(8, len(l.order)) {
		a := l.order[0]
		l.order = l.order[1:]
		bound := perAddress
		if a.Port() == 0 {
			bound = perHost
		}
		if w := l.windows[a]; now.Sub(max(w.latest(bound), w.born)) >= time.Second {
			delete(l.windows, a)
		} else {
			l.order = append(l.order, a)
		}
	}
}
