package compile

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/cvlan/cvlan/policy/acl"
)

// Charter is what the nodes of one class may do, in the form in which they are told: rules by the class of the peer, without anybody's
// address. So it stays the same when nodes come and go, and all nodes of a class are told the same. With the class and the user of
// each peer, which its map shows, a node makes its Plan of it.
//
// Of addresses behind routers it speaks by zones: prefixes of the document's own selectors, so that it does not depend on who routes what. The longest zone that
// holds an address says which of the faces it has; what lies in no zone has none. There are zones only where somebody in sight routes something.
type Charter struct {
	Number   uint64 // of the document in which Entry.Rule counts; not part of the charter's name
	Rows     []Row  // ascending by class; a row for nodes of one user follows the general one
	Faces    []Face // 0 is that of addresses with which nothing is allowed
	Zones    []Zone // in the order of control.CompareRoutes
	Profiles [][]uint32
	Entries  []Entry
	Windows  []acl.Window
}

// Row is what is allowed between this node's class and another.
type Row struct {
	Class   uint64 // see Network.ClassName
	Self    bool   // in place of the general row between nodes of one user
	IPsec   bool   // through IPsec only
	In, Out uint32 // indexes of Profiles
}

func (r Row) compare(o Row) int {
	self := func(r Row) int {
		if r.Self {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(r.Class, o.Class), cmp.Compare(self(r), self(o)))
}

// Class returns the class of a node; it is a number that holds until Replace.
func (n *Network) Class(x *Node) (uint32, bool) {
	r := n.nodes[x.ID]
	if r == nil {
		return 0, false
	}
	return r.class, true
}

// ClassName names a class: a hash of the labels that its nodes have and what they route has, as far as the document's rules mention
// them. It depends on nothing else, so that it survives a restart, and another document that tells the same nodes apart.
func (n *Network) ClassName(class uint32) uint64 {
	c := &n.classes[class]
	if c.name == 0 {
		c.name = n.nameClass(c)
	}
	return c.name
}

func (n *Network) nameClass(c *class) uint64 {
	b := n.spellFace(nil, c.main)
	var routed [][]byte
	for _, f := range c.routed {
		routed = append(routed, n.spellFace(nil, f))
	}
	slices.SortFunc(routed, bytes.Compare) // faces are numbered as they come
	for _, f := range slices.CompactFunc(routed, bytes.Equal) {
		b = append(b, f...)
	}
	sum := sha256.Sum256(b)
	return nonzero(sum[:])
}

// spellFace appends the labels of a face that rules mention.
func (n *Network) spellFace(b []byte, f uint32) []byte {
	var names []string
	for l := range n.faces[f].labels.all() {
		if name := n.rules.name(l); name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, s := range names {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
	}
	return append(b, 0xff, 0xff, 0xff, 0xff)
}

// nonzero makes a name of a hash: zero means that there is none.
func nonzero(sum []byte) uint64 { return max(binary.BigEndian.Uint64(sum), 1) }

// Charter makes the charter of a class. Classes without nodes do not stand in it.
func (n *Network) Charter(class uint32, number uint64) *Charter {
	me := &n.classes[class]
	p := n.planner(me, nil, &Plan{Profiles: [][]uint32{nil}})
	c := &Charter{Number: number}
	seen := n.classesSeen(me)
	named := map[uint64]bool{}
	for j := range n.classes {
		other := &n.classes[j]
		name := n.ClassName(uint32(j))
		if len(other.members) == 0 || named[name] {
			continue
		}
		named[name] = true
		general, shown := Row{Class: name}, seen.has(j)
		if shown {
			general = p.row(other, name, false)
			c.Rows = append(c.Rows, general)
		}
		if len(n.rules.selfs) == 0 {
			continue
		}
		own, related := Row{Class: name, Self: true}, n.between(me, other, true)
		if related {
			own = p.row(other, name, true)
		}
		if (related || shown) && (own.In != general.In || own.Out != general.Out || own.IPsec != general.IPsec) {
			c.Rows = append(c.Rows, own)
		}
	}
	slices.SortFunc(c.Rows, Row.compare)
	p.zones(c, seen)
	c.Profiles, c.Entries, c.Windows = p.plan.Profiles, p.plan.Entries, p.plan.Windows
	c.tidy()
	return c
}

// row is what holds between the planner's class and another that it sees.
func (p *planner) row(other *class, name uint64, self bool) Row {
	mine, theirs := &p.n.faces[p.me.main], &p.n.faces[other.main]
	return Row{Class: name, Self: self, IPsec: p.needsIPsec(other, self), In: p.profile(theirs, mine, self), Out: p.profile(mine, theirs, self)}
}

// tidy numbers profiles in the order of rows, and entries in the order of profiles, so that equal charters are equal bytes. It leaves out
// what no row needs.
func (c *Charter) tidy() {
	profiles := map[uint32]uint32{0: 0}
	out := &Charter{Number: c.Number, Rows: c.Rows, Faces: c.Faces, Zones: c.Zones, Profiles: [][]uint32{nil}}
	entries, windows := map[uint32]uint32{}, map[uint32]uint32{0: 0}
	window := func(w uint32) uint32 {
		if _, ok := windows[w]; !ok {
			out.Windows = append(out.Windows, c.Windows[w-1])
			windows[w] = uint32(len(out.Windows))
		}
		return windows[w]
	}
	entry := func(e uint32) uint32 {
		if _, ok := entries[e]; !ok {
			x := c.Entries[e]
			x.Window = window(x.Window)
			entries[e] = uint32(len(out.Entries))
			out.Entries = append(out.Entries, x)
		}
		return entries[e]
	}
	profile := func(id uint32) uint32 {
		if _, ok := profiles[id]; !ok {
			list := make([]uint32, len(c.Profiles[id]))
			for i, e := range c.Profiles[id] {
				list[i] = entry(e)
			}
			profiles[id] = uint32(len(out.Profiles))
			out.Profiles = append(out.Profiles, list)
		}
		return profiles[id]
	}
	for i := range out.Rows {
		r := &out.Rows[i]
		r.In, r.Out = profile(r.In), profile(r.Out)
	}
	for i := range out.Faces {
		f := &out.Faces[i]
		f.In, f.Out = profile(f.In), profile(f.Out)
		for j, x := range f.Behind {
			f.Behind[j] = Cell{profile(x.In), profile(x.Out)}
		}
	}
	*c = *out
}

// Allows reports whether the charter may allow anything at all.
func (c *Charter) Allows() bool { return len(c.Rows) > 0 }

// NeedsIPsec reports whether a node of a user ("" for none) may speak with another by IPsec only.
func (c *Charter) NeedsIPsec(user string, o Other) bool {
	find := func(self bool) (Row, bool) {
		i, ok := slices.BinarySearchFunc(c.Rows, Row{Class: o.Class, Self: self}, Row.compare)
		if !ok {
			return Row{}, false
		}
		return c.Rows[i], true
	}
	if user != "" && user == o.User {
		if r, ok := find(true); ok {
			return r.IPsec
		}
	}
	r, _ := find(false)
	return r.IPsec
}
