package quantum

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/agenda"
	"github.com/cvlan/cvlan/proto/disco"
)

// Machine holds the exchanges of one node with its peers. It is not safe for concurrent use.
type Machine struct {
	public   key.WGPublic
	rnd      io.Reader
	now      mono.Time
	peers    map[key.WGPublic]*pair
	schedule agenda.Agenda[*pair]
	running  int
}

// New makes a machine without peers. Decapsulation keys and numbers come from rnd, whose failure is a panic; what encapsulation draws
// comes from the operating system.
func New(public key.WGPublic, rnd io.Reader) *Machine {
	return &Machine{public: public, rnd: rnd, now: 1, peers: map[key.WGPublic]*pair{}}
}

// Put adds a peer that can take part. Putting one that is there changes nothing.
func (m *Machine) Put(peer key.WGPublic) error {
	_, has := m.peers[peer]
	switch {
	case has:
		return nil
	case peer == m.public:
		return errors.New("put peer for a key exchange: its public key is our own")
	case len(m.peers) >= MaxPeers:
		return fmt.Errorf("put peer %s for a key exchange: there are %d already, the most that are allowed", peer.Short(), MaxPeers)
	}
	m.peers[peer] = nil
	return nil
}

// Remove forgets a peer and its keys.
func (m *Machine) Remove(peer key.WGPublic) {
	if p := m.peers[peer]; p != nil {
		m.end(p)
		m.schedule.Remove(p)
	}
	delete(m.peers, peer)
}

// Want says that a handshake with a peer is wanted, and reports whether it may begin now; if not, EventShared follows when it may, or
// EventGaveUp. With a peer that was not Put it may always.
func (m *Machine) Want(now mono.Time, peer key.WGPublic, out *Out) bool {
	now = m.advance(now)
	p, has := m.warm(peer)
	if !has {
		return true
	}
	p.wantUntil = now.Add(Patience)
	if !p.shared || now.Sub(p.since) >= RekeyAfter {
		m.need(p, now, out)
		m.settle(p, out)
	}
	return p.shared
}

// Mismatch says that a handshake failed under every key that we have, or was refused because we have none: the peer may have restarted.
func (m *Machine) Mismatch(now mono.Time, peer key.WGPublic, out *Out) {
	now = m.advance(now)
	p, has := m.warm(peer)
	if !has || !p.mismatched.IsNever() && now.Sub(p.mismatched) < mismatchEvery {
		return
	}
	p.mismatched, p.wantUntil = now, now.Add(Patience)
	m.need(p, now, out)
	m.settle(p, out)
}

// Part takes a part that disco says is a peer's. It keeps nothing of msg.
func (m *Machine) Part(now mono.Time, peer key.WGPublic, msg *disco.Message, out *Out) {
	now = m.advance(now)
	p, has := m.warm(peer)
	if !has || msg.Kind != disco.Part {
		return
	}
	switch msg.Step {
	case stepOffer:
		if offer := p.questions.Add(now, msg); offer != nil {
			m.receiveOffer(p, now, msg.ID, offer, out)
		}
	case stepConfirm:
		m.receiveConfirm(p, now, msg, out)
	case stepAnswer, stepDone, stepLost:
		if p.mine != nil && p.mine.id == msg.ID {
			m.receiveReply(p, now, msg, out)
		}
	}
	m.settle(p, out)
}

// Deadline is when Tick wants to be called; Never: not before the next input.
func (m *Machine) Deadline() mono.Time { return m.schedule.Deadline() }

// Tick does what is due, for a bounded number of peers; if there are more, Deadline is still in the past.
func (m *Machine) Tick(now mono.Time, out *Out) {
	now = m.advance(now)
	for range peersPerTick {
		p, due := m.schedule.Due(now)
		if !due {
			return
		}
		m.look(p, now, out)
		m.settle(p, out)
	}
}

// Status is what can be told of a peer, for people.
type Status struct {
	Shared  bool      // there is a key that both sides are known to have
	Since   mono.Time // when it was agreed
	Running bool      // an exchange of ours is under way
}

// Status tells about one peer; false: it was not Put.
func (m *Machine) Status(peer key.WGPublic) (Status, bool) {
	p, has := m.peers[peer]
	if p == nil {
		return Status{}, has
	}
	return Status{Shared: p.shared, Since: p.since, Running: p.mine != nil}, true
}

// Keys returns a pair's keys, as the last EventKeys told them.
func (m *Machine) Keys(peer key.WGPublic) Keys {
	if p := m.peers[peer]; p != nil {
		return p.told
	}
	return Keys{}
}

// warm returns what is known of a peer that was Put, and makes it if nothing is yet.
func (m *Machine) warm(peer key.WGPublic) (*pair, bool) {
	p, has := m.peers[peer]
	if has && p == nil {
		p = &pair{public: peer}
		m.peers[peer] = p
	}
	return p, has
}

// settle ends every input: it tells what keys there are if they changed, and sets the deadline.
func (m *Machine) settle(p *pair, out *Out) {
	p.tell(out)
	if p.fresh {
		p.fresh = false
		out.Events = append(out.Events, Event{Kind: EventShared, Peer: p.public})
	}
	m.schedule.Set(p, p.deadline())
}

// insists reports whether our exchange is the one that counts if both sides begin at once.
func (m *Machine) insists(p *pair) bool { return bytes.Compare(m.public[:], p.public[:]) < 0 }

// advance keeps time from running backwards.
func (m *Machine) advance(now mono.Time) mono.Time {
	m.now = max(m.now, now)
	return m.now
}

// fill reads random bytes; a predictable key is worse than no program.
func (m *Machine) fill(b []byte) {
	if _, err := io.ReadFull(m.rnd, b); err != nil {
		panic("quantum: random source failed: " + err.Error())
	}
}
