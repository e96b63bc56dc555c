package relayed

import (
	"net/netip"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/relay"
)

// Times of channels.
const (
	wantedFor   = 30 * time.Second // after Want, or the last packet sent
	idleChannel = 10 * time.Minute // then it is closed
	sweepEvery  = time.Minute
	laneTick    = 10 * time.Millisecond // at most that often lanes are looked after
	openLeast   = 150 * time.Millisecond
	openMost    = time.Second
	openTries   = 6
	absentLeast = time.Second // until the next try where a node is not, doubling
	absentMost  = 30 * time.Second
	laterWait   = 10 * time.Second // where the relay has no room
	neverWait   = time.Minute      // where it does not want
	reopenLeast = time.Second      // between two openings after Closed
)

// peer is a node that may be reached.
type peer struct {
	node  ident.Node
	home  ident.Relay
	until mono.Time // wanted until then; Never: not wanted
	lanes []Lane    // as told, best first
	lost  bool      // as told
}

// channel is one direction to a node in one relay.
type channel struct {
	number relay.Number // 0: not open
	key    relay.Key
	used   mono.Time
	tries  int       // without an answer
	next   mono.Time // not to be asked for before
	misses int       // refusals in a row
	reason relay.Reason
	claim  netip.Addr // what Confirm asked last
	asked  uint64     // and the transaction of it
	calls  []calling  // that wait for an answer
}

// Put says that a node is in the map, and at which relay it is at home (0: at none).
func (l *Links) Put(now mono.Time, node ident.Node, home ident.Relay, out *Out) {
	if node.IsZero() || node == l.cfg.Self {
		return
	}
	p := l.peers[node]
	if p == nil {
		p = &peer{node: node, home: home}
		l.peers[node] = p
		l.order = append(l.order, p)
		for _, n := range l.slots {
			if n != nil && n.told.number != 0 {
				n.expect(p, out)
			}
		}
		return
	}
	if p.home == home {
		return
	}
	p.home = home
	if k := l.relay(home); k != nil && k.link != nil {
		if c := k.link.channels[node]; c != nil && c.number == 0 {
			delete(k.link.channels, node) // what was refused may not be now
		}
	}
	l.pursue(now, p, out)
	l.settle(now, p, out)
}

// Remove forgets a node.
func (l *Links) Remove(now mono.Time, node ident.Node, out *Out) {
	p := l.peers[node]
	if p == nil {
		return
	}
	for _, n := range l.slots {
		if n == nil {
			continue
		}
		n.closeChannel(now, node, out)
		if n.told.number != 0 {
			n.unexpect(p, out)
		}
	}
	delete(l.peers, node)
	l.order = slices.DeleteFunc(l.order, func(x *peer) bool { return x == p })
	l.active = slices.DeleteFunc(l.active, func(x *peer) bool { return x == p })
}

// Want says that a lane to a node is wanted, for half a minute; packets that are sent in it (Used) prolong that. It returns those that are
// there, as Lanes does; if there is none, LaneUp or Lost follows.
func (l *Links) Want(now mono.Time, node ident.Node, out *Out) []Lane {
	p := l.peers[node]
	if p == nil {
		return nil
	}
	p.lost = false
	l.want(now, p)
	l.pursue(now, p, out)
	l.settle(now, p, out)
	return p.lanes
}

func (l *Links) want(now mono.Time, p *peer) {
	if p.until.IsNever() {
		l.active = append(l.active, p)
		l.lanesAt(now.Add(wantedFor))
	}
	p.until = now.Add(wantedFor)
}

// Lanes are the open lanes to a node, best first, at most MaxLanes. They are valid until the next call.
func (l *Links) Lanes(node ident.Node) []Lane {
	if p := l.peers[node]; p != nil {
		return p.lanes
	}
	return nil
}

// Coming reports whether there is no lane to a node that is wanted, but may be one soon.
func (l *Links) Coming(now mono.Time, node ident.Node) bool {
	p := l.peers[node]
	if p == nil || p.until.IsNever() || len(p.lanes) > 0 {
		return false
	}
	_, none := l.hopeless(now, p)
	return !none
}

