package netsim

import (
	"net/netip"
	"syscall"
	"time"

	"github.com/cvlan/cvlan/internal/sim/natmodel"
)

// NAT is a router between some hosts and everybody else. What it does to datagrams is natmodel's; streams get out and not in. The line
// of a host behind it is the router's: Line, Cut and Weather know it by the outside address. Inside addresses are unique in a Net, even
// behind different routers.
type NAT struct {
	net     *Net
	above   *NAT // the router that this one stands behind; nil on the internet
	box     *natmodel.Box
	routed  bool
	outside netip.Addr
}

// NAT adds a router with an outside address.
func (n *Net) NAT(outside netip.Addr, c natmodel.Config) *NAT { return n.router(nil, outside, c) }

// NAT adds a router behind this one: carrier-grade NAT.
func (r *NAT) NAT(outside netip.Addr, c natmodel.Config) *NAT { return r.net.router(r, outside, c) }

func (n *Net) router(above *NAT, outside netip.Addr, c natmodel.Config) *NAT {
	n.mu.Lock()
	defer n.mu.Unlock()
	r := &NAT{net: n, above: above, routed: c.Routed, outside: outside, box: natmodel.New(c, outside, n.rnd)}
	n.place(r)
	return r
}

// place lets a router be found at its address. The lock is held.
func (n *Net) place(r *NAT) {
	if !r.routed {
		n.boxes[r.outside] = r
	}
	n.behind[r.outside] = r.above
}

// Outside is the address that the router shows.
func (r *NAT) Outside() netip.Addr {
	r.net.mu.Lock()
	defer r.net.mu.Unlock()
	return r.outside
}

// Routed reports whether the router translates nothing.
func (r *NAT) Routed() bool { return r.routed }

// Host adds a host behind the router, or returns the one at that address.
func (r *NAT) Host(addr netip.Addr) *Host {
	r.net.mu.Lock()
	r.net.behind[addr] = r
	r.net.mu.Unlock()
	return r.net.Host(addr)
}

// Reboot makes the router forget its mappings; streams through it are reset.
func (r *NAT) Reboot() {
	r.net.mu.Lock()
	r.box.Reboot()
	r.net.mu.Unlock()
	r.reset()
}

// Renumber gives the router another outside address.
func (r *NAT) Renumber(outside netip.Addr) {
	r.net.mu.Lock()
	delete(r.net.boxes, r.outside)
	delete(r.net.behind, r.outside)
	r.outside = outside
	r.box.Renumber(outside)
	r.net.place(r)
	r.net.mu.Unlock()
	r.reset()
}

// reset breaks the streams through the router: inside at the next retransmission, outside when patience is over.
func (r *NAT) reset() {
	for _, h := range r.net.all() {
		if !r.net.under(h.addr, r) {
			continue
		}
		for _, c := range h.streams() {
			if c.via == r || r.net.under(c.line[0], r) {
				time.AfterFunc(retransmit, func() { c.breakOff(syscall.ECONNRESET) })
				time.AfterFunc(patience, func() { c.peer.breakOff(syscall.ETIMEDOUT) })
			}
		}
	}
}

// under reports whether an address is behind a router, directly or not.
func (n *Net) under(a netip.Addr, r *NAT) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for s := n.behind[a]; s != nil; s = s.above {
		if s == r {
			return true
		}
	}
	return false
}

// visible reports whether an address can be spoken to from behind a router; nil: from the internet. The lock is held.
func (n *Net) visible(from *NAT, a netip.Addr) bool {
	for s := n.behind[a]; ; s = s.above {
		if s == from {
			return true
		}
		if s == nil || !s.routed {
			return false
		}
	}
}

// Leave takes a datagram as far as the routers before its sender do, and returns the address that it then comes from; false: it is
// dropped. It is called when the datagram is sent.
func (n *Net) Leave(from, to netip.AddrPort) (netip.AddrPort, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	at := n.behind[from.Addr()]
	for at != nil && !n.visible(at, to.Addr()) {
		var ok bool
		if from, ok = at.box.Out(n.clock.Now(), from, to); !ok {
			return from, false
		}
		if to.Addr() == at.outside && !at.routed { // it turns round there
			return from, at.box.Config().Hairpin
		}
		at = at.above
	}
	return from, n.visible(at, to.Addr())
}

// Arrive takes a datagram through the routers before its receiver, and returns the address that it reaches; false: it is dropped. It is
// called when the datagram lands.
func (n *Net) Arrive(from, to netip.AddrPort) (netip.AddrPort, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	ok := true
	for r := n.boxes[to.Addr()]; r != nil && ok; r = n.boxes[to.Addr()] {
		to, ok = r.box.In(n.clock.Now(), from, to)
	}
	if s := n.behind[to.Addr()]; ok && s != nil && s.routed && n.behind[from.Addr()] != s {
		to, ok = s.box.In(n.clock.Now(), from, to)
	}
	return to, ok
}

// exit returns the address that a host's streams come from for a listener, and the first router on the way; false: there is no way.
func (n *Net) exit(from, to netip.Addr) (netip.Addr, *NAT, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	at := n.behind[from]
	first := at
	for at != nil && !n.visible(at, to) {
		if !at.routed {
			from = at.outside
		}
		at = at.above
	}
	return from, first, n.visible(at, to) && n.boxes[to] == nil && n.admits(at, to)
}

// admits reports whether streams come in to a host that is visible from where they come: a stateful filter lets none in. The lock is
// held.
func (n *Net) admits(from *NAT, to netip.Addr) bool {
	s := n.behind[to]
	return s == from || s.box.Config().Filtering == natmodel.Endpoint
}
