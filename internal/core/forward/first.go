package forward

import (
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/relay"
)

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
	if !m.mayOffer(from) {
		return
	}
	if l, made, _ := m.openLane(from, to, out); made {
		m.tellOffered(from, to.node, l, out)
	}
}

// offerAbroad is offer where the node is a neighbour's, which is asked for the channel back. It must leave before the answer to that neighbour: then what
// it has for the client comes after the offer.
func (m *Machine) offerAbroad(now mono.Time, n *neighbour, from *client, node ident.Node, out *Out) {
	here := m.here(from.tenant, node)
	if n == nil || !n.bound || 2*len(n.channels) >= m.cfg.Transit || !m.mayOffer(from) || here != nil && m.present(now, here) {
		return
	}
	r, key := &m.region, crossing{from.slot, node}
	_, leads := r.abroad[key]
	if _, asking := r.asking[key]; !leads && !asking && r.searches.Open(now, searchBurst) {
		r.searches.Charge(now, 1, searchAll)
		m.begin(now, &ask{client: from.number, slot: from.slot, node: node, offers: true, waiting: 1 << n.slot}, out)
	}
}

// mayOffer reports whether a client has room for channels that it has not asked for.
func (m *Machine) mayOffer(to *client) bool {
	return to.place.Via != Nowhere && 2*int(to.channels) < m.cfg.Channels && 2*m.laneLive < m.cfg.Lanes
}

func (m *Machine) tellOffered(to *client, node ident.Node, l *lane, out *Out) {
	m.offers++
	m.reply(to, &relay.Control{Kind: relay.Offered, Transaction: relay.Unasked + m.offers, Channel: l.number, Node: node}, out)
}