// tickLanes looks after the lanes that are wanted, and closes what nobody has used for long.
func (l *Links) tickLanes(now mono.Time, out *Out) {
	if due(now, l.sweepAt) {
		l.sweep(now, out)
	}
	l.wake(l.sweepAt)
	if l.lanesNext.IsNever() || now.Before(l.lanesNext) {
		l.wake(l.lanesNext)
		return
	}
	l.lanesNext = mono.Never
	for _, p := range slices.Clone(l.active) {
		l.pursue(now, p, out)
		l.settle(now, p, out)
	}
	l.active = slices.DeleteFunc(l.active, func(p *peer) bool {
		if now.Before(p.until) {
			l.lanesNext = mono.Earlier(l.lanesNext, p.until)
			return false
		}
		p.until = mono.Never
		return true
	})
	l.wake(l.lanesNext)
}

// sweep closes the channels that nobody has used for long.
func (l *Links) sweep(now mono.Time, out *Out) {
	l.sweepAt = mono.Never
	for _, n := range l.slots {
		if n == nil {
			continue
		}
		for _, node := range n.nodes() {
			if now.Sub(n.channels[node].used) < idleChannel {
				l.sweepSoon(now)
				continue
			}
			n.closeChannel(now, node, out)
			l.settle(now, l.peers[node], out)
		}
	}
}

func (l *Links) sweepSoon(now mono.Time) {
	if l.sweepAt.IsNever() {
		l.sweepAt = now.Add(sweepEvery)
		l.wake(l.sweepAt)
	}
}

// pursueAll finds lanes for every wanted peer.
func (l *Links) pursueAll(now mono.Time, out *Out) {
	for _, p := range slices.Clone(l.active) {
		l.pursue(now, p, out)
	}
}

// pursue has a channel opened at our own home if that can forward to the peer's, else at the peer's home, and where else it may be while that does not serve.
func (l *Links) pursue(now mono.Time, p *peer, out *Out) {
	if p.until.IsNever() || !now.Before(p.until) || l.nearby(now, p, out) {
		return
	}
	if k := l.relay(p.home); k != nil {
		if n := l.need(now, k, out); n != nil {
			n.used = max(n.used, now.Add(-usedFor)) // kept, but not asked often unless packets flow
			n.open(now, p, out)
			if c := n.channels[p.node]; n.up() && c != nil && c.number != 0 && !n.pulse.doubtful() {
				return
			}
		}
	}
	for _, n := range l.slots {
		if n != nil && n.k.id != p.home && n.serves() {
			n.open(now, p, out)
		}
	}
}

// nearby has our own home forward to the peer's, if both are in one region, and reports whether that serves or may yet. If the home refuses, the peer has to be
// reached at its own.
func (l *Links) nearby(now mono.Time, p *peer, out *Out) bool {
	h, k := l.home, l.relay(p.home)
	if h == nil || k == nil || h == k || h.region == "" || h.region != k.region || h.link == nil || !h.link.up() {
		return false
	}
	n := h.link
	n.open(now, p, out)
	c := n.channels[p.node]
	switch {
	case c == nil || n.pulse.doubtful():
		return false
	case c.number != 0:
		return true
	}
	return c.reason == relay.NoReason || c.reason == relay.Gone // it has been asked, anew if the peer has moved
}

