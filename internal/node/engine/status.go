package engine

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/core/netmap"
	"github.com/cvlan/cvlan/internal/node/flow"
	"github.com/cvlan/cvlan/internal/node/session"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/proto/control"
)

// State says how far a membership is.
type State string

// The states.
const (
	Starting  State = "starting"   // no map yet, or coming up
	Pending   State = "pending"    // waits for approval
	Up        State = "up"         // tunnel up, controller connected
	Offline   State = "offline"    // tunnel up with the last map, controller away
	NeedsJoin State = "needs-join" // removed, cloned or expired
	Failed    State = "failed"     // cannot come up; Problem says why
)

// Status is a membership at one moment. It never changes once it is published; Live asks the tunnel for what moves.
type Status struct {
	State    State
	Problem  *session.Problem
	Warnings []session.Problem

	Known      bool // there is a map: Network and Self are set
	Network    netmap.Network
	Self       netmap.Self
	Peers      []*netmap.Peer   // by name
	Plains     []*control.Plain // by name
	Relays     []control.Relay  // by identifier
	MapVersion uint64
	Rules      Rules

	Routes  []Route // by prefix
	Serving Serving
	Exit    Exit
	Ways    []Way // by node

	Interface string // "": there is none
	Port      uint16
	Kernel    bool  // the kernel carries ESP where it can
	NoKernel  error // why it does not, though it was to
	MTU       int
	Session   session.State

	tunnel    Tunnel
	directory *directory
}

// Rules are what policy lets the node do.
type Rules struct {
	Name   uint64 // of the charter that the filter applies; 0: it has none, and nothing passes
	Number uint64 // of the document that the rules are numbered in
	Filter *flow.Table
}

// Choice is what is spoken with a node now; false: the tunnel does not know it.
func (s *Status) Choice(n ident.Node) (netmap.Choice, bool) {
	if s.directory == nil {
		return netmap.Choice{}, false
	}
	m, ok := s.directory.node(n)
	return m.Choice, ok
}

// Live returns what the tunnel knows of its peers now; nil without a tunnel.
func (s *Status) Live() map[key.WGPublic]tunnel.PeerState {
	if s.tunnel == nil {
		return nil
	}
	all := s.tunnel.Peers()
	m := make(map[key.WGPublic]tunnel.PeerState, len(all))
	for _, p := range all {
		m[p.Key] = p
	}
	return m
}

// Tunnel returns what the tunnel knows of itself and its peers now; nothing without a tunnel.
func (s *Status) Tunnel() (tunnel.State, []tunnel.PeerState) {
	if s.tunnel == nil {
		return tunnel.State{}, nil
	}
	return s.tunnel.State(), s.tunnel.Peers()
}

// Guide is who finds the ways to nodes; nil: there is none.
func (s *Status) Guide() Guide {
	if s.tunnel == nil {
		return nil
	}
	return s.tunnel.Guide()
}

// publishEvery is the least time between two snapshots.
const publishEvery = 100 * time.Millisecond

// expiryWarning is how long before its end a certificate that could not be renewed is worth a warning.
const expiryWarning = 14 * 24 * time.Hour

// changed asks for a snapshot: at once, or when publishEvery has passed.
func (e *Engine) changed() {
	if e.publishAt.IsZero() {
		e.publishAt = e.published.Add(publishEvery)
	}
}

// publish makes a snapshot and tells that there is one.
func (e *Engine) publish() {
	e.publishAt, e.published = time.Time{}, time.Now()
	s := &Status{directory: e.directory, Session: e.session.State(), MapVersion: e.table.Cursor().GetHard()}
	s.Network, s.Known = e.table.Network()
	s.Self, _ = e.table.Self()
	s.Peers, s.Plains, s.Relays = e.peers(), e.plains(), slices.Collect(e.table.Relays())
	s.Rules = Rules{Name: e.rules.name, Filter: e.rules.table}
	if e.rules.charter != nil {
		s.Rules.Number = e.rules.charter.Number
	}
	if e.dev != nil {
		s.Interface, s.Port, s.MTU, s.tunnel = e.dev.name, e.dev.tunnel.Port(), e.dev.mtu, e.dev.tunnel
		s.Kernel, s.NoKernel = e.dev.tunnel.Kernel()
	}
	s.Routes = slices.Clone(e.routing.list)
	s.Exit, s.Ways = e.routing.exit, e.ways()
	s.Serving = Serving{Offered: e.cfg.Offers, Problem: e.routing.fault}
	for _, r := range e.cfg.Offers {
		if e.dev != nil && !e.leads(r) {
			s.Serving.Nowhere = append(s.Serving.Nowhere, r)
		}
	}
	for _, r := range s.Self.Routes {
		if slices.Contains(e.cfg.Offers, r) {
			s.Serving.Approved = append(s.Serving.Approved, r)
		}
	}
	s.State, s.Problem = e.judge(s)
	s.Warnings = e.warnings(s)
	e.status.Store(s)
	if e.cfg.Changed != nil {
		e.cfg.Changed()
	}
}

