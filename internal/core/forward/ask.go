package forward

import (
	"bytes"
	"math/bits"
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/relay"
)

// Bounds of looking for nodes in the region.
const (
	maxAsks     = 4096 // at a time
	askEvery    = 150 * time.Millisecond
	askTries    = 3
	searchRate  = 100  // a second, of one client
	searchAll   = 2000 // a second, of all: each costs every neighbour a question
	searchBurst = time.Second
	maxStrays   = 1024 // channels that are looked for when one relay or node is lost; the others wait until their owners open them again
	maxHeld     = 512  // payloads of Calls that wait for an answer,
	maxHeldBy   = 32   // of one client's,
	maxHeldFor  = 4    // and for one answer
)

// ask is a question to neighbours: where a node is (Ask), or whether it is at an address (See).
type ask struct {
	transaction uint64
	client      relay.Number // for whom
	slot        uint32       // of the client
	node        ident.Node
	open        uint64       // transaction of the last Open that waits for the answer; zero: none does
	held        []held       // Calls that do
	offers      bool         // a neighbour's node is about to send to the client: what is found is offered to it
	lane        relay.Number // that is to lead there; zero: a new one
	see         relay.Number // See: the neighbour's channel
	claim       netip.Addr   // See
	waiting     uint32       // neighbours that have not answered, one bit each
	tries       int
	due         mono.Time
}

// held is a Call: its payload goes on when it is known where.
type held struct {
	transaction uint64
	payload     []byte
}

// stray is a channel that has lost what it led to.
type stray struct {
	slot   uint32
	number relay.Number
	node   ident.Node // who receives
}

func (m *Machine) stray(slot uint32) stray {
	l := m.lanes.at(slot)
	s := stray{slot, l.number, m.region.far[slot].node}
	if l.to&abroad == 0 {
		s.node = m.clients.at(l.to).node
	}
	return s
}

// strays are the channels in a list, maxStrays at most.
func (m *Machine) strays(first uint32) (all []stray) {
	for at := first; at != 0 && len(all) < maxStrays; at = m.lanes.at(at - 1).nextTo {
		all = append(all, m.stray(at-1))
	}
	return all
}

// depart is leave for one who may have gone to another relay of the region: what led to it is looked for there.
func (m *Machine) depart(now mono.Time, c *client, out *Out) {
	if c.tenant == noTenant || m.region.up() == 0 {
		m.leave(c, out)
		return
	}
	all := m.strays(c.to)
	m.leave(c, out)
	for _, s := range all {
		m.seek(now, s, out)
	}
}

// seek looks for who receives on a channel: here, then in the region.
func (m *Machine) seek(now mono.Time, s stray, out *Out) {
	l := m.lane(s.number)
	if l == nil {
		return
	}
	c := m.clients.at(l.from)
	if c.tenant == noTenant {
		return // whoever has opened it has to look
	}
	if to := m.here(c.tenant, s.node); to != nil && to != c && m.present(now, to) {
		m.lead(l, to.slot, far{}, out)
		return
	}
	m.search(now, c, s.node, 0, l.number, out)
}

// openAbroad has the region asked for a node that is not here; the answer to the Open follows. False: nobody can be asked.
func (m *Machine) openAbroad(now mono.Time, c *client, q *opening, out *Out) bool {
	if slot, ok := m.region.abroad[crossing{c.slot, q.node}]; ok {
		l := m.lanes.at(slot)
		if !q.claim.IsValid() || !m.see(now, c, l, q, out) {
			m.reply(c, &relay.Control{Kind: relay.Opened, Transaction: q.transaction, Channel: l.number, Took: m.sendOn(c, l, q.payload, out)}, out)
		}
		return true
	}
	if _, asking := m.region.asking[crossing{c.slot, q.node}]; !asking && (m.region.up() == 0 || !m.maySearch(now, c)) {
		return false
	}
	if !m.search(now, c, q.node, q.transaction, 0, out) {
		return false
	}
	m.hold(c, q)
	return true
}

// hold keeps the payload of a Call until its ask is answered. Where there is no room its sender has to send it again.
func (m *Machine) hold(c *client, q *opening) {
	r := &m.region
	a := r.asks[r.asking[crossing{c.slot, q.node}]]
	if a == nil || q.payload == nil || len(a.held) == maxHeldFor || c.held == maxHeldBy || r.held == maxHeld {
		return
	}
	a.held = append(a.held, held{q.transaction, bytes.Clone(q.payload)})
	c.held++
	r.held++
}