// open asks for a channel if there is none and it is time.
func (n *link) open(now mono.Time, p *peer, out *Out) {
	if !n.up() {
		return
	}
	c := n.channels[p.node]
	if c == nil {
		if len(n.channels) >= int(n.welcome.Channels) && !n.makeRoom(now, out) {
			return
		}
		c = &channel{used: now}
		n.channels[p.node] = c
	}
	if c.number != 0 {
		return
	}
	if now.Before(c.next) {
		n.l.lanesAt(c.next)
		return
	}
	if c.tries >= openTries {
		c.tries, c.reason = 0, relay.Busy
		c.next = now.Add(laterWait)
		n.l.lanesAt(c.next)
		return
	}
	wait := min(max(openLeast, 2*n.k.rtt)<<min(c.tries, 4), openMost)
	c.tries++
	c.used, c.next = now, now.Add(wait)
	n.l.lanesAt(c.next)
	if len(n.opens) >= 2*MaxChannels {
		clear(n.opens)
	}
	n.opens[n.send(now, relay.Control{Kind: relay.Open, Node: p.node}, n.way(), out)] = p.node
}

// Confirm asks the relays in which there are lanes to a node whether they see it at an address: Confirmed follows if one does.
func (l *Links) Confirm(now mono.Time, node ident.Node, at netip.Addr, out *Out) {
	for _, n := range l.slots {
		if n == nil || !n.up() {
			continue
		}
		c := n.channels[node]
		if c == nil || c.number == 0 {
			continue
		}
		if len(n.opens) >= 2*MaxChannels {
			clear(n.opens)
		}
		c.claim, c.asked = at, n.send(now, relay.Control{Kind: relay.Open, Node: node, Claim: at}, n.way(), out)
		n.opens[c.asked] = node
	}
}

// lanesAt has tickLanes called at a time, or a little later, together with others.
func (l *Links) lanesAt(at mono.Time) {
	at = at - at%mono.Time(laneTick) + mono.Time(laneTick)
	l.lanesNext = mono.Earlier(l.lanesNext, at)
	l.wake(at)
}

// makeRoom closes the channel that was used least lately, unless that was just now.
func (n *link) makeRoom(now mono.Time, out *Out) bool {
	var oldest ident.Node
	var at mono.Time
	for _, node := range n.nodes() {
		if c := n.channels[node]; oldest.IsZero() || c.used.Before(at) {
			oldest, at = node, c.used
		}
	}
	if oldest.IsZero() || now.Sub(at) < usedFor {
		return false
	}
	n.closeChannel(now, oldest, out)
	n.l.settle(now, n.l.peers[oldest], out)
	return true
}

// answered takes Opened or Refused.
func (n *link) answered(now mono.Time, node ident.Node, a *relay.Control, out *Out) {
	q, timed := n.sent.take(now, a.Transaction, relay.Open)
	if timed {
		n.alive(now, q, out)
	}
	delete(n.opens, a.Transaction)
	c, p := n.channels[node], n.l.peers[node]
	if c == nil || p == nil {
		return
	}
	if a.There && a.Transaction == c.asked && c.claim.IsValid() { // not the answer about another address
		out.tell(Event{Kind: Confirmed, Slot: n.slot, Relay: n.k.id, Node: node, Addr: netip.AddrPortFrom(c.claim, 0)})
		c.claim = netip.Addr{}
	}
	if a.Kind == relay.Opened && a.Channel != 0 {
		delete(n.numbers, c.number)
		c.number, c.key = a.Channel, relay.ChannelKey(&n.welcome.Secret, a.Channel)
		c.opened(now)
		n.numbers[c.number] = node
		n.l.sweepSoon(now)
	} else if c.number == 0 {
		n.refused(now, c, a.Reason)
		n.l.pursue(now, p, out)
	}
	n.l.settle(now, p, out)
	c.settleCalls(node, a, out)
}

// opened notes that there is a number.
func (c *channel) opened(now mono.Time) {
	c.tries, c.misses, c.reason, c.next = 0, 0, relay.NoReason, now.Add(reopenLeast)
}

// refused decides when to ask again.
func (n *link) refused(now mono.Time, c *channel, why relay.Reason) {
	wait := laterWait
	switch why {
	case relay.Absent, relay.Gone:
		wait = min(absentLeast<<min(c.misses, 8), absentMost)
	case relay.Draining, relay.NotPermitted, relay.Unsupported:
		wait = neverWait
	}
	c.tries, c.reason, c.next = 0, why, now.Add(wait)
	c.misses++
	n.l.lanesAt(c.next)
}

