package compile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/gaissmai/bart"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/policy/acl"
	"github.com/cvlan/cvlan/policy/filter"
)

// Plan is what one node needs to make its filter at any time, without a controller: a filter.Spec whose lists are entries still, because
// windows open and close.
type Plan struct {
	Generation      uint64
	Local, Remote   []filter.Place
	Locals, Remotes int
	In, Out         []filter.Pair // [local*Remotes + remote]; List is an index of Profiles
	Profiles        [][]uint32    // indexes of Entries; Profiles[0] is empty
	Entries         []Entry
	Windows         []acl.Window
}

// Plan makes a node's Plan. It has rules only for those whom the node sees.
func (n *Network) Plan(id ident.Node, generation uint64) (*Plan, bool) {
	r := n.nodes[id]
	if r == nil {
		return nil, false
	}
	peers := n.Peers(id, nil)
	nodes := make([]*Node, len(peers))
	for i, p := range peers {
		nodes[i] = &n.nodes[p].Node
	}
	return n.plan(&r.Node, nodes, generation), true
}

// PlanBetween makes the Plan that a node would have if it saw only some peers. Neither need be in the directory: this is how a
// question that begins with "if" is answered.
func (n *Network) PlanBetween(local Node, peers ...Node) *Plan {
	nodes := make([]*Node, len(peers))
	for i := range peers {
		nodes[i] = &peers[i]
	}
	return n.plan(&local, nodes, 0)
}

// planner collects a Plan.
type planner struct {
	n        *Network
	plan     *Plan
	me       *class
	meNode   *Node
	locals   []uint32 // local class -> face; 0 is the node itself
	remotes  []remote
	index    map[remote]uint32
	profiles map[string]uint32
	entries  map[uint32]uint32 // of the rules -> of the plan
	windows  map[uint32]uint32
	ipsec    map[remote]bool // by class and self: the pair's only way
}

// remote is one class of remote addresses.
type remote struct {
	face  uint32
	self  bool // a node of the same user
	ipsec bool
}

func (n *Network) plan(local *Node, peers []*Node, generation uint64) *Plan {
	p := n.planner(n.classRef(local), local, &Plan{Generation: generation, Profiles: [][]uint32{nil}})
	p.local()
	p.peers(peers)
	p.pairs()
	return p.plan
}

func (n *Network) planner(me *class, node *Node, plan *Plan) *planner {
	return &planner{
		n: n, plan: plan, me: me, meNode: node,
		index: map[remote]uint32{}, profiles: map[string]uint32{"": 0}, entries: map[uint32]uint32{}, windows: map[uint32]uint32{},
		ipsec: map[remote]bool{},
	}
}

// classRef is the class of a node that may not be in the directory.
func (n *Network) classRef(x *Node) *class {
	if r := n.nodes[x.ID]; r != nil && &r.Node == x {
		return &n.classes[r.class]
	}
	return &n.classes[n.classify(x)]
}

func (p *planner) local() {
	p.locals = []uint32{p.me.main}
	for _, a := range p.meNode.Addrs {
		p.plan.Local = append(p.plan.Local, filter.Place{Prefix: netip.PrefixFrom(a, a.BitLen())})
	}
	index := map[uint32]uint32{}
	for _, r := range Reach(p.meNode.Routes) {
		for _, x := range p.n.rules.labels.split(r) {
			f := p.n.face(p.n.rules.labels.behind(x))
			at, ok := index[f]
			if !ok {
				at = uint32(len(p.locals))
				index[f] = at
				p.locals = append(p.locals, f)
			}
			p.plan.Local = append(p.plan.Local, filter.Place{Prefix: x, Class: at})
		}
	}
}

func (p *planner) peers(peers []*Node) {
	behind := map[netip.Prefix]bool{} // routes -> whether some router of it is reached only through IPsec
	var routes []netip.Prefix
	for _, x := range peers {
		c := p.n.classRef(x)
		self := sameUser(p.meNode, x)
		ipsec := p.needsIPsec(c, self)
		at := p.remote(remote{c.main, self, ipsec})
		for _, a := range x.Addrs {
			p.plan.Remote = append(p.plan.Remote, filter.Place{Prefix: netip.PrefixFrom(a, a.BitLen()), Class: at})
		}
		for _, r := range Reach(x.Routes) {
			if _, known := behind[r]; !known {
				routes = append(routes, r)
			}
			behind[r] = behind[r] || ipsec
		}
	}
	p.routed(routes, behind)
}

// routed places the prefixes behind routers. A piece of several routes goes the way of the longest.
func (p *planner) routed(routes []netip.Prefix, ipsec map[netip.Prefix]bool) {
	var ways bart.Table[bool]
	for _, r := range routes {
		ways.Insert(r, ipsec[r])
	}
	placed := map[netip.Prefix]bool{}
	for _, r := range routes {
		for _, x := range p.n.rules.labels.split(r) {
			if placed[x] {
				continue
			}
			placed[x] = true
			only, _ := ways.LookupPrefix(x)
			at := p.remote(remote{face: p.n.face(p.n.rules.labels.behind(x)), ipsec: only})
			p.plan.Remote = append(p.plan.Remote, filter.Place{Prefix: x, Class: at})
		}
	}
}

func (p *planner) remote(r remote) uint32 {
	if at, ok := p.index[r]; ok {
		return at
	}
	at := uint32(len(p.remotes))
	p.index[r] = at
	p.remotes = append(p.remotes, r)
	return at
}

