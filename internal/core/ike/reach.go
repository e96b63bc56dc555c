package ike

import (
	"net/netip"
	"slices"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
	"github.com/cvlan/cvlan/internal/core/path"
)

// Further addresses (RFC 4555 §3.3 to §3.6). Both sides tell where else they may be reached. Only who began the session tries them, when a request
// stays unanswered where the peer was, and believes in one that an answer has come from.

const (
	maxReach  = 16 // further addresses of one side that count
	triesHere = 2  // that a request is sent only by the session's path
	together  = 3  // further addresses that one repetition goes to as well
)

// Reachable says at which addresses peers may reach us, all in all: 16 of them count. Those that know MOBIKE are told, now and whenever that changes;
// of the one that a session uses they know.
func (m *Machine) Reachable(now mono.Time, all []netip.Addr, out *Out) {
	m.advance(now)
	all = addresses(all)
	if slices.Equal(all, m.reach) {
		return
	}
	m.reach = all
	for _, s := range m.Sessions() {
		if x := m.sessions[s.ID]; x != nil && x.mobile {
			x.wish(&tell{})
			x.proceed(out)
			m.lookAll(x)
		}
	}
}

// addresses are those at which a peer may be, without repetition.
func addresses(all []netip.Addr) (good []netip.Addr) {
	for _, a := range all {
		a = a.Unmap()
		if len(good) < maxReach && a.IsValid() && a.Zone() == "" && !path.Forbidden(a) && !slices.Contains(good, a) {
			good = append(good, a)
		}
	}
	return good
}

// further are the notifications of our addresses beside one of them; none: there are no others.
func (m *Machine) further(than netip.Addr) (ps []msg.Payload) {
	for _, a := range m.reach {
		if a == than.Unmap() {
			continue
		}
		n := msg.Notify{Kind: msg.AdditionalIP6Address, Data: a.AsSlice()}
		if a.Is4() {
			n.Kind = msg.AdditionalIP4Address
		}
		ps = append(ps, n)
	}
	return ps
}

// learnReach takes the peer's word for where else it may be reached. Each message that says something about it says all.
func (x *session) learnReach(ps []msg.Payload) {
	said := false
	var all []netip.Addr
	for n := range msg.All[msg.Notify](ps) {
		switch n.Kind {
		case msg.AdditionalIP4Address, msg.AdditionalIP6Address:
			if a, ok := netip.AddrFromSlice(n.Data); ok && a.Is4() == (n.Kind == msg.AdditionalIP4Address) {
				all = append(all, a)
			}
			said = true
		case msg.NoAdditionalAddresses:
			said = true
		}
	}
	if said && x.mobile {
		x.reach = addresses(all)
	}
}

// elsewhere repeats an unanswered request to further addresses of the peer, others each time.
func (x *session) elsewhere(r *request, out *Out) {
	if !x.mobile || !x.began || r.path != nil || r.tries <= triesHere || len(x.reach) == 0 {
		return
	}
	first := (r.tries - triesHere - 1) * together
	for i := range min(together, len(x.reach)) {
		at := Path{Remote: netip.AddrPortFrom(x.reach[(first+i)%len(x.reach)], x.path.Remote.Port())}
		if x.path.Local.Addr().Is4() == at.Remote.Addr().Is4() {
			at.Local = x.path.Local
		}
		for _, d := range r.datagrams {
			out.Transmits = append(out.Transmits, Transmit{Path: at, Data: d, Beside: x.path})
		}
	}
}

// answeredElsewhere has the session go where an answer has come from, if the peer has named that address.
func (x *session) answeredElsewhere(r *request, in inbound) {
	if x.mobile && x.began && r.path == nil && in.path != x.path && slices.Contains(x.reach, in.path.Remote.Addr().Unmap()) {
		x.wish(&move{to: &in.path})
	}
}

// tell tells the peer at which further addresses we may be reached from now on.
type tell struct{}

func (t *tell) String() string { return "tell" }

func (t *tell) begin(x *session, _ *Out) (msg.Exchange, []msg.Payload, bool) {
	ps := x.m.further(x.path.Local.Addr())
	if len(ps) == 0 {
		ps = []msg.Payload{msg.Notify{Kind: msg.NoAdditionalAddresses}}
	}
	return msg.Informational, ps, true
}

func (t *tell) finish(*session, *sa, inbound, *Out) {}
