package forward

import "github.com/cvlan/cvlan/proto/relay"

// This file is what spares the first packet between two nodes, and the answer to it, a wait: see the specification.

// sendOn sends the payload of a Call on to where its channel leads, and reports whether it could.
func (m *Machine) sendOn(c *client, l *lane, payload []byte, out *Out) bool {
	if payload == nil || l.gone {
		return false
	}
	called := Called{Seat: c.slot, Tenant: c.tenant, Transmit: len(out.Transmits)}
	to := Transmit{}
	if n := l.to &^ abroad; n != l.to {
		to.To, called.Abroad = m.region.all[n].at, true
	} else if r := m.clients.at(l.to); r.place.Via != Nowhere {
		to.To, to.Local = r.place, r.local
	} else {
		return false
	}
	at := len(out.bytes)
	out.bytes = append(append(out.bytes, make([]byte, relay.HeaderSize)...), payload...)
	to.Data = out.bytes[at:]
	m.address(l, to.Data)
	out.Transmits, out.Called = append(out.Transmits, to), append(out.Called, called)
	return true
}

// address is what Table.Readdress is for workers.
func (m *Machine) address(l *lane, frame []byte) {
	if n := l.to &^ abroad; n != l.to {
		relay.PutData(frame, m.region.far[l.slot].there, relay.LinkKey(&m.region.all[n].secret))
		return
	}
	to := m.clients.at(l.to)
	relay.PutDeliver(frame, to.number, relay.TagOf(&to.secret, m.clients.at(l.from).node))
}

// offer opens a channel in the name of a client to a node that is about to send to it, and tells it, if that is not its last room.
func (m *Machine) offer(from, to *client, out *Out) {
	if from.place.Via == Nowhere || 2*int(from.channels) >= m.cfg.Channels || 2*m.laneLive >= m.cfg.Lanes {
		return
	}
	l, made, _ := m.openLane(from, to, out)
	if !made {
		return
	}
	m.offers++
	m.reply(from, &relay.Control{Kind: relay.Offered, Transaction: relay.Unasked + m.offers, Channel: l.number, Node: to.node}, out)
}
