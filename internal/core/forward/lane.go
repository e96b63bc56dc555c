package forward

import "github.com/cvlan/cvlan/proto/relay"

// lane is what the owner knows of a channel: 36 bytes, and the pair that it is found by.
type lane struct {
	number             relay.Number // zero: free
	slot               uint32
	from, to           uint32 // clients' slots
	prevFrom, nextFrom uint32 // in the list of the client that opened it, as slot + 1; of a free slot nextFrom is the next free one
	prevTo, nextTo     uint32 // in the list of the client that it leads to
	gone               bool   // it leads nowhere: its receiver has left
	live               bool
}

type pair struct{ from, to uint32 }

// openLane finds or makes the channel between two clients; zero and a reason if there is no room.
func (m *Machine) openLane(from, to *client, out *Out) (relay.Number, relay.Reason) {
	if slot, ok := m.byPair[pair{from.slot, to.slot}]; ok {
		return m.lanes.at(slot).number, relay.NoReason
	}
	if int(from.channels) >= m.cfg.Channels {
		m.reclaim(from, out)
	}
	switch {
	case int(from.channels) >= m.cfg.Channels:
		return 0, relay.TooMany
	case m.laneLive >= m.cfg.Lanes:
		return 0, relay.Busy
	}
	l := m.takeLane()
	l.live, l.from, l.to = true, from.slot, to.slot
	l.nextFrom, from.from = m.insert(from.from, l.slot, func(l *lane, at uint32) { l.prevFrom = at }), l.slot+1
	l.nextTo, to.to = m.insert(to.to, l.slot, func(l *lane, at uint32) { l.prevTo = at }), l.slot+1
	from.channels++
	m.laneLive++
	m.byPair[pair{from.slot, to.slot}] = l.slot
	m.laneOut(l, out)
	return l.number, relay.NoReason
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
	if !l.gone {
		delete(m.byPair, pair{l.from, l.to})
		m.unlinkTo(l)
	}
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

// unlinkTo takes a channel out of the list of the client that it leads to.
func (m *Machine) unlinkTo(l *lane) {
	if l.prevTo != 0 {
		m.lanes.at(l.prevTo - 1).nextTo = l.nextTo
	} else {
		m.clients.at(l.to).to = l.nextTo
	}
	if l.nextTo != 0 {
		m.lanes.at(l.nextTo - 1).prevTo = l.prevTo
	}
	l.prevTo, l.nextTo = 0, 0
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
	pub := Lane{Number: l.number, FromSlot: l.from, ToSlot: l.to, From: from.number, Key: relay.ChannelKey(&from.secret, l.number)}
	if to := m.clients.at(l.to); !l.gone {
		pub.To, pub.Tag = to.number, relay.TagOf(&to.secret, from.node)
	}
	out.Lanes = append(out.Lanes, LaneAt{l.slot, pub})
}

// lane finds a channel by its number.
func (m *Machine) lane(n relay.Number) *lane {
	l := m.lanes.at(m.slots.lane(n))
	if l == nil || !l.live || l.number != n || n == 0 {
		return nil
	}
	return l
}
