package compile

import (
	"iter"
	"net/netip"

	"github.com/gaissmai/bart"

	"github.com/cvlan/cvlan/policy/filter"
)

// Other is a peer as a node's map shows it, or the node itself.
type Other struct {
	Addrs  []netip.Addr
	Class  uint64
	User   string         // "" for a node with tags, or without an owner
	Routes []netip.Prefix // what is reached through it
}

// Plan makes the Plan of a node that sees these others. Who is of a class that the charter does not know may do nothing, and so may those that are behind it. Own's
// class is the charter's.
func (c *Charter) Plan(generation uint64, own Other, others iter.Seq[Other]) *Plan {
	p := &teller{
		charter: c, own: own, rows: make(map[relation]uint32, len(c.Rows)), locals: []*Face{nil}, remotes: make([]told, 0, len(c.Rows)+1),
		plan: &Plan{Generation: generation, Profiles: c.Profiles, Entries: c.Entries, Windows: c.Windows},
	}
	for i, r := range c.Rows {
		p.rows[relation{r.Class, r.Self}] = uint32(i)
		p.remotes = append(p.remotes, told{cell: i, ipsec: r.IPsec, main: Cell{r.In, r.Out}})
	}
	p.remotes = append(p.remotes, told{cell: nobody})
	p.local()
	p.others(others)
	p.pairs()
	return p.plan
}

// teller makes a Plan of a Charter.
type teller struct {
	charter *Charter
	own     Other
	plan    *Plan
	rows    map[relation]uint32
	locals  []*Face // of what is behind the node; the first is the node itself
	remotes []told
	zones   *bart.Table[uint32] // made when somebody routes something
}

// relation is to whom a row speaks.
type relation struct {
	class uint64
	self  bool
}

// told is one class of remote addresses.
type told struct {
	cell  int // where it stands in Face.Behind, or nobody
	ipsec bool
	main  Cell // what is allowed with the node itself
}

// nobody is who nothing is allowed with.
const nobody = -1

// local places the node's own addresses and what is behind it.
func (t *teller) local() {
	for _, a := range t.own.Addrs {
		t.plan.Local = append(t.plan.Local, filter.Place{Prefix: netip.PrefixFrom(a, a.BitLen())})
	}
	index := map[uint32]uint32{}
	t.pieces(Reach(t.own.Routes), func(x netip.Prefix, face uint32) {
		at, known := index[face]
		if !known {
			at = uint32(len(t.locals))
			index[face] = at
			t.locals = append(t.locals, t.face(face))
		}
		t.plan.Local = append(t.plan.Local, filter.Place{Prefix: x, Class: at})
	})
}

// face returns a face of the charter; nothing is allowed with one that it has not.
func (t *teller) face(i uint32) *Face {
	if int64(i) >= int64(len(t.charter.Faces)) {
		return &Face{}
	}
	return &t.charter.Faces[i]
}

// pieces calls f with each of some routes, and the zones inside them, and with the face of each: the longest that holds an address speaks for it.
func (t *teller) pieces(routes []netip.Prefix, f func(x netip.Prefix, face uint32)) {
	if len(routes) == 0 {
		return
	}
	if t.zones == nil {
		t.zones = t.charter.zoneTable()
	}
	var all bart.Lite
	for _, r := range routes {
		if all.Get(r) {
			continue
		}
		all.Insert(r)
		face, _ := t.zones.LookupPrefix(r)
		f(r, face)
	}
	for _, z := range t.charter.Zones {
		if all.LookupPrefix(z.Prefix) && !all.Get(z.Prefix) {
			f(z.Prefix, z.Face)
		}
	}
}

// others places whom the node sees, and what is behind them.
func (t *teller) others(others iter.Seq[Other]) {
	var behind bart.Table[bool] // whether some router of a prefix is reached only through IPsec
	var routes []netip.Prefix
	for o := range others {
		at := t.row(&o)
		for _, a := range o.Addrs {
			t.plan.Remote = append(t.plan.Remote, filter.Place{Prefix: netip.PrefixFrom(a, a.BitLen()), Class: at})
		}
		for _, r := range Reach(o.Routes) {
			only, known := behind.Get(r)
			if !known {
				routes = append(routes, r)
			}
			behind.Insert(r, only || t.remotes[at].ipsec)
		}
	}
	type place struct {
		face  uint32
		ipsec bool
	}
	index := map[place]uint32{}
	t.pieces(routes, func(x netip.Prefix, face uint32) {
		only, _ := behind.LookupPrefix(x)
		at, known := index[place{face, only}]
		if !known {
			at = uint32(len(t.remotes))
			index[place{face, only}] = at
			f := t.face(face)
			t.remotes = append(t.remotes, told{cell: len(t.charter.Rows) + int(face), ipsec: only, main: Cell{f.In, f.Out}})
		}
		t.plan.Remote = append(t.plan.Remote, filter.Place{Prefix: x, Class: at})
	})
}

// row returns the place of another node among the remotes.
func (t *teller) row(o *Other) uint32 {
	if t.own.User != "" && t.own.User == o.User {
		if at, ok := t.rows[relation{o.Class, true}]; ok {
			return at
		}
	}
	if at, ok := t.rows[relation{o.Class, false}]; ok {
		return at
	}
	return uint32(len(t.charter.Rows))
}

// pairs fills in what is allowed between each local and each remote class.
func (t *teller) pairs() {
	p := t.plan
	p.Locals, p.Remotes = len(t.locals), len(t.remotes)
	for _, l := range t.locals {
		for _, r := range t.remotes {
			cell := r.main
			if l != nil {
				cell = Cell{}
				if r.cell != nobody && r.cell < len(l.Behind) {
					cell = l.Behind[r.cell]
				}
			}
			ipsec := r.ipsec && r.cell != nobody
			p.In, p.Out = append(p.In, filter.Pair{List: cell.In, IPsec: ipsec}), append(p.Out, filter.Pair{List: cell.Out, IPsec: ipsec})
		}
	}
}
