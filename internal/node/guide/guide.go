package guide

import (
	"crypto/rand"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/path"
	"github.com/cvlan/cvlan/internal/core/quantum"
	"github.com/cvlan/cvlan/internal/core/relayed"
	"github.com/cvlan/cvlan/internal/core/stun"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/proto/disco"
)

const maxSlots = path.MaxSlots

// Config is what a Guide is made of.
type Config struct {
	Private key.WGPrivate
	Self    ident.Node
	Home    ident.Relay    // where the node was at home last time; zero: nowhere
	Overlay []netip.Prefix // the network's own ranges: no peer is reached there
	Ferry   Ferry          // of relays; nil: there are none
	// Now is the time of day as far as it can be trusted; nil: time.Now.
	Now func() time.Time
	// Report is told where the node can be reached, whenever that changes, on the tunnel's goroutine. It must not block. nil: nobody is.
	Report func(Reach)
	// Punch asks the controller to have a peer and us start at one moment; likewise.
	Punch func(ident.Node)
	Rand  io.Reader // nil: crypto/rand
	Log   *slog.Logger
}

// Reach is where a node can be reached.
type Reach struct {
	Candidates []disco.Candidate
	Home       ident.Relay // zero: it is at home nowhere yet
}

// Guide implements tunnel.Guide. Its exported methods, but for those of that interface, may be called from any goroutine.
type Guide struct {
	cfg     Config
	self    key.WGPublic
	host    tunnel.GuideHost
	clock   mono.Clock
	finder  *path.Finder
	links   *relayed.Links
	secrets *quantum.Machine
	own     own
	home    ident.Relay
	conns   [maxSlots + 1]uint32 // the latest connection of each link

	talking []*mate // by path.Peer; nil: a number that is free
	free    []path.Peer
	byNode  map[ident.Node]*mate
	byIndex map[uint64]*mate

	decisions path.Decisions
	acting    bool // upon them
	relaying  relayed.Out
	agreeing  quantum.Out
	asked     stun.Out
	buf       []byte
	is        ownAs
	told      Reach
	ferrying  bool // the links' decisions are being done
	greetings []greeting
	probes    map[uint64]*probe
	asking    []*asking // spare sockets that do not know yet where they are seen
	trial     *trial    // of for how long the NAT keeps an idle mapping; nil: none is under way
	trials    int       // so far
}

var _ tunnel.Guide = (*Guide)(nil)

// New makes a Guide. It guides nobody before Build has been called.
func New(c Config) *Guide {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Guide{
		cfg: c, self: c.Private.Public(),
		finder:  path.NewFinder(path.Config{Refused: c.Overlay, Guess: true}, uint64(c.Now().UnixMilli()), c.Rand),
		secrets: quantum.New(c.Private.Public(), c.Rand),
		links:   relayed.New(relayed.Config{Self: c.Self, Home: c.Home}, c.Rand),
		own:     own{mapped: map[netip.AddrPort]uint64{}, seen: map[uint8]netip.AddrPort{}},
		talking: []*mate{nil}, byNode: map[ident.Node]*mate{}, byIndex: map[uint64]*mate{},
		probes: map[uint64]*probe{},
	}
}

// Build is a tunnel.BuildGuide.
func (g *Guide) Build(h tunnel.GuideHost) (tunnel.Guide, error) {
	g.host, g.clock = h, h.Clock()
	g.own.port = h.SocketPort(0)
	return g, nil
}

// Put implements tunnel.Guide.
func (g *Guide) Put(_ mono.Time, p *tunnel.Peer) {
	if mateOf(p) != nil {
		return
	}
	m := &mate{tunnel: p, index: disco.Index(p.Key(), g.self)}
	p.SetMark(m)
	g.byIndex[m.index] = m
}

// Remove implements tunnel.Guide.
func (g *Guide) Remove(now mono.Time, p *tunnel.Peer) {
	m := mateOf(p)
	if m == nil {
		return
	}
	g.cool(now, m)
	delete(g.byIndex, m.index)
	if g.byNode[m.node] == m {
		delete(g.byNode, m.node)
		g.links.Remove(now, m.node, &g.relaying)
		g.ferry(now)
	}
}

