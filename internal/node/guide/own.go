package guide

import (
	"net/netip"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/stun"
	"github.com/cvlan/cvlan/proto/disco"
)

// own is where this node can be reached, as far as it knows.
type own struct {
	port     uint16
	hosts    []netip.Addr              // of its interfaces
	prefixes []netip.Prefix            // likewise
	servers  []netip.AddrPort          // that answer STUN
	mapped   map[netip.AddrPort]uint64 // what STUN servers see, and the round in which they said so
	router   []netip.AddrPort          // what the router promised
	seen     map[uint8]netip.AddrPort  // what relays see, by slot
	lifetime stun.Lifetime             // for how long the NAT keeps an idle mapping
	moved    mono.Time                 // our address may have become another

	asking  *stun.Client
	round   uint64
	four    stun.Mapping // of the last round that was whole
	six     stun.Mapping
	answers int // in this round
	ports   int // of servers that have answered over IPv4
}

// movedFor is how long another port at the same address may come from a move.
const movedFor = 30 * time.Second

// sees takes where a relay sees us. Another port of the same address, though nothing has moved, is a mapping that was forgotten between two
// questions; it reports that the lifetime is shorter than thought.
func (o *own) sees(now mono.Time, slot uint8, at netip.AddrPort) (shorter bool) {
	was := o.seen[slot]
	o.seen[slot] = at
	if !was.IsValid() || was.Addr() != at.Addr() || was.Port() == at.Port() || !o.moved.IsNever() && now.Sub(o.moved) < movedFor {
		return false
	}
	o.moved = now // one mapping, which other relays see as well
	known := o.lifetime.Known()
	o.lifetime.Forgot(now)
	return o.lifetime.Known() != known
}

// moves forgets what was known of the NAT before another network.
func (o *own) moves(now mono.Time, spread time.Duration) {
	o.lifetime.Moved(now, spread)
	o.moved = now
}

// mapping is how the NAT before this node maps. Over IPv6 there is none as a rule, so that IPv4 tells.
func (o *own) mapping() disco.Mapping {
	switch {
	case o.four == stun.MappingDependent:
		return disco.MappingAddressPortDependent
	case o.four == stun.MappingIndependent && o.bare():
		return disco.MappingNone
	case o.four == stun.MappingIndependent:
		return disco.MappingEndpointIndependent
	}
	return disco.MappingUnknown
}

// bare reports whether what is seen from outside is an address of ours.
func (o *own) bare() bool {
	for a := range o.mapped {
		if a.Addr().Is4() {
			return slices.Contains(o.hosts, a.Addr()) && a.Port() == o.port
		}
	}
	return false
}

// candidates lists every address once, the nearest first.
func (o *own) candidates() (all []disco.Candidate) {
	add := func(a netip.AddrPort, k disco.CandidateKind) {
		known := slices.ContainsFunc(all, func(c disco.Candidate) bool { return c.Addr == a })
		if a.IsValid() && !known && len(all) < disco.MaxAddresses {
			all = append(all, disco.Candidate{Addr: a, Kind: k})
		}
	}
	for _, a := range o.hosts {
		add(netip.AddrPortFrom(a, o.port), disco.Host)
	}
	for _, a := range o.router {
		add(a, disco.PortMapped)
	}
	for _, a := range sorted(o.mapped) {
		add(a, o.reflexive(a, disco.ServerReflexive))
	}
	for slot := range uint8(maxSlots + 1) {
		add(o.seen[slot], o.reflexive(o.seen[slot], disco.RelaySeen))
	}
	return all
}

// reflexive is the kind of an address that somebody saw.
func (o *own) reflexive(a netip.AddrPort, k disco.CandidateKind) disco.CandidateKind {
	if a.Addr().Is4() && o.four == stun.MappingDependent || a.Addr().Is6() && o.six == stun.MappingDependent {
		return disco.Guessable
	}
	return k
}

func sorted(m map[netip.AddrPort]uint64) []netip.AddrPort {
	all := make([]netip.AddrPort, 0, len(m))
	for a := range m {
		all = append(all, a)
	}
	slices.SortFunc(all, netip.AddrPort.Compare)
	return all
}

// heard takes what a STUN client has found out; it reports whether something changed.
func (o *own) heard(events []stun.Event) (changed bool) {
	for _, e := range events {
		switch e.Kind {
		case stun.Mapped:
			o.answers++
			if e.Addr.Addr().Is4() {
				o.ports++
			}
			if _, known := o.mapped[e.Addr]; !known {
				changed = true
			}
			o.mapped[e.Addr] = o.round
		case stun.Done:
			changed = o.settle() || changed
		}
	}
	return changed
}

// settle forgets what nobody sees any more; a round without any answer tells nothing.
func (o *own) settle() (changed bool) {
	if o.answers == 0 {
		return false
	}
	for a, round := range o.mapped {
		if round != o.round {
			delete(o.mapped, a)
			changed = true
		}
	}
	was4, was6 := o.four, o.six
	o.four, o.six = o.judge(o.asking.Mapping(), true), o.judge(o.asking.Mapping6(), false)
	return changed || was4 != o.four || was6 != o.six
}

// judge says how the NAT maps where servers at one address only have answered: two of their ports that see different mappings prove that it
// depends on the destination; if they see the same, and they do behind nearly every NAT whose mapping does not, we take it for independent.
func (o *own) judge(m stun.Mapping, four bool) stun.Mapping {
	seen := 0
	for a := range o.mapped {
		if a.Addr().Is4() == four {
			seen++
		}
	}
	switch {
	case m != stun.MappingUnknown || seen == 0:
		return m
	case seen > 1:
		return stun.MappingDependent
	case o.ports < 2:
		return stun.MappingUnknown
	}
	return stun.MappingIndependent
}
