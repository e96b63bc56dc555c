package netcheck

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cvlan/cvlan/internal/base/words"
	"github.com/cvlan/cvlan/internal/core/stun"
)

// What is worth a word: a path that carries less than IPv6's minimum inside a tunnel, a clock that endangers certificates, and a router that
// remembers for less than nearly all do.
const (
	lowMTU      = 1280 + 80
	badClock    = time.Minute
	lowLifetime = 25 * time.Second
)

// meaning says what a report means.
func meaning(r *Report) (all []string) {
	say := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if r.Captive {
		say("Something answers in the relays' place: is there a login page? Open a browser and look.")
	}
	if slices.ContainsFunc(r.Relays, func(x Relay) bool { return x.Ended }) {
		say("Relays answer with certificates that have ended by this machine's clock: is it right?")
	}
	if !r.Captive || r.IPv4.UDP || r.IPv6.UDP { // else nothing passes before somebody logs in
		say("%s", direct(r))
	}
	switch {
	case r.DoubleNAT && len(r.Gateway.Protocols) > 0:
		say("The router is itself behind another NAT: a port that it opens can be reached only from in between.")
	case len(r.Gateway.Protocols) > 0:
		say("The router opens ports on request (%s): others can reach this machine whatever their NAT.", strings.Join(r.Gateway.Protocols, ", "))
	case r.IPv4.Mapping.Dependent():
		say("Switching on PCP, NAT-PMP or UPnP in the router would help.")
	}
	if r.Gateway.Pinholes {
		say("The router lets others in over IPv6 on request (PCP).")
	}
	if r.IPv6.UDP {
		say("IPv6 works: with others that have it, NATs do not matter.")
	}
	if r.Hairpin == No && r.IPv4.Mapping != MappingNone {
		say("The NAT does not turn packets back: machines behind it find each other by their local addresses.")
	}
	if l := r.IPv4.Lifetime; l > 0 && l < lowLifetime {
		say("The router forgets early what is idle, some time after %v: this machine sends more often than others, so that it stays in reach.", l)
	}
	for _, x := range r.Relays {
		if x.MTU > 0 && x.MTU < lowMTU {
			say("Packets to %s may have only %d bytes: large ones are cut smaller.", x.Name, x.MTU)
			break
		}
	}
	if r.ClockIsKnown && r.Clock.Abs() >= badClock {
		say("The clock is off by %s: set it, or certificates will be refused.", words.Span(r.Clock.Abs()))
	}
	return all
}

// direct says with whom direct connections are likely.
func direct(r *Report) string {
	switch {
	case !r.IPv4.UDP && !r.IPv6.UDP && !slices.ContainsFunc(r.Relays, func(x Relay) bool { return x.TLS > 0 || x.Ended }):
		if len(r.Relays) == 0 {
			return "No relay is known yet: join a network that has one."
		}
		if !slices.ContainsFunc(r.Relays, func(x Relay) bool { return !x.Nameless }) {
			return "The relays' names are not found: this machine is offline, or its DNS does not answer."
		}
		return "No relay answers, over UDP or TLS: this machine is offline, or a firewall lets nothing pass."
	case !r.IPv4.UDP && !r.IPv6.UDP && !slices.ContainsFunc(r.Relays, func(x Relay) bool { return x.TLS > 0 && x.Proxy == "" || x.Ended }):
		return "Nothing passes but the proxy: everything goes through it and a relay, which works but is slower."
	case !r.IPv4.UDP && !r.IPv6.UDP:
		return "UDP does not pass: everything goes through a relay over TLS, which works but is slower."
	case !r.IPv4.Asked:
		return "No relay has an IPv4 address: what IPv4 lets through is not known."
	case !r.IPv4.UDP:
		return "IPv4 UDP does not pass: direct connections are likely only with others that have IPv6."
	case r.IPv4.Mapping == MappingNone && r.IPv4.Filtering == stun.FilteringIndependent:
		return "This machine can be reached from everywhere: direct connections are likely with all."
	case r.IPv4.Mapping == MappingNone:
		return "There is no NAT: direct connections are likely with all that have UDP."
	case r.IPv4.Mapping.Dependent():
		return "The NAT shows each destination another address: direct connections are likely with those that can be reached easily, and by guessing with most others, but not with NATs of this kind."
	case r.IPv4.Mapping == MappingUnknown:
		return "UDP passes; too few servers answered to say what kind of NAT there is."
	case r.IPv4.Filtering == stun.FilteringIndependent:
		return "The NAT lets everybody answer: direct connections are likely with all that have UDP."
	default:
		return "Direct connections are likely with all but some behind NATs that show each destination another address; those are tried by guessing."
	}
}
