package forward

import (
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/proto/relay"
)

// lane is what the owner knows of a channel: 36 bytes, and the pair that it is found by.
type lane struct {
	number             relay.Number // zero: free
	slot               uint32
	from, to           uint32 // clients' slots; to may be a neighbour's, with abroad
	prevFrom, nextFrom uint32 // in the list of the client that opened it, as slot + 1; of a free slot nextFrom is the next free one
	prevTo, nextTo     uint32 // in the list of the client or neighbour that it leads to
	gone               bool   // it leads nowhere: its receiver has left
	live               bool
}

// pair is what a lane is found by, if it does not cross the region.
type pair struct{ from, to uint32 }

// openLane finds or makes the channel between two clients; nil and a reason if there is no room.
func (m *Machine) openLane(from, to *client, out *Out) (l *lane, made bool, why relay.Reason) {
	if slot, ok := m.byPair[pair{from.slot, to.slot}]; ok {
		return m.lanes.at(slot), false, relay.NoReason
	}
	if slot, ok := m.region.abroad[crossing{from.slot, to.node}]; ok { // it has come here
		l = m.lanes.at(slot)
	} else if l, why = m.newLane(from, out); l == nil {
		return nil, false, why
	}
	m.lead(l, to.slot, far{}, out)
	return l, true, relay.NoReason
}

// newLane makes a channel that leads nowhere yet; nil and a reason if there is no room.
func (m *Machine) newLane(from *client, out *Out) (*lane, relay.Reason) {
	most := m.cfg.Channels
	if from.tenant == noTenant {
		most = m.cfg.Transit
	}
	if int(from.channels) >= most {
		m.reclaim(from, out)
	}
	for from.tenant == noTenant && int(from.channels) >= most && from.from != 0 { // it asks again for those that it uses
		m.closeLane(from, m.lanes.at(from.from-1), out)
	}
	switch {
	case int(from.channels) >= most:
		return nil, relay.TooMany
	case m.laneLive >= m.cfg.Lanes:
		return nil, relay.Busy
	}
	l := m.takeLane()
	l.live, l.gone, l.from = true, true, from.slot
	l.nextFrom, from.from = m.insert(from.from, l.slot, func(l *lane, at uint32) { l.prevFrom = at }), l.slot+1
	from.channels++
	m.laneLive++
	return l, relay.NoReason
}

// lead lets a channel lead to a client, or to a neighbour.
func (m *Machine) lead(l *lane, to uint32, f far, out *Out) {
	m.unlink(l, out)
	l.to, l.gone = to, false
	head := m.head(to)
	l.nextTo, *head = m.insert(*head, l.slot, func(l *lane, at uint32) { l.prevTo = at }), l.slot+1
	m.index(l, f)
	m.laneOut(l, out)
}

// head is where the list of the channels begins that lead to a client or a neighbour.
func (m *Machine) head(to uint32) *uint32 {
	if n := to &^ abroad; n != to {
		return &m.region.all[n].to
	}
	return &m.clients.at(to).to
}

// index makes a channel be found.
func (m *Machine) index(l *lane, f far) {
	r := &m.region
	switch {
	case l.to&abroad != 0:
		n := &r.all[l.to&^abroad]
		r.far[l.slot], r.abroad[crossing{l.from, f.node}], n.channels[f.there] = f, l.slot, l.slot
	case m.clients.at(l.from).tenant == noTenant:
		r.far[l.slot], r.transit[transit{l.from, l.to, f.node}] = f, l.slot
	default:
		m.byPair[pair{l.from, l.to}] = l.slot
	}
}