// needsIPsec reports whether a rule requires IPsec between this node and those of a class.
func (p *planner) needsIPsec(c *class, self bool) bool {
	if !p.n.rules.ipsec {
		return false
	}
	key := remote{face: c.main, self: self}
	if len(c.routed) == 0 {
		if known, ok := p.ipsec[key]; ok {
			return known
		}
	}
	needs := false
	ask := func(x, y uint32, self bool) {
		for _, e := range p.n.rules.match(&p.n.faces[x], &p.n.faces[y], self, nil) {
			needs = needs || p.n.rules.entries[e].ipsec
		}
	}
	for _, x := range append([]uint32{p.me.main}, p.me.routed...) {
		for _, y := range append([]uint32{c.main}, c.routed...) {
			both := self && x == p.me.main && y == c.main
			ask(x, y, both)
			ask(y, x, both)
		}
	}
	if len(c.routed) == 0 {
		p.ipsec[key] = needs
	}
	return needs
}

func (p *planner) pairs() {
	p.plan.Locals, p.plan.Remotes = len(p.locals), len(p.remotes)
	for i, l := range p.locals {
		for _, r := range p.remotes {
			self := r.self && i == 0
			me, other := &p.n.faces[l], &p.n.faces[r.face]
			p.plan.In = append(p.plan.In, filter.Pair{List: p.profile(other, me, self), IPsec: r.ipsec})
			p.plan.Out = append(p.plan.Out, filter.Pair{List: p.profile(me, other, self), IPsec: r.ipsec})
		}
	}
}

// profile returns the number of what decides from one face to another.
func (p *planner) profile(src, dst *face, self bool) uint32 {
	matched := p.n.rules.match(src, dst, self, nil)
	var key []byte
	allows := false
	for _, e := range matched {
		key = binary.LittleEndian.AppendUint32(key, e)
		allows = allows || !p.n.rules.entries[e].Deny
	}
	if id, ok := p.profiles[string(key)]; ok {
		return id
	}
	id := uint32(len(p.plan.Profiles))
	p.profiles[string(key)] = id
	list := make([]uint32, len(matched))
	for i, e := range matched {
		list[i] = p.entry(e)
	}
	p.plan.Profiles = append(p.plan.Profiles, list)
	return id
}

func (p *planner) entry(e uint32) uint32 {
	if at, ok := p.entries[e]; ok {
		return at
	}
	x := p.n.rules.entries[e].Entry
	if w := x.Window; w != 0 {
		at, ok := p.windows[w]
		if !ok {
			p.plan.Windows = append(p.plan.Windows, p.n.rules.windows[w-1])
			at = uint32(len(p.plan.Windows))
			p.windows[w] = at
		}
		x.Window = at
	}
	at := uint32(len(p.plan.Entries))
	p.entries[e] = at
	p.plan.Entries = append(p.plan.Entries, x)
	return at
}

// Validate reports what would make At fail. A node asks, because its controller may be hostile; what is left filter.Spec.Validate
// finds.
func (p *Plan) Validate() error {
	if len(p.Profiles) == 0 || len(p.Profiles[0]) != 0 {
		return errors.New("policy: profile 0 is not empty")
	}
	for i, l := range p.Profiles {
		for _, e := range l {
			if int64(e) >= int64(len(p.Entries)) {
				return fmt.Errorf("policy: profile %d has entry %d of %d", i, e, len(p.Entries))
			}
		}
	}
	for i, e := range p.Entries {
		if int64(e.Window) > int64(len(p.Windows)) {
			return fmt.Errorf("policy: entry %d has window %d of %d", i, e.Window, len(p.Windows))
		}
		for _, s := range e.Services {
			if s.First > s.Last || s.Last > acl.AllServices {
				return fmt.Errorf("policy: entry %d has services %d to %d", i, s.First, s.Last)
			}
		}
	}
	for i := range p.Windows {
		if p.Windows[i].Zone == nil {
			return fmt.Errorf("policy: window %d has no time zone", i)
		}
	}
	return nil
}

// At makes the filter that is in force at an instant, and tells the next instant at which that changes: the zero Time if none.
func (p *Plan) At(t time.Time) (*filter.Spec, time.Time) {
	s := &filter.Spec{Generation: p.Generation, Local: p.Local, Remote: p.Remote, Locals: p.Locals, Remotes: p.Remotes, In: p.In, Out: p.Out}
	var next time.Time
	for i := range p.Windows {
		if c := p.Windows[i].Next(t); !c.IsZero() && (next.IsZero() || c.Before(next)) {
			next = c
		}
	}
	for _, l := range p.Profiles {
		entries := make([]*Entry, 0, len(l))
		for _, e := range l {
			x := &p.Entries[e]
			if x.Window == 0 || p.Windows[x.Window-1].Active(t) {
				entries = append(entries, x)
			}
		}
		s.Lists = append(s.Lists, paint(entries))
	}
	return s, next
}

// Opens reports whether a profile may allow something at some time: with windows that allow open, and those that deny closed.
func (p *Plan) Opens(profile uint32) bool {
	var entries []*Entry
	for _, e := range p.Profiles[profile] {
		if x := &p.Entries[e]; !x.Deny || x.Window == 0 {
			entries = append(entries, x)
		}
	}
	return slices.ContainsFunc(paint(entries), func(s filter.Span) bool { return !s.Deny })
}
