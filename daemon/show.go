package daemon

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/version"
	"github.com/cvlan/cvlan/internal/base/words"
	"github.com/cvlan/cvlan/internal/core/netmap"
	"github.com/cvlan/cvlan/internal/node/engine"
	"github.com/cvlan/cvlan/internal/node/session"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/proto/control"
)

const (
	protocolWG = local.WireGuardProtocol
	cipherWG   = "chacha20poly1305"
	// sessionLife is how long a WireGuard session serves after its handshake (REJECT_AFTER_TIME).
	sessionLife = 180 * time.Second
)

// Status implements localapi.Backend.
func (d *Daemon) Status() local.Status {
	return local.Status{Schema: local.Schema, Daemon: version.Get(), Since: d.since, FIPS: d.cfg.FIPS, Networks: d.describe(d.all()).Networks}
}

func (d *Daemon) describe(members []*member) local.Networks {
	n := local.Networks{Schema: local.Schema, Networks: make([]local.Network, 0, len(members))}
	for _, m := range members {
		n.Networks = append(n.Networks, m.show())
	}
	return n
}

// show tells a membership as it is now.
func (m *member) show() local.Network {
	e, broke := m.alive()
	switch {
	case m.state == nil:
		p := local.Problem{Code: "state-damaged", What: m.damage.Error(), Hint: "restore the state folder from a backup, or forget the network and join again"}
		return m.dead(local.Failed, &p)
	case broke != nil:
		n := m.dead(local.Failed, &local.Problem{Code: "internal", What: broke.Error(), Hint: "try again: sudo cvlan up"})
		n.Exit, n.Warnings = m.exit(nil)
		return n
	case e == nil:
		return m.dead(local.Down, nil)
	default:
		return m.live(e.Status())
	}
}

// dead tells what is known of a membership without an engine.
func (m *member) dead(s local.State, p *local.Problem) local.Network {
	name, tenant, domain := m.names()
	n := local.Network{ID: m.id.String(), Name: name, Tenant: tenant, Domain: domain, State: s, Problem: p, Ranges: []netip.Prefix{}, Peers: []local.Peer{}}
	if m.state != nil {
		n.Self = m.self(nil)
		n.Controller.Address = m.address("")
	}
	return n
}

// live tells what the engine knows.
func (m *member) live(s *engine.Status) local.Network {
	name, tenant, domain := m.names()
	n := local.Network{
		ID: m.id.String(), Name: name, Tenant: tenant, Domain: domain, State: local.State(s.State), Problem: problem(s.Problem),
		Self: m.self(s), Interface: s.Interface, Port: s.Port, MTU: s.MTU, Ranges: []netip.Prefix{}, Closed: s.Network.Closed,
		Policy: policy(s), Controller: m.controller(s), Relay: m.serves.Load(), Peers: make([]local.Peer, 0, len(s.Peers)),
	}
	for _, w := range s.Warnings {
		n.Warnings = append(n.Warnings, *problem(&w))
	}
	n.Warnings = append(append(n.Warnings, m.clockWarnings()...), m.nameWarnings(s)...)
	for _, r := range []netip.Prefix{s.Network.Range4, s.Network.Range6} {
		if r.IsValid() {
			n.Ranges = append(n.Ranges, r)
		}
	}
	n.Routes, n.Offers, n.Exits = routes(s), offers(s), exits(s)
	var of []local.Problem
	n.Exit, of = m.exit(s)
	n.Warnings = append(n.Warnings, of...)
	if s.State == engine.NeedsJoin {
		return n // to others this machine is nobody, and of who was there the map tells the past
	}
	live, now := s.Live(), time.Now()
	var using map[key.WGPublic]ident.Relay
	if g := s.Guide(); g != nil {
		using = g.Using()
	}
	for _, p := range s.Peers {
		shown := peer(p, live, now)
		if c, ok := s.Choice(p.Record.Node); ok {
			speaks(&shown, c, s.Self.Record.Speech, p.Record.Speech)
		}
		if r, ok := using[p.Record.WG]; ok {
			carried(&shown, relayName(s, r))
		}
		n.Peers = append(n.Peers, shown)
	}
	for _, p := range s.Plains {
		n.Peers = append(n.Peers, plain(p, live, now))
	}
	return n
}

// policy is what the filter applies and has done.
func policy(s *engine.Status) local.Policy {
	p := local.Policy{Version: s.Rules.Number}
	if s.Rules.Filter == nil {
		return p
	}
	c := s.Rules.Filter.Counters()
	p.Flows = c.Flows
	for _, by := range []map[string]uint64{c.DroppedIn, c.DroppedOut} {
		for _, n := range by {
			p.Denied += n
		}
	}
	return p
}

func problem(p *session.Problem) *local.Problem {
	if p == nil {
		return nil
	}
	return &local.Problem{Code: p.Code, What: p.What, Hint: p.Hint}
}