// release gives back the room of what an ask holds.
func (m *Machine) release(a *ask) {
	m.region.held -= len(a.held)
	if c := m.client(a.client); c != nil {
		c.held -= uint8(len(a.held))
	}
}

// maySearch charges a client for a question to neighbours, if it may cause one more.
func (m *Machine) maySearch(now mono.Time, c *client) bool {
	if !c.searches.Open(now, searchBurst) || !m.region.searches.Open(now, searchBurst) {
		return false
	}
	c.searches.Charge(now, 1, searchRate)
	m.region.searches.Charge(now, 1, searchAll)
	return true
}

// answer says that a channel is open.
func (m *Machine) answer(c *client, transaction uint64, n relay.Number, there bool, out *Out) {
	m.reply(c, &relay.Control{Kind: relay.Opened, Transaction: transaction, Channel: n, There: there}, out)
}

// search asks all neighbours for a node. What waits for the answer is an Open, a channel, both, or neither any more.
func (m *Machine) search(now mono.Time, c *client, node ident.Node, open uint64, lane relay.Number, out *Out) bool {
	r := &m.region
	if a := r.asks[r.asking[crossing{c.slot, node}]]; a != nil && a.client != c.number {
		m.end(a) // for who was in the slot before
	} else if a != nil {
		a.open = max(a.open, open)
		if lane != 0 {
			a.lane = lane
		}
		return true
	}
	a := &ask{client: c.number, slot: c.slot, node: node, open: open, lane: lane, waiting: r.up()}
	return m.begin(now, a, out)
}

// see asks the neighbour that a channel leads to whether its receiver is at an address.
func (m *Machine) see(now mono.Time, c *client, l *lane, q *opening, out *Out) bool {
	if !m.maySearch(now, c) {
		return false
	}
	f := m.region.far[l.slot]
	return m.begin(now, &ask{client: c.number, slot: c.slot, node: q.node, open: q.transaction, lane: l.number, see: f.there, claim: q.claim, waiting: 1 << (l.to &^ abroad)}, out)
}

// begin asks for the first time.
func (m *Machine) begin(now mono.Time, a *ask, out *Out) bool {
	r := &m.region
	if a.waiting == 0 || len(r.asks) >= maxAsks {
		return false
	}
	a.transaction = r.next()
	r.asks[a.transaction] = a
	if a.see == 0 {
		r.asking[crossing{a.slot, a.node}] = a.transaction
	}
	m.repeat(now, a, out)
	return true
}

// repeat asks those who have not answered.
func (m *Machine) repeat(now mono.Time, a *ask, out *Out) {
	a.tries, a.due = a.tries+1, now.Add(askEvery)
	m.region.queue = append(m.region.queue, a.transaction)
	c := m.client(a.client)
	if c == nil {
		return
	}
	q := relay.Control{Kind: relay.Ask, Tenant: m.accounts[c.tenant].id, From: c.node, Node: a.node}
	if a.see != 0 {
		q = relay.Control{Kind: relay.See, Channel: a.see, Claim: a.claim}
	}
	for set := a.waiting; set != 0; set &= set - 1 {
		m.region.all[bits.TrailingZeros32(set)].say(q, a.transaction, out)
	}
}

// first is the ask that is due first; nil: there is none.
func (r *region) first() *ask {
	for len(r.queue) > 0 {
		if a := r.asks[r.queue[0]]; a != nil {
			return a
		}
		r.queue = r.queue[1:]
	}
	r.queue = nil
	return nil
}

func (m *Machine) tickAsks(now mono.Time, out *Out) {
	for a := m.region.first(); a != nil && a.due <= now; a = m.region.first() {
		m.region.queue = m.region.queue[1:]
		if a.tries < askTries && m.client(a.client) != nil {
			m.repeat(now, a, out)
		} else {
			m.nowhere(now, a, out)
		}
	}
}

// end forgets an ask, and returns the client that it was for; nil: it is not here any more. What it holds is the caller's.
func (m *Machine) end(a *ask) *client {
	m.release(a)
	delete(m.region.asks, a.transaction)
	if a.see == 0 {
		delete(m.region.asking, crossing{a.slot, a.node})
	}
	return m.client(a.client)
}

// opened takes the channel that a neighbour has opened. The first one wins, others are given back.
func (m *Machine) opened(now mono.Time, n *neighbour, q *relay.Control, out *Out) {
	a := m.region.asks[q.Transaction]
	switch {
	case a == nil || a.waiting&(1<<n.slot) == 0:
		m.giveBack(n, q.Channel, out)
	case a.see != 0:
		if c := m.end(a); c != nil {
			m.answer(c, a.open, a.lane, q.There, out)
		}
	default:
		m.found(now, a, n, q.Channel, out)
	}
}