// unlink takes a channel from what it leads to; one that leads nowhere is left alone.
func (m *Machine) unlink(l *lane, out *Out) {
	if l.gone {
		return
	}
	r := &m.region
	switch f := r.far[l.slot]; {
	case l.to&abroad != 0:
		n := &r.all[l.to&^abroad]
		delete(r.abroad, crossing{l.from, f.node})
		delete(n.channels, f.there)
		n.say(relay.Control{Kind: relay.Close, Channel: f.there}, r.next(), out)
	case m.clients.at(l.from).tenant == noTenant:
		delete(r.transit, transit{l.from, l.to, f.node})
	default:
		delete(m.byPair, pair{l.from, l.to})
	}
	delete(r.far, l.slot)
	if l.prevTo != 0 {
		m.lanes.at(l.prevTo - 1).nextTo = l.nextTo
	} else {
		*m.head(l.to) = l.nextTo
	}
	if l.nextTo != 0 {
		m.lanes.at(l.nextTo - 1).prevTo = l.prevTo
	}
	l.prevTo, l.nextTo, l.gone = 0, 0, true
}

// lost lets a channel lead nowhere, so that its owner is told when it sends.
func (m *Machine) lost(l *lane, out *Out) {
	m.unlink(l, out)
	m.laneOut(l, out)
}

// insert makes a lane the one before the first of a list, and returns that.
func (m *Machine) insert(first, slot uint32, before func(*lane, uint32)) uint32 {
	if first != 0 {
		before(m.lanes.at(first-1), slot+1)
	}
	return first
}

func (m *Machine) takeLane() *lane {
	if m.freeLane != 0 {
		l := m.lanes.at(m.freeLane - 1)
		m.freeLane = l.nextFrom
		*l = lane{slot: l.slot, number: successor(l.number, m.slots.laneBits)}
		return l
	}
	l := m.lanes.grow(m.laneMade)
	*l = lane{slot: m.laneMade, number: successor(m.epoch<<m.slots.laneBits|relay.Number(m.laneMade), m.slots.laneBits)}
	m.laneMade++
	return l
}

// closeLane ends a channel of c's.
func (m *Machine) closeLane(c *client, l *lane, out *Out) {
	m.unlink(l, out)
	if l.prevFrom != 0 {
		m.lanes.at(l.prevFrom - 1).nextFrom = l.nextFrom
	} else {
		c.from = l.nextFrom
	}
	if l.nextFrom != 0 {
		m.lanes.at(l.nextFrom - 1).prevFrom = l.prevFrom
	}
	c.channels--
	m.laneLive--
	l.live = false
	l.nextFrom, m.freeLane = m.freeLane, l.slot+1
	out.Lanes = append(out.Lanes, LaneAt{Slot: l.slot})
}

// reclaim closes the channels of a client that lead nowhere.
func (m *Machine) reclaim(c *client, out *Out) {
	for at := c.from; at != 0; {
		l := m.lanes.at(at - 1)
		at = l.nextFrom
		if l.gone {
			m.closeLane(c, l, out)
		}
	}
}

// follow lets the channels that lead to a node lead to its new registration.
func (m *Machine) follow(c *client, out *Out) {
	for at := c.to; at != 0; at = m.lanes.at(at - 1).nextTo {
		m.laneOut(m.lanes.at(at-1), out)
	}
}

// laneOut publishes a channel.
func (m *Machine) laneOut(l *lane, out *Out) {
	from := m.clients.at(l.from)
	pub := Lane{Number: l.number, FromSlot: l.from, ToSlot: l.to, From: from.number}
	if from.tenant == noTenant {
		pub.Key = relay.LinkKey(&from.secret)
	} else {
		pub.Key = relay.ChannelKey(&from.secret, l.number)
	}
	switch {
	case l.gone:
	case l.to&abroad != 0:
		pub.To, pub.Tag = m.region.all[l.to&^abroad].number, relay.Tag(m.region.far[l.slot].there)
	default:
		to := m.clients.at(l.to)
		pub.To, pub.Tag = to.number, relay.TagOf(&to.secret, m.sender(l, from))
	}
	out.Lanes = append(out.Lanes, LaneAt{l.slot, pub})
}

// sender is the node that sends on a channel.
func (m *Machine) sender(l *lane, from *client) ident.Node {
	if from.tenant == noTenant {
		return m.region.far[l.slot].node
	}
	return from.node
}

// lane finds a channel by its number.
func (m *Machine) lane(n relay.Number) *lane {
	l := m.lanes.at(m.slots.lane(n))
	if l == nil || !l.live || l.number != n || n == 0 {
		return nil
	}
	return l
}
