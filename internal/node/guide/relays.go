package guide

import (
	"net/netip"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/path"
	"github.com/cvlan/cvlan/internal/core/relayed"
	"github.com/cvlan/cvlan/internal/node/relays"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/relay"
)

// Ferry makes connections to relays; it calls what it is given from goroutines of its own. It is a *relays.Ferry.
type Ferry interface {
	// SetRelays says where relays are.
	SetRelays([]control.Relay)
	// Moved says that the host's network has changed.
	Moved()
	// Dial connects to a relay and registers there.
	Dial(conn uint32, to ident.Relay, done relays.Passenger)
	// Hangup ends a connection, or gives up making it.
	Hangup(conn uint32)
	// Carrier is how frames go out on a connection; nil: it is gone.
	Carrier(conn uint32) tunnel.Carrier
	// Close ends everything and waits for it.
	Close()
}

// relay takes what a relay says.
func (g *Guide) relay(now mono.Time, from tunnel.Origin, frame []byte) tunnel.Reason {
	if from.Socket != 0 {
		return tunnel.Unclaimed
	}
	defer g.ferry(now)
	if !g.links.Frame(now, from.Addr, from.Slot, frame, &g.relaying) {
		return tunnel.Unclaimed
	}
	return tunnel.OK
}

// ferry does what the links decided; like act it goes on with what that makes them decide. Frames leave first: what an event has others send may hang on
// them, as packets by UDP do on the Bind before.
func (g *Guide) ferry(now mono.Time) {
	if g.ferrying {
		return
	}
	g.ferrying = true
	o := &g.relaying
	for e, t := 0, 0; e < len(o.Events) || t < len(o.Transmits); {
		for ; t < len(o.Transmits); t++ {
			g.frame(o.Transmits[t])
		}
		for ; e < len(o.Events); e++ {
			g.linked(now, o.Events[e])
		}
	}
	g.ferrying = false
	o.Reset()
	g.act(now)
}

// frame sends a frame to a relay.
func (g *Guide) frame(t relayed.Transmit) {
	switch {
	case !t.Carried:
		g.host.Transmit(t.Data, g.host.Relay(t.To))
	case g.cfg.Ferry != nil:
		if c := g.cfg.Ferry.Carrier(g.conns[t.Slot]); c != nil {
			c.Carry(t.Data)
		}
	}
}

func (g *Guide) linked(now mono.Time, e relayed.Event) {
	switch e.Kind {
	case relayed.Dial:
		g.dial(now, e)
	case relayed.Hangup:
		if g.cfg.Ferry != nil {
			g.cfg.Ferry.Hangup(e.Conn)
		}
	case relayed.Up:
		g.again(now, e.Slot)
		g.finder.Relay(now, e.Slot, true, &g.decisions)
	case relayed.Down:
		g.finder.Relay(now, e.Slot, false, &g.decisions)
		delete(g.own.seen, e.Slot)
		g.tell(now)
	case relayed.Vacant:
		g.finder.Vacant(now, e.Slot, &g.decisions)
	case relayed.Home:
		g.home = e.Relay
		g.tell(now)
	case relayed.Seen:
		if g.own.sees(now, e.Slot, e.Addr) {
			g.abandon()
			g.lasts(now)
		}
		g.tell(now)
	case relayed.Confirmed:
		if m := g.byNode[e.Node]; m != nil && m.talk != nil {
			g.finder.Seen(now, m.id, netip.AddrPortFrom(e.Addr.Addr(), max(e.Addr.Port(), 1))) // whatever the port
		}
	case relayed.Return:
		if m := g.byNode[e.Node]; m != nil && m.talk != nil {
			m.wait(e.Data)
			g.flush(now, m)
		}
	case relayed.LaneUp, relayed.Lost, relayed.Expect, relayed.Unexpect:
		g.laned(now, e)
	}
}

// dial has a relay connected to.
func (g *Guide) dial(now mono.Time, e relayed.Event) {
	if g.cfg.Ferry == nil {
		g.links.Failed(now, e.Conn, relay.NoReason, &g.relaying)
		return
	}
	g.cfg.Ferry.Dial(e.Conn, e.Relay, passenger{g, e.Slot, e.Conn})
}

// laned takes news of one peer behind a relay.
func (g *Guide) laned(now mono.Time, e relayed.Event) {
	if e.Kind == relayed.Unexpect { // also of a peer that has just been removed
		g.host.Unexpect(e.Number, e.Tag)
		return
	}
	m := g.byNode[e.Node]
	if m == nil {
		return
	}
	switch e.Kind {
	case relayed.Expect:
		g.host.Expect(e.Slot, e.Addr, e.Number, e.Tag, m.tunnel)
	case relayed.LaneUp, relayed.Lost:
		if m.talk == nil {
			return
		}
		g.lay(m, g.links.Lanes(e.Node))
		g.reach(now, m)
		g.use(now, m)
		g.laid(now, m)
	}
}

