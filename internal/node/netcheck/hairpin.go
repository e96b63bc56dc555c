package netcheck

import (
	"context"
	"crypto/rand"
	"net/netip"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	core "github.com/cvlan/cvlan/internal/core/netcheck"
	"github.com/cvlan/cvlan/internal/core/portmap"
	"github.com/cvlan/cvlan/internal/core/stun"
)

const (
	hairpinServers = 3
	hairpinTimes   = 3
	hairpinEvery   = 150 * time.Millisecond
	hairpinWait    = 500 * time.Millisecond // after the last
)

// hairpin lets two sockets learn where they are seen and send to each other there. Both send, so that a NAT which lets in only whom a
// socket has sent to lets the other in.
func (c *check) hairpin(ctx context.Context, servers []netip.AddrPort) {
	one, err := c.listen(ctx)
	if err != nil {
		return
	}
	defer one.close()
	two, err := c.listen(ctx)
	if err != nil {
		return
	}
	defer two.close()
	seen := make(chan netip.AddrPort, 1)
	go func() { seen <- c.seenAt(two, servers) }()
	a := c.seenAt(one, servers)
	b := <-seen
	local := netip.AddrFrom4([4]byte{192, 0, 2, 1})
	switch {
	case !a.IsValid() || !b.IsValid() || a.Addr() != b.Addr() || !portmap.Sound(a.Addr(), local):
		return
	case slices.Contains(c.own(), a.Addr()):
		c.note(func(o *core.Observed) { o.Hairpin = core.Needless })
		return
	}
	back := make(chan core.Answer, 1)
	go func() { back <- turned(two, a) }()
	got := turned(one, b)
	if other := <-back; other == core.Yes {
		got = other
	}
	c.note(func(o *core.Observed) { o.Hairpin = got })
}

func (c *check) own() []netip.Addr {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen.Own
}

// seenAt asks where a socket is seen; invalid: nobody says, or they disagree, so that nobody knows where a packet would have to go.
func (c *check) seenAt(w *wire, servers []netip.AddrPort) (at netip.AddrPort) {
	m, settled := stun.NewClient(servers, rand.Reader), false
	w.heard = func(events []stun.Event) {
		for _, e := range events {
			if e.Kind == stun.Mapped && !settled {
				at, settled = e.Addr, true
			}
		}
	}
	if m.Start(c.clock.Now(), &w.out) != nil {
		return netip.AddrPort{}
	}
	w.drive(until{m, func() bool { return settled }})
	return at
}

// until is a machine that stops when something holds.
type until struct {
	machine
	holds func() bool
}

func (u until) Deadline() mono.Time {
	if u.holds() {
		return mono.Never
	}
	return u.machine.Deadline()
}

// turned sends to where the other socket is seen, and reports whether something came from there.
func turned(w *wire, to netip.AddrPort) core.Answer {
	got, sent, next := core.No, 0, w.clock.Now()
	w.heard = nil
	w.other = func(d datagram) {
		if d.from == to {
			got = core.Yes
		}
	}
	w.wake = func(now mono.Time) mono.Time {
		switch {
		case got == core.Yes:
			return mono.Never
		case now.Before(next):
		case sent == hairpinTimes:
			return mono.Never
		default:
			sent++
			next = now.Add(hairpinEvery)
			if sent == hairpinTimes {
				next = now.Add(hairpinWait)
			}
			w.send(to, stun.AppendRequest(nil, stun.TxID{}, 0))
		}
		return next
	}
	if !w.drive() && got == core.No {
		return core.Unknown
	}
	return got
}
