package engine

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/core/netmap"
	"github.com/cvlan/cvlan/internal/node/session"
	"github.com/cvlan/cvlan/internal/sys/osnet"
	"github.com/cvlan/cvlan/policy/compile"
	"github.com/cvlan/cvlan/proto/control"
)

// This file is what of networks behind nodes a membership does: as a router it passes packets on to those that are approved; for others' it chooses a router
// for each, and has the host send there what is for them. A prefix goes to the host only where it hides nothing that the host has.

// Route is what has come of a prefix that is behind others.
type Route struct {
	Prefix  netip.Prefix
	Via     ident.Node   // the router that is used, or would be
	Standby []ident.Node // further ones, the next first
	State   RouteState
	Why     string // for people; "": nothing to tell
}

// RouteState says what has come of a prefix.
type RouteState string

// The states.
const (
	RouteInUse  RouteState = "in-use"
	RouteAway   RouteState = "router-away" // in use, and nobody answers who could carry it
	RouteClash  RouteState = "clash"       // the host has otherwise what it would hide
	RouteOff    RouteState = "off"         // this node was told to use none
	RouteOwn    RouteState = "own"         // this node offers it too: it is there already
	RouteFailed RouteState = "failed"      // the host does not take it
)

// Serving is what has come of what this node offers.
type Serving struct {
	Offered  []netip.Prefix
	Approved []netip.Prefix // of them
	Nowhere  []netip.Prefix // of them: this node has no way there itself
	Problem  error          // why packets are not passed on; nil: they are, or nothing is approved
}

// routing is what the engine does with prefixes.
type routing struct {
	via     map[netip.Prefix]ident.Node // in force
	list    []Route                     // by prefix
	given   []netip.Prefix              // what the host has of them
	failed  error                       // why the host has none of them
	sources []netip.Prefix              // the tunnel takes packets from
	served  osnet.Forwarding            // the host passes on
	fault   error                       // why it does not
	watch   watch

	exit             Exit
	uplink4, uplink6 bool // this node has a way to the internet; looked for only if it offers that
}

// behind are the ranges of a peer's that go to it, and those from which it may send besides.
func (e *Engine) behind(p *netmap.Peer) (routed, besides []netip.Prefix) {
	for _, r := range p.Routes() {
		switch via, used := e.routing.via[r]; {
		case isExit(r):
			if e.exitOf(p) {
				routed = append(routed, compile.Reach([]netip.Prefix{r})...)
			}
		case !used:
		case via == p.Record.Node:
			routed = append(routed, r)
		default:
			besides = append(besides, r)
		}
	}
	return routed, besides
}

// reroute chooses routers anew, tells the tunnel of those for whom that changes something, and then the host.
// After a change of the host's own network it is told again what it is to pass on: somebody may have turned off what that needs.
func (e *Engine) reroute(again bool) {
	if e.dev == nil || e.dev.config.Interface == "" {
		return
	}
	routers := e.routers()
	if again {
		e.lookOut()
	}
	was, exit := e.routing.via, e.routing.exit
	e.routing.exit = e.seekExit()
	e.routing.list = e.sortOut(routers)
	e.routing.via = map[netip.Prefix]ident.Node{}
	for _, r := range e.routing.list {
		if r.State == RouteInUse || r.State == RouteAway {
			e.routing.via[r.Prefix] = r.Via
		}
	}
	if x := e.routing.exit; x.Node != 0 {
		e.routing.via[everything4], e.routing.via[everything6] = x.Node, x.Node
	}
	e.retell(was)
	e.pave(again)
	e.serve(again)
	e.routing.watch.set(e.routing.list, e.routing.exit.Node)
	if e.routing.exit != exit {
		e.changed()
	}
}

// routers are who has which prefix, but for exit nodes.
func (e *Engine) routers() map[netip.Prefix][]*netmap.Peer {
	all := map[netip.Prefix][]*netmap.Peer{}
	for p := range e.table.Peers() {
		for _, r := range p.Routes() {
			if !isExit(r) {
				all[r] = append(all[r], p)
			}
		}
	}
	return all
}

// sortOut says what is to come of each prefix.
func (e *Engine) sortOut(routers map[netip.Prefix][]*netmap.Peer) []Route {
	list := make([]Route, 0, len(routers))
	self, _ := e.table.Self()
	for prefix, who := range routers {
		r := Route{Prefix: prefix, State: RouteInUse}
		e.elect(&r, who)
		switch {
		case slices.Contains(self.Routes, prefix) || slices.Contains(e.cfg.Offers, prefix):
			r.State, r.Why = RouteOwn, "this node offers it too"
		case e.cfg.NoRoutes:
			r.State, r.Why = RouteOff, "accept-routes is off"
		}
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b Route) int { return control.CompareRoutes(a.Prefix, b.Prefix) })
	e.clashes(list)
	return list
}