// lay takes the lanes to a peer. One that stays as it was keeps its path.
func (g *Guide) lay(m *mate, lanes []relayed.Lane) {
	before, was := m.lanes, m.through
	m.lanes, m.through = slices.Clone(lanes), [maxSlots + 1]*tunnel.Path{}
	for _, l := range lanes {
		if slices.Contains(before, l) && (!l.Carried || m.conns[l.Slot] == g.conns[l.Slot]) {
			m.through[l.Slot] = was[l.Slot]
			continue
		}
		to := tunnel.Lane{Remote: l.Remote, Channel: l.Channel, Key: l.Key}
		if l.Carried && g.cfg.Ferry != nil {
			to.Carrier, m.conns[l.Slot] = g.cfg.Ferry.Carrier(g.conns[l.Slot]), g.conns[l.Slot]
		}
		m.through[l.Slot] = g.host.Through(m.tunnel, l.Slot, to)
	}
}

// again lays the lanes anew that a link's connection carries: it may be another than before.
func (g *Guide) again(now mono.Time, slot uint8) {
	for _, m := range g.talking {
		if m != nil && slices.ContainsFunc(m.lanes, func(l relayed.Lane) bool { return l.Slot == slot && l.Carried }) {
			g.lay(m, m.lanes)
			g.use(now, m)
		}
	}
}

// reach tells the finder where a peer may be.
func (g *Guide) reach(now mono.Time, m *mate) {
	k := path.Known{Candidates: m.where.candidates(), Coming: g.links.Coming(now, m.node)}
	for i, l := range m.lanes[:min(len(m.lanes), len(k.Relays))] {
		k.Relays[i] = l.Slot
	}
	g.finder.SetPeer(now, m.id, k, &g.decisions)
}

// tell says where we are: to the finder, which tells peers, and to the controller.
func (g *Guide) tell(now mono.Time) {
	all := g.own.candidates()
	if is := (path.Own{Candidates: all, Mapping: g.own.mapping(), Prefixes: g.own.prefixes, Lifetime: g.own.lifetime.Known()}); !g.is.same(is) {
		g.is = ownAs(is)
		g.finder.Own(now, is, &g.decisions)
	}
	if r := (Reach{Candidates: all, Home: g.home}); !r.equal(g.told) {
		g.told = r
		if g.cfg.Report != nil {
			g.cfg.Report(r)
		}
	}
}

// ownAs is what the finder was told of us last.
type ownAs path.Own

func (o ownAs) same(p path.Own) bool {
	return o.Mapping == p.Mapping && o.Lifetime == p.Lifetime && slices.Equal(o.Candidates, p.Candidates) && slices.Equal(o.Prefixes, p.Prefixes)
}

func (r Reach) equal(o Reach) bool {
	if r.Home != o.Home || len(r.Candidates) != len(o.Candidates) {
		return false
	}
	for i := range r.Candidates {
		if r.Candidates[i] != o.Candidates[i] {
			return false
		}
	}
	return true
}

// passenger is a link that waits for a connection.
type passenger struct {
	g    *Guide
	slot uint8
	conn uint32
}

var _ relays.Passenger = passenger{}

// Registered implements relays.Passenger.
func (p passenger) Registered(w relay.Welcome, took time.Duration) (in *tunnel.Carried) {
	done := make(chan struct{})
	ok := p.g.host.Post(func() {
		defer close(done)
		now := p.g.clock.Now()
		p.g.conns[p.slot] = p.conn
		p.g.links.Registered(now, p.conn, w, took, &p.g.relaying)
		p.g.ferry(now)
		in = p.g.host.Carried(p.slot)
	})
	if !ok {
		return nil
	}
	<-done
	return in
}

// Failed implements relays.Passenger.
func (p passenger) Failed(why relay.Reason) {
	p.g.host.Post(func() {
		now := p.g.clock.Now()
		p.g.links.Failed(now, p.conn, why, &p.g.relaying)
		p.g.ferry(now)
	})
}

// Ended implements relays.Passenger.
func (p passenger) Ended() {
	p.g.host.Post(func() {
		now := p.g.clock.Now()
		p.g.links.Ended(now, p.conn, &p.g.relaying)
		p.g.ferry(now)
	})
}
