package relayed

import (
	"net/netip"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/mono"
)

// known is a relay that the map names, or that a link still leads to.
type known struct {
	id      ident.Relay
	addrs   []netip.AddrPort
	region  string
	gone    bool // not in the map any more
	leaving bool // it drains
	link    *link

	rtt      time.Duration  // smoothed; 0: not known
	answers  netip.AddrPort // the address that answered
	shunned  mono.Time      // not to be chosen as a home before
	failures int            // in a row
}

// Relays says which relays there are. Those that are linked and have left the map stay in use until there is a better one: a controller
// that has lost sight of a relay need not be right.
func (l *Links) Relays(now mono.Time, all []Relay, out *Out) {
	first := len(l.relays) == 0
	for _, k := range l.relays {
		k.gone = true
	}
	fresh := false
	for _, r := range all {
		k := l.relay(r.ID)
		switch {
		case k != nil:
		case r.ID.IsZero() || len(l.relays) >= MaxRelays:
			continue
		default:
			k, fresh = &known{id: r.ID}, true
			l.relays = append(l.relays, k)
		}
		k.region, k.gone, k.leaving = r.Region, false, r.Draining || k.leaving && k.link != nil
		k.meet(r.Addrs)
	}
	l.relays = slices.DeleteFunc(l.relays, func(k *known) bool { return k.gone && k.link == nil })
	l.forgetRoles()
	if fresh {
		l.startSurvey(now, out)
	}
	if first {
		l.begun = now
	}
	l.elect(now, out)
	l.pursueAll(now, out)
}

// meet takes the addresses of a relay.
func (k *known) meet(addrs []netip.AddrPort) {
	k.addrs = k.addrs[:0]
	for _, a := range addrs {
		a = plain(a)
		if a.IsValid() && a.Port() != 0 && !a.Addr().IsUnspecified() && len(k.addrs) < MaxAddrs && !slices.Contains(k.addrs, a) {
			k.addrs = append(k.addrs, a)
		}
	}
	if !slices.Contains(k.addrs, k.answers) {
		k.answers = netip.AddrPort{}
	}
}

// plain writes IPv4 in its four bytes, however a socket tells it.
func plain(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

func (l *Links) relay(id ident.Relay) *known {
	for _, k := range l.relays {
		if k.id == id {
			return k
		}
	}
	return nil
}

// measured takes a round trip to the relay: an eighth counts, as in RFC 6298.
func (k *known) measured(rtt time.Duration) {
	rtt = max(rtt, time.Microsecond)
	if k.rtt == 0 {
		k.rtt = rtt
		return
	}
	k.rtt += (rtt - k.rtt) / 4
}

// failed takes note that the relay could not be reached or used; it is shunned for longer each time.
func (k *known) failed(now mono.Time, least time.Duration) {
	k.shunned = now.Add(max(least, min(10*time.Second<<min(k.failures, 5), 5*time.Minute)))
	k.failures++
}

// need is the link to a relay, begun if there is none. nil: all slots are taken by links that are in use.
func (l *Links) need(now mono.Time, k *known, out *Out) *link {
	if k.link != nil {
		return k.link
	}
	slot := l.freeSlot(now, out)
	if slot == 0 {
		return nil
	}
	n := &link{l: l, k: k, slot: slot, used: now.Add(-usedFor)}
	k.link, l.slots[slot] = n, n
	n.dial(now, out)
	return n
}

// freeSlot finds a slot, if need be that of the link which was used least lately.
func (l *Links) freeSlot(now mono.Time, out *Out) uint8 {
	var oldest *link
	for slot := uint8(1); slot <= MaxSlots; slot++ {
		n := l.slots[slot]
		if n == nil {
			return slot
		}
		if !n.serves() && now.Sub(n.used) > leaseLeast && (oldest == nil || n.used.Before(oldest.used)) {
			oldest = n
		}
	}
	if oldest == nil {
		return 0
	}
	oldest.leave(now, out)
	return oldest.slot
}

// Status is how a link stands, for people.
type Status struct {
	Slot     uint8
	Relay    ident.Relay
	Up       bool
	Carried  bool // on a connection, not by UDP
	Home     bool
	Standby  bool
	Leaving  bool // the relay drains
	Remote   netip.AddrPort
	RTT      time.Duration // 0: not known
	Keep     time.Duration // between questions while nothing else goes; 0: the link is down
	Demands  bool          // Keep is what the relay demands, for the NAT would do with less
	Channels int
}

// Status tells of every link, by slot.
func (l *Links) Status() (all []Status) {
	for _, n := range l.slots {
		if n == nil {
			continue
		}
		s := Status{Slot: n.slot, Relay: n.k.id, Up: n.up(), Carried: !n.bound && n.conn != 0, Home: n.k == l.home, Standby: n.k == l.standby,
			Leaving: n.k.leaving, Remote: n.remote, RTT: n.k.rtt, Channels: len(n.channels)}
		if n.up() {
			s.Keep, s.Demands = n.idleEvery()
		}
		all = append(all, s)
	}
	return all
}
