package ike

import (
	"bytes"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// More than one session with one peer: one that the peer has forgotten (§2.4), or two that crossed each other because both began at once.

// crossed is how long a session that has lost against another waits for its beginner, the peer, to delete it. One of ours does so at once;
// other implementations may have no such rule.
const crossed = 2 * time.Second

// twins are the other sessions of the same two identities, in the order in which they came up.
func (x *session) twins() (all []*session) {
	for _, other := range x.m.names[x.peer.Name] {
		if other != x && other.proof.Identity().Equal(x.proof.Identity()) && other.peer.Local.Equal(x.peer.Local) {
			all = append(all, other)
		}
	}
	return all
}

// first reports whether we have no session with a peer yet, so that INITIAL_CONTACT is true. It is not said where identities are found out
// only by their proof.
func (m *Machine) first(p *Peer) bool {
	return p.Remote.Kind != 0 && !slices.ContainsFunc(m.names[p.Name], func(x *session) bool { return p.is(x.proof.Identity()) })
}

// replaceOthers is what INITIAL_CONTACT asks for: the peer has no other SA with us (§2.4). began is when it began this one: what came up since
// has crossed it, and the peer need not have known.
func (x *session) replaceOthers(ps []msg.Payload, began mono.Time, out *Out) {
	if _, first := msg.Notified(ps, msg.InitialContact); !first {
		return
	}
	for _, other := range x.twins() {
		if other.upAt < began {
			other.down(Event{Reason: Replaced}, out)
		}
	}
}

// makeRoom forgets the oldest session of a peer that has too many: it has forgotten them itself, or means ill.
func (x *session) makeRoom(out *Out) {
	if all := x.twins(); len(all) >= maxSame {
		all[0].down(Event{Reason: TooMany}, out)
	}
}

// unique has one of two sessions end: of two that crossed each other, as with Child SAs, that with the lowest nonce; of two that one side
// began, the older. Who began it deletes it, once the other has shown that it lives.
func (x *session) unique(out *Out) {
	if !x.peer.Unique {
		return
	}
	for _, other := range x.twins() {
		if other.id == x.replaces {
			continue
		}
		winner, loser := other, x
		if other.began == x.began || bytes.Compare(other.lowest, x.lowest) < 0 {
			winner, loser = x, other
		}
		switch {
		case loser.began:
			winner.outlives(loser, out)
		case loser.lostAt.IsNever():
			loser.lostAt = x.m.now.Add(crossed)
			x.m.lookAll(loser)
		}
	}
}

// lost has a session deleted that its beginner has not deleted, if there still is another.
func (x *session) lost(out *Out) {
	x.lostAt = mono.Never
	if all := x.twins(); len(all) > 0 {
		all[len(all)-1].outlives(x, out)
	}
}

// outlives has a session deleted once this one has shown that it lives.
func (x *session) outlives(loser *session, out *Out) {
	x.wish(&outlive{loser: loser.id})
	x.proceed(out)
	x.m.lookAll(x)
}

// outlive asks whether the peer knows this session, and deletes another then.
type outlive struct{ loser ID }

func (t *outlive) begin(x *session, _ *Out) (msg.Exchange, []msg.Payload, bool) {
	return msg.Informational, nil, x.m.sessions[t.loser] != nil
}

func (t *outlive) finish(x *session, _ *sa, _ inbound, out *Out) {
	if loser := x.m.sessions[t.loser]; loser != nil {
		loser.terminate(Replaced, out)
		x.m.lookAll(loser)
	}
}
