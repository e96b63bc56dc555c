package netcheck

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/core/portmap"
	"github.com/cvlan/cvlan/internal/core/stun"
)

// Mapping is how a NAT chooses the outside address of a socket (RFC 4787, section 4.1).
type Mapping uint8

// The mappings, from the most open.
const (
	MappingUnknown     Mapping = iota
	MappingNone                // there is no NAT
	MappingIndependent         // the same for everybody
	MappingAddress             // another for each IP address
	MappingPort                // another for each IP address and port
)

// String returns the word for people and scripts.
func (m Mapping) String() string {
	switch m {
	case MappingNone:
		return "none"
	case MappingIndependent:
		return "independent"
	case MappingAddress:
		return "address"
	case MappingPort:
		return "address and port"
	default:
		return "unknown"
	}
}

// Dependent reports whether the outside address that one server sees is of no use to others.
func (m Mapping) Dependent() bool { return m == MappingAddress || m == MappingPort }

// Path is the verdict on one IP family.
type Path struct {
	Asked     bool // a relay has an address of this family; else nothing is known
	UDP       bool
	Outside   []netip.AddrPort // as servers saw us; each once, at most MaxOutside
	Mapping   Mapping
	Filtering stun.Filtering
	KeptPort  Answer        // the NAT kept the socket's port
	Lifetime  time.Duration // for how long an idle mapping is kept at least; 0: not known
}

// MaxOutside is how many outside addresses are told.
const MaxOutside = 8

// Report is what a check found out.
type Report struct {
	Took         time.Duration
	IPv4, IPv6   Path
	Hairpin      Answer
	Gateway      Gateway
	DoubleNAT    bool    // the gateway's outside address is not the one that others see
	Captive      bool    // something answers in the relays' place
	Relays       []Relay // the fastest first; those that do not answer last
	Clock        time.Duration
	ClockIsKnown bool
	Meaning      []string // what it means, in sentences; the most important first
}

// Draw draws the conclusions.
func Draw(o *Observed) Report {
	r := Report{Took: o.Took, IPv4: path(o, &o.IPv4), IPv6: path(o, &o.IPv6), Hairpin: o.Hairpin, Gateway: o.Gateway, Clock: o.Clock, ClockIsKnown: o.ClockIsKnown,
		Relays: slices.Clone(o.Relays)}
	if r.IPv4.UDP {
		r.IPv4.Lifetime = o.Lifetime
	}
	if r.IPv4.Mapping == MappingNone {
		r.Hairpin = Needless
	}
	r.DoubleNAT = doubleNAT(&r)
	answered := false
	for _, x := range r.Relays {
		answered = answered || x.TLS > 0
		r.Captive = r.Captive || x.Foreign
	}
	r.Captive = r.Captive && !answered
	slices.SortStableFunc(r.Relays, func(a, b Relay) int { return cmp.Compare(distance(&a), distance(&b)) })
	r.Meaning = meaning(&r)
	return r
}

// distance orders relays: by UDP, then those that answer over TLS only, then silent ones.
func distance(r *Relay) time.Duration {
	switch {
	case r.UDP > 0:
		return r.UDP
	case r.TLS > 0:
		return time.Hour + r.TLS
	default:
		return 2 * time.Hour
	}
}

func path(o *Observed, f *Family) Path {
	p := Path{Asked: f.Asked || len(f.Sights) > 0, UDP: len(f.Sights) > 0, Filtering: f.Filtering}
	for _, s := range f.Sights {
		if len(p.Outside) < MaxOutside && !slices.Contains(p.Outside, s.Outside) {
			p.Outside = append(p.Outside, s.Outside)
		}
	}
	if !p.UDP {
		return p
	}
	p.Mapping = mapping(f.Sights, o.Own)
	p.KeptPort = No
	if !slices.ContainsFunc(p.Outside, func(a netip.AddrPort) bool { return a.Port() != o.LocalPort }) {
		p.KeptPort = Yes
	}
	return p
}

// mapping compares what servers saw: see the package comment.
func mapping(all []Sight, own []netip.Addr) Mapping {
	if !slices.ContainsFunc(all, func(s Sight) bool { return !slices.Contains(own, s.Outside.Addr()) }) {
		return MappingNone
	}
	servers, differ, differPort, samePort := 1, false, false, false
	for i, a := range all {
		for _, b := range all[:i] {
			switch {
			case a.Server.Addr() != b.Server.Addr():
				servers = 2
				differ = differ || a.Outside != b.Outside
			case a.Outside != b.Outside:
				differPort = true
			default:
				samePort = samePort || a.Server != b.Server
			}
		}
	}
	switch {
	case differPort:
		return MappingPort
	case differ && samePort:
		return MappingAddress
	case differ:
		return MappingPort
	case servers > 1:
		return MappingIndependent
	default:
		return MappingUnknown
	}
}

// doubleNAT reports whether there is another NAT outside of the gateway's.
func doubleNAT(r *Report) bool {
	out := r.Gateway.Outside
	if !out.IsValid() {
		return false
	}
	if portmap.Inner(out) {
		return r.IPv4.Mapping != MappingNone
	}
	return len(r.IPv4.Outside) > 0 && !slices.ContainsFunc(r.IPv4.Outside, func(a netip.AddrPort) bool { return a.Addr() == out })
}
