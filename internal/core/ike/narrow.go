package ike

import (
	"net/netip"

	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// narrow is what is both in offered and in allowed, in the order of the former (§2.9); at most maxSelectors.
func narrow(offered, allowed []msg.Selector) (out []msg.Selector) {
	for _, o := range offered {
		for _, a := range allowed {
			both, ok := intersect(o, a)
			if !ok || within(both, out) {
				continue
			}
			if len(out) == maxSelectors {
				return out
			}
			out = append(out, both)
		}
	}
	return out
}

// allWithin reports whether every selector of inner is part of one of outer, which an answer has to be.
func allWithin(inner, outer []msg.Selector) bool {
	if len(inner) > maxSelectors {
		return false
	}
	for _, s := range inner {
		if !within(s, outer) {
			return false
		}
	}
	return len(inner) > 0
}

func within(s msg.Selector, outer []msg.Selector) bool {
	for _, o := range outer {
		if both, ok := intersect(s, o); ok && same(both, s) {
			return true
		}
	}
	return false
}

func same(a, b msg.Selector) bool {
	return a.Kind == b.Kind && a.Protocol == b.Protocol && a.FromPort == b.FromPort && a.ToPort == b.ToPort && a.From == b.From && a.To == b.To
}

// intersect is the traffic that is both in a and in b.
func intersect(a, b msg.Selector) (msg.Selector, bool) {
	out := a
	if a.Kind != b.Kind || !a.From.IsValid() || !b.From.IsValid() {
		return out, false
	}
	switch {
	case a.Protocol == 0:
		out.Protocol = b.Protocol
	case b.Protocol != 0 && a.Protocol != b.Protocol:
		return out, false
	}
	var ok bool
	if out.FromPort, out.ToPort, ok = ports(a, b); !ok {
		return out, false
	}
	out.From, out.To = later(a.From, b.From), earlier(a.To, b.To)
	return out, !out.To.Less(out.From)
}

// ports is the common range. All ports include those that cannot be seen, nothing else does.
func ports(a, b msg.Selector) (from, to uint16, ok bool) {
	switch {
	case anyPort(a):
		return b.FromPort, b.ToPort, true
	case anyPort(b):
		return a.FromPort, a.ToPort, true
	case a.OpaquePorts() || b.OpaquePorts():
		return a.FromPort, a.ToPort, a.OpaquePorts() == b.OpaquePorts()
	}
	from, to = max(a.FromPort, b.FromPort), min(a.ToPort, b.ToPort)
	return from, to, from <= to
}

func anyPort(s msg.Selector) bool { return s.FromPort == 0 && s.ToPort == 65535 }

func later(a, b netip.Addr) netip.Addr {
	if a.Less(b) {
		return b
	}
	return a
}

func earlier(a, b netip.Addr) netip.Addr {
	if a.Less(b) {
		return a
	}
	return b
}
