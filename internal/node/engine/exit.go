package engine

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/core/netmap"
	"github.com/cvlan/cvlan/internal/node/session"
	"github.com/cvlan/cvlan/internal/sys/osnet"
	"github.com/cvlan/cvlan/policy/compile"
)

// This file is what of exits a membership does: the way to the internet through another node, which its owner names, and nobody else. While an exit is wanted
// nothing leaves beside it, whatever becomes of the node: it may be away, or not be an exit any more.

// Exit is what has come of the exit that the owner wants.
type Exit struct {
	Name  string     // as the owner wrote it; "": none is wanted
	Node  ident.Node // 0: there is none of that name that this node may use
	State ExitState
	Why   string // for people; "": nothing to tell
	IPv6  bool   // it takes IPv6 as well
	LAN   bool   // the local networks stay in reach
}

// ExitState says what has come of an exit.
type ExitState string

// The states. In all but the last nothing leaves beside the exit.
const (
	ExitInUse  ExitState = "in-use"
	ExitAway   ExitState = "away"   // it does not answer
	ExitNone   ExitState = "none"   // nobody of that name is one for this node
	ExitFailed ExitState = "failed" // the host does not do it: nothing leaves where a hold is kept (osnet.Host), else all does as without
)

// Way is a node that is an exit, for those whom policy lets.
type Way struct {
	Node       ident.Node
	IPv4, IPv6 bool
	Open       bool // policy lets this node reach something on the internet, now or at another time
}

// The routes that make an exit.
var (
	everything4 = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	everything6 = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
)

func isExit(p netip.Prefix) bool { return p.Bits() == 0 }

// seekExit finds the exit that is wanted.
func (e *Engine) seekExit() Exit {
	x := Exit{Name: e.cfg.Exit, LAN: e.cfg.ExitLAN}
	if x.Name == "" {
		return x
	}
	x.State, x.Why = ExitNone, fmt.Sprintf("no node %q is an exit that this machine may use", x.Name)
	for p := range e.table.Peers() {
		if p.Record.Name != x.Name && p.Record.Node.String() != x.Name || !slices.ContainsFunc(p.Routes(), isExit) {
			continue
		}
		self, _ := e.table.Self()
		x.Node, x.State, x.Why = p.Record.Node, ExitInUse, ""
		x.IPv6 = slices.Contains(p.Routes(), everything6) && self.Record.Address6.IsValid()
		if e.grade(p) == 0 {
			x.State, x.Why = ExitAway, "it does not answer"
		}
	}
	return x
}

// ways lists the exits in the map, by node.
func (e *Engine) ways() (all []Way) {
	for p := range e.table.Peers() {
		four, six := slices.Contains(p.Routes(), everything4), slices.Contains(p.Routes(), everything6)
		if four || six {
			all = append(all, Way{Node: p.Record.Node, IPv4: four, IPv6: six})
		}
	}
	if len(all) > 0 && e.opens() {
		for i := range all {
			all[i].Open = true
		}
	}
	slices.SortFunc(all, func(a, b Way) int { return cmp.Compare(a.Node, b.Node) })
	return all
}

// opens reports whether policy ever lets this node reach a public address.
func (e *Engine) opens() bool {
	if e.rules.plan == nil {
		return false
	}
	p, public := e.rules.plan, compile.Reach([]netip.Prefix{everything4, everything6})
	n, _ := e.table.Network()
	for _, r := range p.Remote {
		a := r.Prefix.Addr()
		if n.Range4.Contains(a) || n.Range6.Contains(a) || int(r.Class) >= p.Remotes {
			continue
		}
		if p.Opens(p.Out[r.Class].List) && slices.ContainsFunc(public, r.Prefix.Overlaps) {
			return true
		}
	}
	return false
}

// leaves is what the host is to do with traffic that is for nobody else.
func (e *Engine) leaves() *osnet.Exit {
	if x := e.routing.exit; x.Name != "" {
		return &osnet.Exit{IPv6: x.IPv6, LAN: x.LAN}
	}
	return nil
}

func sameExit(a, b *osnet.Exit) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// leads reports whether a prefix that this node offers leads anywhere: everything does where there is a way to the internet.
func (e *Engine) leads(p netip.Prefix) bool {
	return !isExit(p) || p.Addr().Is4() && e.routing.uplink4 || p.Addr().Is6() && e.routing.uplink6
}

// lookOut finds out whether this node has a way to the internet, if it offers one.
func (e *Engine) lookOut() {
	if !slices.ContainsFunc(e.cfg.Offers, isExit) {
		return
	}
	four, six, err := e.cfg.Outside.Host.Uplinks()
	if err != nil {
		e.log.Warn("ways to the internet not looked for", logx.Err, err)
		return
	}
	if four != e.routing.uplink4 || six != e.routing.uplink6 {
		e.routing.uplink4, e.routing.uplink6 = four, six
		e.offer()
		e.changed()
	}
}

// kernel reports whether the kernel is to carry ESP: not where an exit is wanted, whose table leads to the daemon before the routes to the kernel are asked.
func (e *Engine) kernel() bool { return e.cfg.Kernel && e.cfg.Exit == "" }

// exitWarnings lists what is wrong with exits.
func (e *Engine) exitWarnings() (all []session.Problem) {
	switch x := e.routing.exit; x.State {
	case ExitAway:
		all = append(all, session.Problem{Code: "exit-away", What: fmt.Sprintf("the exit %s does not answer, and nothing leaves beside it", x.Name),
			Hint: "wait for it, use another (cvlan exit list), or leave without one: sudo cvlan exit off"})
	case ExitNone:
		all = append(all, session.Problem{Code: "exit-unknown", What: x.Why + ", and nothing leaves beside it",
			Hint: "see which there are: cvlan exit list; or leave without one: sudo cvlan exit off"})
	case ExitFailed:
		p := problemOf("exit-not-set", fmt.Errorf("traffic does not leave through the exit %s: %s", x.Name, x.Why))
		all = append(all, p)
	}
	return all
}

// exitOf reports whether a peer is the exit in use.
func (e *Engine) exitOf(p *netmap.Peer) bool {
	return e.routing.exit.Node == p.Record.Node && p.Record.Node != 0
}