// elect puts routers in order. The one in use stays while no other is better.
func (e *Engine) elect(r *Route, who []*netmap.Peer) {
	slices.SortFunc(who, func(a, b *netmap.Peer) int {
		return cmp.Or(e.grade(b)-e.grade(a), later(a.Record.Node != e.routing.via[r.Prefix], b.Record.Node != e.routing.via[r.Prefix]), cmp.Compare(a.Record.Node, b.Record.Node))
	})
	for _, p := range who[1:] {
		r.Standby = append(r.Standby, p.Record.Node)
	}
	if r.Via = who[0].Record.Node; e.grade(who[0]) == 0 {
		r.State, r.Why = RouteAway, "no router of it answers"
	}
}

func later(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// grade says how good a router is: 0 if it does not answer, 1 if the controller does not see it, 2 if it is there. While the controller is away nobody is
// seen, and nobody is worse for it.
func (e *Engine) grade(p *netmap.Peer) int {
	switch {
	case e.routing.watch.silent(p.Record.Node):
		return 0
	case !p.Soft.Online && e.session.State().Phase == session.Connected:
		return 0
	case !p.Soft.Online:
		return 1
	}
	return 2
}

// clashes marks the prefixes that would hide something of the host's, or of another membership's.
func (e *Engine) clashes(list []Route) {
	ok := func(r *Route) bool { return r.State == RouteInUse || r.State == RouteAway }
	for i := range list {
		if r := &list[i]; ok(r) {
			if t := e.cfg.Ledger.crosses(uint64(e.cfg.Membership.Network), r.Prefix); t != nil {
				r.State, r.Why = RouteClash, t.Error()
			}
		}
	}
	for range len(list) { // each time at least one is struck out
		var wanted []netip.Prefix
		for i := range list {
			if ok(&list[i]) {
				wanted = append(wanted, list[i].Prefix)
			}
		}
		if len(wanted) == 0 {
			return
		}
		found, err := e.cfg.Outside.Host.Clashes(wanted, e.cfg.Ledger.interfaces()...)
		if err != nil {
			e.log.Warn("clashing routes not looked for", logx.Err, err)
			return
		}
		struck := false
		for _, c := range found {
			for i := range list {
				if r := &list[i]; ok(r) && r.Prefix.Overlaps(c.Range) {
					r.State, r.Why, struck = RouteClash, fmt.Sprintf("it overlaps %s, which this machine has on %s", c.Range, c.On), true
				}
			}
		}
		if !struck {
			return
		}
	}
}

// retell has the tunnel know of peers whose ranges have changed. Who gains one is told first: then it goes over, and is at no moment nobody's.
func (e *Engine) retell(was map[netip.Prefix]ident.Node) {
	now := e.routing.via
	var gain, lose []*netmap.Peer
	for p := range e.table.Peers() {
		gains, loses := false, false
		for _, r := range p.Routes() {
			before, had := was[r]
			after, has := now[r]
			switch {
			case had == has && before == after:
			case has && after == p.Record.Node:
				gains = true
			default:
				loses = true
			}
		}
		switch {
		case gains:
			gain = append(gain, p)
		case loses:
			lose = append(lose, p)
		}
	}
	for _, p := range append(gain, lose...) {
		e.setPeer(p)
	}
	for r, via := range now {
		if before, had := was[r]; !had || before != via {
			e.log.Info("route", "prefix", r.String(), "router", via.String())
			e.changed()
		}
	}
	for r := range was {
		if _, has := now[r]; !has {
			e.log.Info("route gone", "prefix", r.String())
			e.changed()
		}
	}
}

// pave has the host send to the tunnel what is for prefixes that are in use, and no others. One that it does not take costs the membership nothing.
func (e *Engine) pave(again bool) {
	wanted := make([]netip.Prefix, 0, len(e.routing.via))
	for r := range e.routing.via {
		if !isExit(r) {
			wanted = append(wanted, r)
		}
	}
	exit := e.leaves()
	slices.SortFunc(wanted, control.CompareRoutes)
	if slices.Equal(wanted, e.routing.given) && sameExit(exit, e.dev.config.Exit) && (exit == nil || !again) {
		e.routing.blame()
		return
	}
	c, noExit, err := e.equip(wanted, exit)
	if noExit != nil {
		e.routing.exit.State, e.routing.exit.Why = ExitFailed, noExit.Error()
	}
	e.dev.config, e.routing.given, e.routing.failed = c, c.Routes, err
	e.cfg.Ledger.route(uint64(e.cfg.Membership.Network), c.Routes)
	e.routing.blame()
	e.changed()
}

// equip gives the host routes and an exit, or of them what it takes.
func (e *Engine) equip(routes []netip.Prefix, exit *osnet.Exit) (c osnet.Config, noExit, noRoutes error) {
	c = e.dev.config
	up := func(routes []netip.Prefix, exit *osnet.Exit) error {
		c.Routes, c.Exit = routes, exit
		return e.cfg.Outside.Host.Up(c)
	}
	err := up(routes, exit)
	if err != nil && exit != nil {
		if up(routes, nil) == nil {
			e.log.Warn("exit not set", logx.Interface, c.Interface, logx.Err, err)
			return c, err, nil
		}
	}
	if err == nil {
		return c, nil, nil
	}
	e.log.Warn("routes not set", logx.Interface, c.Interface, logx.Err, err)
	if err2 := up(nil, exit); err2 != nil {
		e.log.Warn("interface not set up again", logx.Interface, c.Interface, logx.Err, err2)
		if exit != nil {
			_ = up(nil, nil) // the log says already what is wrong
			return c, err2, err
		}
	}
	return c, nil, err
}

// blame says of each route that it is not in force if the host has none.
func (r *routing) blame() {
	for i := range r.list {
		if x := &r.list[i]; r.failed != nil && (x.State == RouteInUse || x.State == RouteAway) {
			x.State, x.Why = RouteFailed, r.failed.Error()
		}
	}
}

// serve has the host pass on what is for the approved prefixes of this node, and the tunnel take packets from there.
func (e *Engine) serve(again bool) {
	self, _ := e.table.Self()
	var to []netip.Prefix
	for _, r := range self.Routes {
		if slices.Contains(e.cfg.Offers, r) && e.leads(r) {
			to = append(to, r)
		}
	}
	if !slices.Equal(to, e.routing.sources) {
		e.dev.tunnel.SetSources(bare(e.dev.config.Addresses), compile.Reach(to)...)
		e.routing.sources = to
		e.changed()
	}
	want := osnet.Forwarding{Interface: e.dev.name, To: to, Masquerade: !e.cfg.NoMasquerade}
	same := slices.Equal(to, e.routing.served.To) && want.Masquerade == e.routing.served.Masquerade
	if same && (len(to) == 0 || !again) && e.routing.fault == nil {
		return
	}
	err := e.cfg.Outside.Host.Forward(want)
	if err != nil && (e.routing.fault == nil || e.routing.fault.Error() != err.Error()) {
		e.log.Warn("packets are not passed on", logx.Interface, e.dev.name, logx.Err, err)
	}
	if (err == nil) != (e.routing.fault == nil) || !slices.Equal(to, e.routing.served.To) {
		e.changed()
	}
	if e.routing.served, e.routing.fault = want, err; err != nil {
		e.routing.served.To = nil
	}
}

// unroute forgets everything: the device is gone, and with it what the host had.
func (e *Engine) unroute() {
	e.routing = routing{uplink4: e.routing.uplink4, uplink6: e.routing.uplink6}
	e.cfg.Ledger.route(uint64(e.cfg.Membership.Network), nil)
}

// ofRoutes reports whether an event concerns who routes what.
func ofRoutes(v netmap.Event) bool {
	switch {
	case v.Kind == netmap.SelfChanged || v.Kind == netmap.NetworkChanged:
		return true
	case v.Peer != nil && len(v.Peer.Routes()) > 0, v.Was != nil && len(v.Was.Routes()) > 0:
		return true
	}
	return false
}

// offer tells the session what this node offers.
func (e *Engine) offer() {
	n, known := e.table.Network()
	var all []netip.Prefix
	for _, r := range e.cfg.Offers {
		if e.leads(r) && (!known || control.CheckRoute(r, n.Range4, n.Range6) == nil) {
			all = append(all, r)
		}
	}
	e.session.Offer(all)
}

// routeWarnings lists what is wrong with routes.
func (e *Engine) routeWarnings() (all []session.Problem) {
	if e.routing.fault != nil {
		all = append(all, problemOf("routes-not-served", fmt.Errorf("packets for networks behind this machine are not passed on: %w", e.routing.fault)))
	}
	if e.routing.failed != nil {
		all = append(all, problemOf("routes-not-set", errors.Join(e.routing.failed)))
	}
	for _, r := range e.routing.list {
		if r.State == RouteClash {
			all = append(all, session.Problem{Code: "route-clash", What: fmt.Sprintf("%s behind a router of the network cannot be used here: %s", r.Prefix, r.Why),
				Hint: "leave the other network, or use no routes here: sudo cvlan set accept-routes off; or ask the router's admin for another prefix"})
			break
		}
	}
	all = append(all, e.exitWarnings()...)
	n, known := e.table.Network()
	for _, r := range e.cfg.Offers {
		if err := control.CheckRoute(r, n.Range4, n.Range6); known && err != nil {
			all = append(all, session.Problem{Code: "route-not-offered", What: "a route is not offered: " + err.Error(), Hint: "withdraw it: sudo cvlan route withdraw " + r.String()})
			break
		}
	}
	return all
}

// Timing of the watch over routers.
const (
	// watchEvery is how often the traffic with routers is looked at for which there are others.
	watchEvery = 500 * time.Millisecond
	// answerWithin is how long a router may take that is asked whether it is there.
	answerWithin = 700 * time.Millisecond
	// shunFor is for how long a router that did not answer is used only if there is no other.
	shunFor = 30 * time.Second
)
