package daemon

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/core/netmap"
	"github.com/cvlan/cvlan/internal/node/engine"
)

// member returns the membership of a network, or nil.
func (d *Daemon) member(id ident.Network) *member {
	for _, m := range d.all() {
		if m.id == id {
			return m
		}
	}
	return nil
}

// label is what people call a membership: its network's name, else the identifier.
func (m *member) label() string {
	if name, _, _ := m.names(); name != "" {
		return name
	}
	return m.id.String()
}

// names returns the network's name, its tenant's and its domain, as far as they are known.
func (m *member) names() (name, tenant, domain string) {
	if e, _ := m.alive(); e != nil {
		if s := e.Status(); s.Known {
			return s.Network.Name, s.Network.Tenant, s.Network.Domain
		}
	}
	if m.state == nil {
		return "", "", ""
	}
	last := m.state.Meta().Last
	return last.Name, last.Tenant, ""
}

// called reports whether a person may mean this membership: by id, name, name.tenant or domain.
func (m *member) called(s string) bool {
	name, tenant, domain := m.names()
	s = strings.TrimSuffix(strings.ToLower(s), ".")
	return s == m.id.String() || name != "" && (s == name || s == name+"."+tenant) || domain != "" && s == domain
}

// choose returns the memberships that a request names: one, or with "" all.
func (d *Daemon) choose(network string) ([]*member, error) {
	all := d.all()
	if len(all) == 0 {
		return nil, local.CodeNeedsJoin.Problem("find a network", "this machine is in none", "join one: sudo cvlan up --key-file FILE")
	}
	if network == "" {
		return all, nil
	}
	var named []*member
	for _, m := range all {
		if m.called(network) {
			named = append(named, m)
		}
	}
	shown := clean.Line(network, 80)
	switch len(named) {
	case 0:
		return nil, local.CodeNotFound.Problem("find network "+shown, "this machine is in no network of that name", "see which there are: cvlan status")
	case 1:
		return named, nil
	default:
		return nil, local.CodeAmbiguous.Problem("find network "+shown, fmt.Sprintf("this machine is in %d networks of that name", len(named)), "say which, by identifier: "+distinguished(named))
	}
}

// distinguished lists memberships by what no two have in common, and where each is from.
func distinguished(all []*member) string {
	var list []string
	for _, m := range all {
		_, tenant, _ := m.names()
		list = append(list, fmt.Sprintf("%s (of %s, by %s)", m.id, clean.Line(tenant, 80), m.address("")))
	}
	return strings.Join(list, ", ")
}

// target is a peer that was found, and where.
type target struct {
	m      *member
	s      *engine.Status
	name   string
	key    key.WGPublic
	online bool       // has a session with the controller
	addr   netip.Addr // to be used
	behind bool       // the address is not the peer's: it leads there
}

// dest is what a person calls the target.
func (t target) dest() string {
	if t.behind {
		return t.addr.String()
	}
	return t.name
}

// find looks for a peer by name, name.network, full name, address or identifier, in the memberships that are up.
func (d *Daemon) find(peer, network string) (target, error) {
	chosen, err := d.choose(network)
	if err != nil {
		return target{}, err
	}
	var found []target
	var seen scan
	for _, m := range chosen {
		e, _ := m.alive()
		if e == nil || !e.Status().Known {
			continue
		}
		found = append(found, seen.look(m, e.Status(), peer)...)
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return target{}, local.CodeAmbiguous.Problem("find peer "+clean.Line(peer, 80), fmt.Sprintf("%d networks have a node of that name", len(found)), "use NAME.NETWORK")
	}
	return target{}, seen.missing(clean.Line(peer, 80))
}

// findBehind looks for a peer as find does, and else for the one that leads to an address behind it.
func (d *Daemon) findBehind(peer, network string) (target, error) {
	t, fault := d.find(peer, network)
	a, err := netip.ParseAddr(peer)
	if fault == nil || err != nil {
		return t, fault
	}
	chosen, err := d.choose(network)
	if err != nil {
		return t, err
	}
	best := -1
	for _, m := range chosen {
		e, _ := m.alive()
		if e == nil {
			continue
		}
		s := e.Status()
		for _, r := range s.Routes {
			if (r.State != engine.RouteInUse && r.State != engine.RouteAway) || !r.Prefix.Contains(a) || r.Prefix.Bits() <= best {
				continue
			}
			for _, p := range s.Peers {
				if p.Record.Node == r.Via {
					best, t, fault = r.Prefix.Bits(), target{m, s, p.Record.Name, p.Record.WG, p.Soft.Online, a, true}, nil
				}
			}
		}
	}
	return t, fault
}

// scan remembers why a peer was not found.
type scan struct {
	up     bool   // a membership was looked at
	self   bool   // it is this machine
	closed string // a network that shows nobody
}

func (c *scan) look(m *member, s *engine.Status, peer string) (found []target) {
	c.up = true
	if s.Network.Closed {
		c.closed = s.Network.Name
	}
	if matches(peer, s.Self.Record.Node, s.Self.Record.Name, s.Network, s.Self.Record.Address4, s.Self.Record.Address6).IsValid() {
		c.self = true
	}
	for _, p := range s.Peers {
		if a := matches(peer, p.Record.Node, p.Record.Name, s.Network, p.Record.Address4, p.Record.Address6); a.IsValid() {
			found = append(found, target{m, s, p.Record.Name, p.Record.WG, p.Soft.Online, a, false})
		}
	}
	for _, p := range s.Plains {
		if a := matches(peer, p.ID, p.Name, s.Network, p.Address4, p.Address6); a.IsValid() {
			found = append(found, target{m, s, p.Name, p.WG, false, a, false})
		}
	}
	return found
}

func (c *scan) missing(peer string) error {
	verb := "find peer " + peer
	switch {
	case c.self:
		return local.CodeInvalid.Problem(verb, "that is this machine", "name another")
	case !c.up:
		return local.CodeUnreachable.Problem(verb, "no network is up", "see why: cvlan status; to bring them up: sudo cvlan up")
	case c.closed != "":
		return local.CodeDenied.Problem(verb, fmt.Sprintf("the network %s is closed: it shows no peers", c.closed), "an admin can open it: cvlan admin network open "+c.closed)
	default:
		return local.CodeNotFound.Problem(verb, "no network of this machine has it, or its rules hide it", "see which there are: cvlan peers")
	}
}

// matches returns the address to use if a person may mean this node or device, else an invalid one. IPv4 is preferred, unless an address was
// named.
func matches(s string, id fmt.Stringer, name string, n netmap.Network, a4, a6 netip.Addr) netip.Addr {
	if a, err := netip.ParseAddr(s); err == nil {
		if a = a.Unmap(); a == a4 || a == a6 {
			return a
		}
		return netip.Addr{}
	}
	s = strings.TrimSuffix(strings.ToLower(s), ".")
	if s != id.String() && s != name && s != name+"."+n.Name && s != name+"."+n.Name+"."+n.Tenant && s != name+"."+n.Domain {
		return netip.Addr{}
	}
	if a4.IsValid() {
		return a4
	}
	return a6
}