// peers returns the map's peers by name; the slice is kept until the map changes.
func (e *Engine) peers() []*netmap.Peer {
	if e.listed == nil {
		e.listed = slices.SortedFunc(e.table.Peers(), func(a, b *netmap.Peer) int {
			return cmp.Or(cmp.Compare(a.Record.Name, b.Record.Name), cmp.Compare(a.Record.Node, b.Record.Node))
		})
	}
	return e.listed
}

// plains returns the map's plain devices by name.
func (e *Engine) plains() []*control.Plain {
	return slices.SortedFunc(e.table.Plains(), func(a, b *control.Plain) int { return cmp.Compare(a.Name, b.Name) })
}

// judge says in one word, and a problem, how the membership is.
func (e *Engine) judge(s *Status) (State, *session.Problem) {
	switch {
	case s.Session.Verdict != session.Fine:
		return NeedsJoin, s.Session.Problem
	case e.failure != nil:
		return Failed, e.failure
	case s.Known && s.Self.Pending:
		return Pending, nil
	case s.tunnel == nil:
		return Starting, s.Session.Problem
	case s.Session.Phase != session.Connected:
		return Offline, s.Session.Problem
	default:
		return Up, nil
	}
}

// warnings lists what is wrong though the membership works.
func (e *Engine) warnings(s *Status) (all []session.Problem) {
	if p := s.Session.Problem; s.Session.Phase == session.Connected && p != nil {
		all = append(all, *p)
	}
	now := e.clock.Now()
	if ahead, told := e.clock.Ahead(); told {
		now = now.Add(min(ahead, 0)) // a clock that is ahead ends no certificate; that it is wrong is told
	}
	if end := s.Session.CertUntil; end.Sub(now) < expiryWarning && s.Session.Verdict == session.Fine && !end.IsZero() {
		ends := "ends"
		if now.After(end) {
			ends = "ended"
		}
		all = append(all, session.Problem{Code: "certificate-expiring",
			What: fmt.Sprintf("this node's certificate %s on %s and has not been renewed", ends, end.UTC().Format(time.DateOnly)),
			Hint: "it renews itself when the controller can be reached; look at the daemon's log"})
	}
	if s.NoKernel != nil {
		all = append(all, session.Problem{Code: "kernel-esp-unavailable", What: "the kernel does not carry IPsec, the daemon does: " + s.NoKernel.Error(),
			Hint: "load the modules esp4, esp6 and xfrm_interface and restart the daemon, or: sudo cvlan set ipsec-backend userspace"})
	}
	if e.noPort != nil {
		all = append(all, session.Problem{Code: "port-not-changed", What: e.noPort.Error(), Hint: "see who has it (ss -ulpn), or choose another: sudo cvlan set port NUMBER"})
	}
	if e.unsaved != nil {
		all = append(all, problemOf("state-not-saved", e.unsaved))
	}
	all = append(all, e.routeWarnings()...)
	refused, first, why := 0, "", ""
	for id, w := range e.table.Refused() {
		if refused++; refused == 1 {
			first, why = id.String(), w
		}
	}
	for id, w := range e.table.RefusedPlains() {
		if refused++; refused == 1 {
			first, why = id.String(), w
		}
	}
	if refused > 0 {
		all = append(all, session.Problem{Code: "peers-refused",
			What: fmt.Sprintf("%d of the map's entries cannot be used; the first is %s: %s", refused, first, why),
			Hint: "ask the controller's operator"})
	}
	return all
}

// addresses returns a node's own, each with its range's length.
func addresses(n netmap.Network, s netmap.Self) (own, ranges []netip.Prefix) {
	add := func(a netip.Addr, r netip.Prefix) {
		if r.IsValid() {
			ranges = append(ranges, r)
		}
		if a.IsValid() && r.IsValid() {
			own = append(own, netip.PrefixFrom(a, r.Bits()))
		}
	}
	add(s.Record.Address4, n.Range4)
	add(s.Record.Address6, n.Range6)
	return own, ranges
}
