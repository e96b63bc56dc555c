package ike

import (
	"net/netip"
	"slices"

	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// Inside is what one side gets of the network behind the other (§2.19).
type Inside struct {
	Addrs   []netip.Addr // one of each family at most
	DNS     []netip.Addr
	Subnets []netip.Prefix // that can be reached this way
}

// Lender lends addresses to peers that ask for them. It must not call the machine.
type Lender interface {
	// Lend is what a peer gets that has proved to be id. asked are the addresses that it would like; unspecified ones stand for any of that
	// family. A peer that proves itself anew has two sessions for a moment, and should get the same in both.
	Lend(session ID, id msg.Identity, asked []netip.Addr) (Inside, error)
	// Return says that a session is over which something was lent to.
	Return(session ID)
}

// maxInside is how many servers and subnets are believed in one answer.
const maxInside = 32

// request asks for addresses, and for names of their families.
func (i Inside) request() msg.CP {
	cp := msg.CP{Kind: msg.ConfigRequest}
	for _, a := range i.Addrs {
		if a.IsUnspecified() {
			kind := msg.ConfigIP4
			if a.Is6() {
				kind = msg.ConfigIP6
			}
			cp.Attributes = append(cp.Attributes, msg.Config{Kind: kind})
		} else {
			cp.Attributes = append(cp.Attributes, lent(a))
		}
		if a.Is4() {
			cp.Attributes = append(cp.Attributes, msg.Config{Kind: msg.ConfigIP4DNS}, msg.Config{Kind: msg.ConfigIP4Subnet})
		} else {
			cp.Attributes = append(cp.Attributes, msg.Config{Kind: msg.ConfigIP6DNS}, msg.Config{Kind: msg.ConfigIP6Subnet})
		}
	}
	return cp
}

func (i Inside) reply() msg.CP {
	cp := msg.CP{Kind: msg.ConfigReply}
	for _, a := range i.Addrs {
		cp.Attributes = append(cp.Attributes, lent(a))
	}
	for _, a := range i.DNS {
		kind := msg.ConfigIP4DNS
		if a.Is6() {
			kind = msg.ConfigIP6DNS
		}
		cp.Attributes = append(cp.Attributes, msg.Config{Kind: kind, Value: a.AsSlice()})
	}
	for _, p := range i.Subnets {
		cp.Attributes = append(cp.Attributes, msg.SubnetConfig(p))
	}
	return cp
}

// lent is the attribute of one address; that of IPv6 says how long its prefix is (§3.15.1).
func lent(a netip.Addr) msg.Config {
	if a.Is4() {
		return msg.Config{Kind: msg.ConfigIP4, Value: a.AsSlice()}
	}
	return msg.Config{Kind: msg.ConfigIP6, Value: append(a.AsSlice(), 128)}
}

// asked are the addresses that a request is for.
func asked(cp msg.CP) (all []netip.Addr) {
	var has [2]bool
	for _, c := range cp.Attributes {
		any, n := netip.IPv4Unspecified(), 0
		switch c.Kind {
		case msg.ConfigIP4:
		case msg.ConfigIP6:
			any, n = netip.IPv6Unspecified(), 1
		default:
			continue
		}
		if a, ok := c.Addr(); ok && a.Is4() == any.Is4() {
			any = a
		}
		if !has[n] {
			has[n], all = true, append(all, any)
		}
	}
	return all
}

// granted is what an answer gives; only addresses of families that were asked for are taken.
func granted(cp msg.CP, wish []netip.Addr) (in Inside) {
	var has [2]bool
	for _, c := range cp.Attributes {
		a, isAddr := c.Addr()
		switch {
		case isAddr && (c.Kind == msg.ConfigIP4 && a.Is4() || c.Kind == msg.ConfigIP6 && a.Is6()):
			n := 0
			if a.Is6() {
				n = 1
			}
			wanted := slices.ContainsFunc(wish, func(w netip.Addr) bool { return w.Is4() == a.Is4() })
			if wanted && !has[n] && !a.IsUnspecified() {
				has[n], in.Addrs = true, append(in.Addrs, a)
			}
		case isAddr && len(in.DNS) < maxInside && (c.Kind == msg.ConfigIP4DNS && a.Is4() || c.Kind == msg.ConfigIP6DNS && a.Is6()):
			in.DNS = append(in.DNS, a)
		default:
			if p, ok := c.Prefix(); ok && len(in.Subnets) < maxInside {
				in.Subnets = append(in.Subnets, p.Masked())
			}
		}
	}
	return in
}

// lend gives the peer what it asks for, if its addresses are lent. From then on its traffic is theirs, and nothing else. Without them it
// keeps its IKE SA, and gets no Child SA (§3.15.4).
func (x *session) lend(in inbound) (ps []msg.Payload, no msg.Notify) {
	if !x.peer.Lent {
		return nil, no // it may ask; nobody has to know the payload
	}
	policy := x.peer.Child
	x.peer.Child = nil
	cp, ok := msg.First[msg.CP](in.payloads)
	wish := asked(cp)
	if !ok || cp.Kind != msg.ConfigRequest || len(wish) == 0 {
		return nil, msg.Notify{Kind: msg.FailedCPRequired}
	}
	if x.m.cfg.Lender == nil {
		return nil, msg.Notify{Kind: msg.InternalAddressFailure}
	}
	got, err := x.m.cfg.Lender.Lend(x.id, x.proof.Identity(), wish)
	if err != nil || len(got.Addrs) == 0 {
		return nil, msg.Notify{Kind: msg.InternalAddressFailure}
	}
	x.lent, x.inside = true, got
	if policy != nil {
		narrowed := Child{Ours: policy.Ours}
		for _, a := range got.Addrs {
			narrowed.Theirs = append(narrowed.Theirs, msg.PrefixSelector(netip.PrefixFrom(a, a.BitLen())))
		}
		x.peer.Child = &narrowed
	}
	return []msg.Payload{got.reply()}, no
}
