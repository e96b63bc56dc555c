package netcheck

import (
	"context"
	"crypto/rand"
	"net/netip"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	core "github.com/cvlan/cvlan/internal/core/netcheck"
	"github.com/cvlan/cvlan/internal/core/stun"
)

// asked is one STUN address of a relay.
type asked struct {
	relay  int
	server netip.AddrPort
}

// latency asks every relay at every address from one socket, and then the fastest for the sizes that pass.
func (c *check) latency(ctx context.Context, relays []Relay) {
	var all []asked
	for i, r := range relays {
		for _, a := range []netip.Addr{c.places[i].four, c.places[i].six} {
			for _, port := range []uint16{r.STUN, r.Port} {
				at := asked{i, netip.AddrPortFrom(a, port)}
				if a.IsValid() && port != 0 && !slices.Contains(all, at) {
					all = append(all, at)
				}
			}
		}
	}
	w, err := c.listen(ctx)
	if err != nil {
		return
	}
	defer w.close()
	c.note(func(o *core.Observed) { o.LocalPort = w.socket.Port() })
	s := &sizer{c: c, w: w}
	w.heard = func(events []stun.Event) {
		for _, e := range events {
			if e.Kind == stun.Mapped {
				c.sight(e, all)
				s.answered(e, all)
			}
		}
	}
	w.other, w.wake = s.datagram, s.wake
	var machines []machine
	for chunk := range slices.Chunk(all, stun.MaxServers) {
		var servers []netip.AddrPort
		for _, a := range chunk {
			servers = append(servers, a.server)
		}
		m := stun.NewClient(servers, rand.Reader)
		if m.Start(c.clock.Now(), &w.out) == nil {
			machines = append(machines, m)
		}
	}
	w.drive(machines...)
	s.tell()
}

// sight notes where a relay saw the socket, and how far away it is.
func (c *check) sight(e stun.Event, all []asked) {
	c.note(func(o *core.Observed) {
		f := family(o, e.Server.Addr().Is4())
		f.Sights = append(f.Sights, core.Sight{Server: e.Server, Outside: e.Addr})
		i := slices.IndexFunc(all, func(a asked) bool { return a.server == e.Server })
		if r := &o.Relays[all[i].relay]; r.UDP == 0 || e.RTT < r.UDP {
			r.UDP = max(e.RTT, 1)
		}
	})
}

// sizes are the IP packets that are tried, in bytes, the largest first: Ethernet, PPPoE, usual tunnels, IPv6's minimum.
var sizes = []int{1500, 1492, 1480, 1460, 1440, 1420, 1400, 1380, 1340, 1280}

const (
	sizedRelays = 4
	sizeTimes   = 3
	sizeEvery   = 300 * time.Millisecond
)

// sizer asks the relays that answer first with questions of every size.
type sizer struct {
	c   *check
	w   *wire
	all []sized
}

// sized is one relay that is asked.
type sized struct {
	relay  int
	server netip.AddrPort
	tx     []stun.TxID // by size
	best   int         // the index of the largest size that was answered; len(sizes): none
	sent   int
	next   mono.Time
}

// answered takes a relay's first answer and begins with it.
func (s *sizer) answered(e stun.Event, all []asked) {
	i := slices.IndexFunc(all, func(a asked) bool { return a.server == e.Server })
	relay := all[i].relay
	if len(s.all) == sizedRelays || slices.ContainsFunc(s.all, func(x sized) bool { return x.relay == relay }) {
		return
	}
	x := sized{relay: relay, server: e.Server, best: len(sizes), next: s.w.clock.Now(), tx: make([]stun.TxID, len(sizes))}
	for i := range x.tx {
		_, _ = rand.Read(x.tx[i][:]) // never fails
	}
	s.all = append(s.all, x)
}

// wake asks what is due.
func (s *sizer) wake(now mono.Time) mono.Time {
	next := mono.Never
	for i := range s.all {
		x := &s.all[i]
		if !x.next.IsNever() && !now.Before(x.next) {
			x.ask(now, s.w)
		}
		next = mono.Earlier(next, x.next)
	}
	return next
}

func (x *sized) ask(now mono.Time, w *wire) {
	if x.sent == sizeTimes || x.best == 0 {
		x.next = mono.Never
		return
	}
	x.sent, x.next = x.sent+1, now.Add(sizeEvery)
	for i, n := range sizes[:x.best] {
		w.send(x.server, stun.AppendSized(nil, x.tx[i], 0, n-headers(x.server.Addr())))
	}
}

// headers is how much of an IP packet is not the datagram's.
func headers(a netip.Addr) int {
	if a.Is4() {
		return 20 + 8
	}
	return 40 + 8
}

func (s *sizer) datagram(d datagram) {
	m, err := stun.Parse(d.data)
	if err != nil || m.Type != stun.TypeSuccess {
		return
	}
	for i := range s.all {
		x := &s.all[i]
		if at := slices.Index(x.tx, m.Tx); at >= 0 && d.from == x.server {
			x.best = min(x.best, at)
			if x.best == 0 {
				x.next = s.w.clock.Now() // there is nothing larger to wait for
			}
		}
	}
}

// tell notes the sizes. Linux cuts a packet that it has learned to be too large, so that its own knowledge counts, too.
func (s *sizer) tell() {
	for _, x := range s.all {
		if x.best == len(sizes) {
			continue
		}
		mtu := sizes[x.best]
		if s.c.cfg.PathMTU != nil {
			known, err := s.c.cfg.PathMTU(x.server.Addr())
			if err != nil {
				continue
			}
			mtu = min(mtu, known)
		}
		s.c.note(func(o *core.Observed) { o.Relays[x.relay].MTU = mtu })
	}
}