// self is this node: as the map shows it, else as it was at the join.
func (m *member) self(s *engine.Status) local.Node {
	if s != nil && s.Known {
		n := node(s.Self.Record)
		n.User = s.Self.User
		return n
	}
	meta := m.state.Meta()
	if r, err := control.ParseRecord(meta.Record); err == nil {
		return node(r)
	}
	return local.Node{ID: meta.Node.String(), Addresses: []netip.Addr{}, Key: m.state.WG.Public().String()}
}

func node(r control.Record) local.Node {
	n := local.Node{ID: r.Node.String(), Name: r.Name, Addresses: []netip.Addr{}, Tags: r.Tags, Key: r.WG.String()}
	for _, a := range []netip.Addr{r.Address4, r.Address6} {
		if a.IsValid() {
			n.Addresses = append(n.Addresses, a)
		}
	}
	return n
}

func (m *member) address(live string) string {
	if meta := m.state.Meta(); live == "" && len(meta.Addresses) > 0 {
		return meta.Addresses[0]
	}
	return live
}

// badClock is by how much this machine's clock may differ from the controller's before that is told.
const badClock = time.Minute

// clockWarnings say that the clock is wrong.
func (m *member) clockWarnings() []local.Problem {
	if e, _ := m.alive(); e != nil {
		return clockWarning(e.ControllerAhead())
	}
	return nil
}

// clockWarning is of the controller's clock less ours, if that is known.
func clockWarning(ahead time.Duration, told bool) []local.Problem {
	if !told || ahead.Abs() < badClock {
		return nil
	}
	way := "behind"
	if ahead < 0 {
		way = "ahead of"
	}
	return []local.Problem{{Code: "clock-wrong", What: fmt.Sprintf("this machine's clock is %s %s the controller's", words.Span(ahead.Abs()), way),
		Hint: "set it, and have it follow a time server (timedatectl): certificates, and rules with hours, are judged by it"}}
}

func (m *member) controller(s *engine.Status) local.Controller {
	c := local.Controller{Address: m.address(s.Session.Address), Connected: s.Session.Phase == session.Connected, Transport: string(s.Session.Transport), MapVersion: s.MapVersion}
	if p := s.Session.Problem; p != nil {
		c.Problem = p.What
	}
	c.LastContact, c.CertUntil, c.CrossUntil = instant(s.Session.Contact), instant(s.Session.CertUntil), instant(crossUntil(m.cross()))
	if c.Connected {
		c.Since, c.Proxy = instant(s.Session.Since), s.Session.Proxy
	}
	return c
}

func peer(p *netmap.Peer, live map[key.WGPublic]tunnel.PeerState, now time.Time) local.Peer {
	out := local.Peer{Node: node(p.Record), Online: p.Soft.Online, LastSeen: instant(p.Soft.LastSeen), Protocol: protocolWG, Path: local.PathIdle,
		Candidates: slices.Clone(p.Soft.Endpoints)}
	out.User = p.User
	reached(&out, p.Record.WG, live, now)
	return out
}

// carried tells that a relay leads to a peer; of one to whom nothing goes now it carries nothing.
func carried(out *local.Peer, relay string) {
	out.Endpoint = nil
	if out.Path != local.PathIdle {
		out.Path, out.Relay = local.PathRelay, relay
	}
}

// speaks adds what is to be spoken with a peer, and why; self and other are what the two can.
func speaks(out *local.Peer, c netmap.Choice, self, other control.Speech) {
	out.Why, out.Closed = c.Why.String(), c.Fault(self, other)
	if c.By != 0 {
		out.Chosen = c.By.String()
	}
}

// plain tells of a device without an agent what a peer's path is.
func plain(p *control.Plain, live map[key.WGPublic]tunnel.PeerState, now time.Time) local.Peer {
	out := local.Peer{Node: local.Node{ID: p.ID.String(), Name: p.Name, Addresses: []netip.Addr{}, Key: p.WG.String()}, Kind: local.PlainPeer,
		Protocol: protocolWG, Path: local.PathIdle}
	for _, h := range p.Hosts() {
		out.Addresses = append(out.Addresses, h.Addr())
	}
	if p.Endpoint.IsValid() {
		out.Candidates = []netip.AddrPort{p.Endpoint}
	}
	reached(&out, p.WG, live, now)
	return out
}

// reached adds what the tunnel knows of a peer.
func reached(out *local.Peer, k key.WGPublic, live map[key.WGPublic]tunnel.PeerState, now time.Time) {
	s, ok := live[k]
	if !ok {
		return
	}
	out.Protocol, out.Cipher = s.Protocol, s.Cipher
	if out.Cipher == "" && s.Protocol == protocolWG && !s.SessionSince.IsZero() {
		out.Cipher = cipherWG
	}
	out.LastHandshake, out.RxBytes, out.TxBytes = instant(s.LastHandshake), s.RxBytes, s.TxBytes
	if s.Endpoint.IsValid() {
		out.Endpoint = &s.Endpoint
		if now.Sub(s.LastHandshake) < sessionLife || s.Protocol == local.IPsecProtocol && !s.SessionSince.IsZero() {
			out.Path = local.PathDirect
		}
	}
}

// instant makes what is unknown absent in JSON.
func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