// giveBack closes a neighbour's channel that no channel of ours leads to.
func (m *Machine) giveBack(n *neighbour, there relay.Number, out *Out) {
	if _, used := n.channels[there]; !used && there != 0 {
		n.say(relay.Control{Kind: relay.Close, Channel: there}, m.region.next(), out)
	}
}

// found lets the channel that was asked for lead to a neighbour.
func (m *Machine) found(now mono.Time, a *ask, n *neighbour, there relay.Number, out *Out) {
	c := m.end(a)
	if c == nil || there == 0 {
		m.giveBack(n, there, out)
		return
	}
	if to := m.here(c.tenant, a.node); to != nil && m.present(now, to) { // it came here meanwhile
		m.giveBack(n, there, out)
		m.settle(c, a, to, out)
		return
	}
	l, why := m.laneOf(c, a), relay.NoReason
	made := l == nil
	if made {
		if l, why = m.newLane(c, out); l == nil {
			m.giveBack(n, there, out)
			m.refuse(c, a, why, out)
			return
		}
	}
	if l.gone || l.to != abroad|n.slot || m.region.far[l.slot].there != there {
		m.lead(l, abroad|n.slot, far{a.node, there}, out)
	}
	if a.offers && made {
		m.tellOffered(c, a.node, l, out)
	}
	m.conclude(c, a, l, out)
}

// conclude answers what waited for a channel, in the order in which it was asked, and sends on what came with it.
func (m *Machine) conclude(c *client, a *ask, l *lane, out *Out) {
	for _, h := range a.held {
		m.reply(c, &relay.Control{Kind: relay.Opened, Transaction: h.transaction, Channel: l.number, Took: m.sendOn(c, l, h.payload, out)}, out)
		if h.transaction == a.open {
			a.open = 0
		}
	}
	if a.open != 0 {
		m.answer(c, a.open, l.number, false, out)
	}
}

// laneOf is the channel that an ask is about: one that the client has to the node, or the one that looks for it; nil: there is none.
func (m *Machine) laneOf(c *client, a *ask) *lane {
	if slot, ok := m.region.abroad[crossing{c.slot, a.node}]; ok {
		return m.lanes.at(slot)
	}
	if to := m.here(c.tenant, a.node); to != nil {
		if slot, ok := m.byPair[pair{c.slot, to.slot}]; ok {
			return m.lanes.at(slot)
		}
	}
	if l := m.lane(a.lane); l != nil && l.from == c.slot {
		return l
	}
	return nil
}

// refused takes the word of a neighbour that it has no such node, or none any more.
func (m *Machine) refused(now mono.Time, n *neighbour, q *relay.Control, out *Out) {
	a := m.region.asks[q.Transaction]
	if a == nil || a.waiting&(1<<n.slot) == 0 {
		return
	}
	if a.waiting &^= 1 << n.slot; a.waiting != 0 {
		return
	}
	if slot, ok := n.channels[a.see]; ok && a.see != 0 {
		m.lost(m.lanes.at(slot), out)
	}
	m.nowhere(now, a, out)
}

// nowhere ends an ask that nobody has answered with a channel.
func (m *Machine) nowhere(now mono.Time, a *ask, out *Out) {
	c := m.end(a)
	if c == nil {
		return
	}
	l := m.lane(a.lane)
	if a.see != 0 {
		if l != nil && !l.gone {
			m.answer(c, a.open, l.number, false, out)
		} else {
			m.search(now, c, a.node, a.open, a.lane, out)
		}
		return
	}
	if to := m.here(c.tenant, a.node); to != nil {
		m.settle(c, a, to, out)
		return
	}
	if l = m.laneOf(c, a); l != nil && !l.gone {
		m.lost(l, out)
	}
	m.refuse(c, a, relay.Absent, out)
}

// settle lets what was asked for lead to a client here.
func (m *Machine) settle(c *client, a *ask, to *client, out *Out) {
	if l := m.laneOf(c, a); l != nil && (l.gone || l.to != to.slot) {
		m.lead(l, to.slot, far{}, out)
	}
	for _, h := range a.held {
		m.openHere(c, to, &opening{node: a.node, transaction: h.transaction, payload: h.payload}, out)
		if h.transaction == a.open {
			a.open = 0
		}
	}
	if a.open != 0 {
		m.openHere(c, to, &opening{node: a.node, transaction: a.open}, out)
	}
}

func (m *Machine) refuse(c *client, a *ask, why relay.Reason, out *Out) {
	if a.open != 0 {
		m.refuseOpen(c, a.open, why, out)
	}
}