// Wanted implements tunnel.Guide.
func (g *Guide) Wanted(now mono.Time, p *tunnel.Peer) bool {
	m := mateOf(p)
	if m == nil || !g.warm(now, m) {
		return false
	}
	m.met = true
	g.want(now, m)
	if p.Protocol() == tunnel.IKE { // it does without a preshared key: it has ML-KEM of its own (RFC 9370)
		return true
	}
	m.held = !g.secrets.Want(now, p.Key(), &g.agreeing)
	begin := !m.held
	g.agree(now, path.Way{})
	return begin
}

// want looks for ways to a peer that is spoken with.
func (g *Guide) want(now mono.Time, m *mate) {
	g.links.Want(now, m.node, &g.relaying)
	g.ferry(now)
	if len(m.lanes) == 0 {
		g.reach(now, m) // a lane may be coming now
	}
	g.finder.Wanted(now, m.id, &g.decisions)
	g.act(now)
}

// Heard implements tunnel.Guide.
func (g *Guide) Heard(now mono.Time, p *tunnel.Peer, from tunnel.Origin) {
	if m := mateOf(p); m != nil && g.warm(now, m) {
		m.met = true
		g.finder.Heard(now, m.id, wayOf(from), &g.decisions)
		g.act(now)
	}
}

// Flow implements tunnel.Guide.
func (g *Guide) Flow(now mono.Time, p *tunnel.Peer, sent int, received bool, from tunnel.Origin) {
	m := mateOf(p)
	if m == nil || !g.warm(now, m) {
		return
	}
	if received {
		g.finder.Heard(now, m.id, wayOf(from), &g.decisions)
		if from.Slot != 0 {
			g.links.Used(now, m.node, from.Slot, false, true)
		}
	}
	if sent > 0 {
		g.finder.Sent(now, m.id, sent, &g.decisions)
		if m.using.Relay != 0 {
			g.links.Used(now, m.node, m.using.Relay, true, false)
		}
	}
	g.act(now)
	g.ferry(now)
}

func wayOf(o tunnel.Origin) path.Way {
	if o.Slot != 0 {
		return path.Way{Relay: o.Slot}
	}
	return path.Way{Socket: o.Socket, Remote: o.Addr, Local: o.Local}
}

// Wake implements tunnel.Guide.
func (g *Guide) Wake(now mono.Time, why path.Cause) {
	if g.cfg.Ferry != nil {
		g.cfg.Ferry.Moved()
	}
	g.moved(now)
	g.links.Moved(now, &g.relaying)
	g.ferry(now)
	g.finder.Wake(now, why, &g.decisions)
	g.act(now)
}

// Rebound implements tunnel.Guide. Relays come last: until they have bound the new port they take frames from the old one only.
func (g *Guide) Rebound(now mono.Time, relays bool) {
	g.moved(now)
	if relays {
		g.links.Moved(now, &g.relaying)
		g.ferry(now)
		return
	}
	g.own.port = g.host.SocketPort(0)
	g.finder.Wake(now, path.LinkChanged, &g.decisions)
	g.act(now)
	g.tell(now)
	g.act(now)
}

// Deadline implements tunnel.Guide.
func (g *Guide) Deadline() mono.Time {
	d := mono.Earlier(mono.Earlier(g.finder.Deadline(), g.links.Deadline()), g.secrets.Deadline())
	if g.own.asking != nil {
		d = mono.Earlier(d, g.own.asking.Deadline())
	}
	if len(g.greetings) > 0 {
		d = mono.Earlier(d, g.greetings[0].at)
	}
	for _, a := range g.asking {
		d = mono.Earlier(d, a.client.Deadline())
	}
	for _, p := range g.probes {
		d = mono.Earlier(d, p.at)
	}
	if g.trial != nil {
		return mono.Earlier(d, g.trial.Deadline())
	}
	return mono.Earlier(d, g.own.lifetime.Deadline())
}

// Tick implements tunnel.Guide.
func (g *Guide) Tick(now mono.Time) {
	g.finder.Tick(now, &g.decisions)
	g.act(now)
	g.links.Tick(now, &g.relaying)
	g.ferry(now)
	g.secrets.Tick(now, &g.agreeing)
	g.agree(now, path.Way{})
	if g.own.asking != nil {
		g.own.asking.Tick(now, &g.asked)
		g.mapped(now)
	}
	g.greet(now)
	g.inquiries(now)
	for _, a := range slices.Clone(g.asking) {
		a.client.Tick(now, &g.asked)
		g.asks(now, a)
	}
	g.try(now)
}