// closed takes the relay's word that a channel is no more.
func (n *link) closed(now mono.Time, node ident.Node, why relay.Reason, out *Out) {
	c, p := n.channels[node], n.l.peers[node]
	if c == nil || p == nil || c.number == 0 {
		return
	}
	delete(n.numbers, c.number)
	c.number, c.reason = 0, why
	if p.until.IsNever() && now.Sub(c.used) < wantedFor { // it was in use
		n.l.want(now, p)
	}
	n.l.lanesAt(max(now, c.next))
	n.l.pursue(now, p, out)
	n.l.settle(now, p, out)
}

// closeChannel gives a channel back.
func (n *link) closeChannel(now mono.Time, node ident.Node, out *Out) {
	c := n.channels[node]
	if c == nil {
		return
	}
	if c.number != 0 && n.up() {
		n.send(now, relay.Control{Kind: relay.Close, Channel: c.number}, n.way(), out)
	}
	delete(n.numbers, c.number)
	delete(n.channels, node)
}

func (l *Links) settleAll(now mono.Time, out *Out) {
	for _, p := range l.order {
		l.settle(now, p, out)
	}
}

// settle tells of the lanes to a peer, if they have changed.
func (l *Links) settle(now mono.Time, p *peer, out *Out) {
	var is [MaxLanes]Lane
	n := l.rank(now, p, &is)
	had := len(p.lanes)
	if !slices.Equal(p.lanes, is[:n]) {
		p.lanes = append(p.lanes[:0], is[:n]...)
		if n > 0 {
			out.tell(Event{Kind: LaneUp, Slot: is[0].Slot, Relay: l.slots[is[0].Slot].k.id, Node: p.node, Lane: is[0]})
		}
	}
	if n > 0 {
		p.lost = false
		return
	}
	if why, none := l.hopeless(now, p); (had > 0 || none) && !p.lost {
		p.lost = true
		out.tell(Event{Kind: Lost, Node: p.node, Reason: why})
	}
}

// rank orders the open lanes to a peer.
func (l *Links) rank(now mono.Time, p *peer, lanes *[MaxLanes]Lane) (count int) {
	var worth [MaxLanes]int
	for _, n := range l.slots {
		if n == nil || !n.up() {
			continue
		}
		c := n.channels[p.node]
		if c == nil || c.number == 0 {
			continue
		}
		w, at := n.worth(now, p), 0
		for at < count && worth[at] >= w {
			at++
		}
		if at == MaxLanes {
			continue
		}
		count = min(count+1, MaxLanes)
		copy(lanes[at+1:count], lanes[at:])
		copy(worth[at+1:count], worth[at:])
		worth[at] = w
		lanes[at] = Lane{Slot: n.slot, Carried: !n.bound, Remote: n.remote, Channel: c.number, Key: c.key}
	}
	return count
}

// worth is larger the better lanes of a link to a peer are.
func (n *link) worth(now mono.Time, p *peer) (w int) {
	switch n.k {
	case n.l.home, n.l.target:
		w = 2
	case n.l.standby:
		w = 1
	}
	if n.k.id == p.home {
		w = 3
	}
	if !n.pulse.doubtful() {
		w += 4
	}
	return w
}

// hopeless reports whether every relay where the peer may be has refused, and why the first has.
func (l *Links) hopeless(now mono.Time, p *peer) (why relay.Reason, none bool) {
	if p.until.IsNever() {
		return relay.NoReason, false
	}
	asked := len(l.relays) == 0
	for _, n := range l.slots {
		if n == nil || n.k.id != p.home && !n.serves() {
			continue
		}
		c := n.channels[p.node]
		switch {
		case n.dialing != 0, n.up() && (c == nil || c.reason == relay.NoReason):
			return relay.NoReason, false // it may yet become one
		case c != nil && why == relay.NoReason:
			why = c.reason
		}
		asked = true
	}
	return why, asked
}
