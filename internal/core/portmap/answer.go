package portmap

import (
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// Datagram takes what arrived at the socket from an address, and reports whether it was the gateway's word. Anything else changes nothing.
func (c *Client) Datagram(now mono.Time, from netip.AddrPort, b []byte, out *Out) bool {
	if c.phase == idle || from.Port() != Port || from.Addr().Unmap().WithZone("") != c.network.Gateway {
		return false
	}
	a, err := ParseAnswer(b)
	if err != nil {
		return false
	}
	if a.Result == UnsupportedVersion {
		c.refused(a.Protocol, out)
		c.decide(now, out)
		return true
	}
	lapsed := c.epochs[a.Protocol].lapsed(now, a.Epoch)
	q := &c.ask[a.Protocol]
	if q.next.IsNever() || !answers(&a, &q.request) {
		return c.unasked(now, &a, lapsed, out)
	}
	q.next = mono.Never
	if c.phase == closing {
		return true
	}
	c.find(a.Protocol, out)
	if a.Op == Map {
		c.mapAnswer(now, &a, out)
	} else {
		c.heard(now, &a, lapsed, out)
	}
	c.decide(now, out)
	return true
}

// answers reports whether an answer belongs to a question.
func answers(a *Answer, r *Request) bool {
	return a.Op == r.Op && a.Nonce == r.Nonce && (a.Op == Announce || a.Internal == r.Internal || a.Result != Success && a.Protocol == NATPMP)
}

// refused notes that the router does not speak the other protocol: an error about a version comes in the words of the one that it speaks.
func (c *Client) refused(speaks Protocol, out *Out) {
	other := NATPMP
	if speaks == NATPMP {
		other = PCP
	}
	if q := &c.ask[other]; !q.next.IsNever() && c.known[other] == unknown {
		q.next = mono.Never
		c.known[other] = absent
	}
}

// unasked takes an announcement: of a router that started anew, or has another address.
func (c *Client) unasked(now mono.Time, a *Answer, lapsed bool, out *Out) bool {
	if a.Op != Announce || a.Result != Success {
		return false
	}
	c.heard(now, a, lapsed, out)
	return true
}

// heard takes the epoch of the protocol that holds the mapping, and NAT-PMP's outside address.
func (c *Client) heard(now mono.Time, a *Answer, lapsed bool, out *Out) {
	if a.Protocol == NATPMP && a.Result == Success && Sound(a.Addr, c.network.Local) {
		c.outside = a.Addr
	}
	if c.phase == looking && a.Protocol == NATPMP && !c.outside.IsValid() {
		c.known[NATPMP] = failing // it has no address on its outside
	}
	if c.phase != holding || a.Protocol != c.held.protocol {
		return
	}
	if a.Protocol == NATPMP && c.outside.IsValid() && c.outside != c.held.external.Addr() {
		c.hold(now, NATPMP, netip.AddrPortFrom(c.outside, c.held.external.Port()), c.held.until.Sub(now), out)
	}
	if lapsed && (c.lapse.IsNever() || now.Sub(c.lapse) >= lapseEvery) {
		c.lapse = now
		c.again(now, out)
	}
}

// mapAnswer takes the answer to a request to map.
func (c *Client) mapAnswer(now mono.Time, a *Answer, out *Out) {
	addr := a.Addr
	if a.Protocol == NATPMP {
		addr = c.outside
	}
	if a.Result != Success || a.Lifetime < seconds(minLifetime) || a.External == 0 || !Sound(addr, c.network.Local) {
		c.failed(now, a.Protocol, out)
		return
	}
	if c.phase == holding && c.held.protocol != a.Protocol {
		return // too late: it lapses
	}
	c.hold(now, a.Protocol, netip.AddrPortFrom(addr, a.External), time.Duration(a.Lifetime)*time.Second, out)
}

// failed notes that a protocol does not map. What it held is lost, and everything is looked for anew.
func (c *Client) failed(now mono.Time, p Protocol, out *Out) {
	if c.phase == holding {
		if c.held.protocol == p {
			c.lose(out)
			_ = c.begin(now, out) // without random numbers it rests
		}
		return
	}
	c.known[p] = failing
	if c.phase == mapping && c.by == p {
		c.phase = looking
	}
}

// hold notes the mapping that there is from now on.
func (c *Client) hold(now mono.Time, p Protocol, external netip.AddrPort, life time.Duration, out *Out) {
	life = min(life, maxLifetime)
	fresh := c.held.external != external
	if fresh {
		c.lose(out)
	}
	renew := life/2 + time.Duration(c.nonce[0])*(life/8/256) // the same share each time, another for each host
	if p == UPnP {
		renew = min(renew, remakeUPnP)
	}
	c.phase, c.rests = holding, 0
	c.held = held{protocol: p, external: external, until: now.Add(life), renew: now.Add(max(renew, minRenewal))}
	if p != UPnP {
		c.held.see = now.Add(checkEvery)
	}
	if fresh {
		out.Events = append(out.Events, Event{Kind: Mapped, Protocol: p, External: external, Inner: Inner(external.Addr())})
	}
}

// lose forgets the mapping.
func (c *Client) lose(out *Out) {
	if c.held.external.IsValid() {
		out.Events = append(out.Events, Event{Kind: Lost, Protocol: c.held.protocol, External: c.held.external})
	}
	c.held = held{}
}

// find notes that the router speaks a protocol.
func (c *Client) find(p Protocol, out *Out) {
	if c.known[p] == unknown || c.known[p] == absent {
		c.known[p] = present
		out.Events = append(out.Events, Event{Kind: Found, Protocol: p})
	}
}

// Finished takes what became of a job.
func (c *Client) Finished(now mono.Time, r JobResult, out *Out) {
	if r.Kind != c.job {
		return
	}
	c.job = 0
	if c.stale && c.phase != closing {
		c.stale = false
		if c.phase == looking || c.phase == mapping || c.phase == holding {
			c.start(Job{Kind: Search}, out)
		}
		return
	}
	switch {
	case c.phase == closing:
		if c.port != 0 && r.Kind != UnmapUPnP {
			c.start(Job{Kind: UnmapUPnP, External: c.port}, out)
		}
		return
	case r.Kind == Search:
		c.searched(r, out)
	case r.Kind == MapUPnP:
		c.mapped(now, r, out)
	}
	c.decide(now, out)
}

func (c *Client) searched(r JobResult, out *Out) {
	if r.Code != JobDone {
		c.known[UPnP] = absent
		return
	}
	c.find(UPnP, out)
	if Sound(r.External, c.network.Local) {
		c.outside = r.External
	}
}

// mapped takes what became of a mapping by UPnP.
func (c *Client) mapped(now mono.Time, r JobResult, out *Out) {
	switch {
	case c.phase != mapping && (c.phase != holding || c.held.protocol != UPnP):
	case r.Code == JobConflict && c.clashes < maxConflicts:
		c.clashes++
		var b [2]byte
		copy(b[:], c.nonce[c.clashes:])
		c.port = 1024 + (uint16(b[0])<<8|uint16(b[1]))%64000
		c.start(Job{Kind: MapUPnP, External: c.port, Lifetime: lifetime}, out)
	case r.Code != JobDone || !Sound(r.External, c.network.Local):
		c.failed(now, UPnP, out)
	default:
		c.outside = r.External
		c.hold(now, UPnP, netip.AddrPortFrom(r.External, c.port), lifetime, out)
	}
}