// Message implements tunnel.Guide.
func (g *Guide) Message(now mono.Time, c tunnel.Class, from tunnel.Origin, message []byte) tunnel.Reason {
	switch c {
	case tunnel.Disco:
		return g.said(now, from, message)
	case tunnel.STUN:
		return g.answered(now, from, message)
	case tunnel.Relay:
		return g.relay(now, from, message)
	}
	return tunnel.Unclaimed
}

// act does what the finder decided. What is done may make it decide more: a tunnel that is told of a way may want it at once, and so
// come back here. Then the first call goes on with that.
func (g *Guide) act(now mono.Time) {
	if g.acting {
		return
	}
	g.acting = true
	d := &g.decisions
	for e, s := 0, 0; e < len(d.Events) || s < len(d.Sends); {
		for ; e < len(d.Events); e++ {
			g.decided(now, d.Events[e])
		}
		for ; s < len(d.Sends); s++ {
			one := d.Sends[s]
			if m := g.talking[one.Peer]; m != nil {
				g.say(now, m, one.Way, &one.Message)
			}
		}
	}
	g.acting = false
	d.Reset()
}

func (g *Guide) decided(now mono.Time, e path.Event) {
	m := g.talking[e.Peer]
	if m == nil && e.Kind != path.CloseSocket && e.Kind != path.Restun {
		return // the peer was removed meanwhile
	}
	switch e.Kind {
	case path.Chosen:
		if e.Why == path.Silent && m.using.Direct() { // it may be our own address that has changed: relays are to know
			g.own.moved = now
			g.links.Readdressed(now, &g.relaying)
			g.ferry(now)
		}
		m.using, m.carries = e.Way, 0
		g.cfg.Log.Debug("way to peer", logx.Peer, m.key().Short(), logx.Addr, e.Way, logx.Reason, e.Why)
		g.use(now, m)
	case path.Lost:
		m.using = path.Way{}
		g.cfg.Log.Debug("no way to peer", logx.Peer, m.key().Short(), logx.Reason, e.Why)
		g.use(now, m)
	case path.MTU:
		if w := m.using; w.Relay == e.Way.Relay && w.Socket == e.Way.Socket && w.Remote == e.Way.Remote { // wherever it leaves from
			m.carries = e.Bytes
			g.host.Limit(m.tunnel, e.Bytes)
		}
	case path.AskPunch:
		if g.cfg.Punch != nil {
			g.cfg.Punch(m.node)
		}
	case path.OpenSockets:
		g.open(now, m, e.Count)
	case path.CloseSocket:
		g.host.CloseSocket(e.Way.Socket)
	case path.AskSeen:
		g.links.Confirm(now, m.node, e.Way.Remote.Addr(), &g.relaying)
		g.ferry(now)
	case path.Restun:
		g.ask(now)
	}
}

// use tells the tunnel which way is taken.
func (g *Guide) use(now mono.Time, m *mate) {
	switch {
	case m.using.Relay != 0:
		g.host.Use(now, m.tunnel, m.through[m.using.Relay]) // nil while the lane is being opened
	case m.using.Direct():
		g.host.Use(now, m.tunnel, g.host.Direct(m.using.Remote, m.using.Local, m.using.Socket))
	default:
		g.host.Use(now, m.tunnel, nil)
	}
	if m.carries > 0 { // also a lane that was laid anew
		g.host.Limit(m.tunnel, m.carries)
	}
	g.flush(now, m)
}

// flush sends what waited for a way.
func (g *Guide) flush(now mono.Time, m *mate) {
	var to *tunnel.Path
	if m.using.Relay <= maxSlots {
		to = m.through[m.using.Relay]
	}
	if m.using.Direct() {
		to = g.host.Direct(m.using.Remote, m.using.Local, m.using.Socket)
	}
	if to == nil || len(m.backlog) == 0 {
		return
	}
	g.finder.Left(now, m.id, m.using)
	for _, b := range m.backlog {
		g.host.Transmit(b, to)
	}
	m.backlog = nil
}
