package compile

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"github.com/gaissmai/bart"

	"github.com/cvlan/cvlan/proto/control"
)

// Zone is a prefix whose addresses, when they are behind a router, have a face, but for those in longer zones.
type Zone struct {
	Prefix netip.Prefix
	Face   uint32 // index of Charter.Faces
}

// Face is what is allowed with addresses behind routers that are the same to the nodes of a charter's class.
type Face struct {
	In, Out uint32 // indexes of Profiles: from there to the node itself, and back
	// Behind is the same for what the node has behind itself with this face: with each of Rows, then with each of Faces. It is empty if nodes of
	// the class have nothing of this face behind them, and none is what may pass there.
	Behind []Cell
}

// Cell is what is allowed between two sides; as In and Out of a Row.
type Cell struct{ In, Out uint32 }

// ground is a zone of the document, which every class sees its own way.
type ground struct {
	prefix netip.Prefix
	face   uint32 // of the Network
}

// grounds are all prefixes that the document's rules mention, and those of no bits, in order: the longest that holds an address behind a router names its face.
func (n *Network) grounds() []ground {
	if n.ground == nil {
		list := []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)}
		for p := range n.rules.labels.prefixes.All() {
			if p.Bits() > 0 && (!n.rules.labels.inOverlay(p) || slices.Contains(n.rules.labels.overlay, p)) {
				list = append(list, p)
			}
		}
		slices.SortFunc(list, control.CompareRoutes)
		for _, p := range list {
			n.ground = append(n.ground, ground{p, n.face(n.rules.labels.behind(p))})
		}
	}
	return n.ground
}

// zones writes into a charter what it says of addresses behind routers, if the class or one that it sees has some.
func (p *planner) zones(c *Charter, seen set) {
	routes := len(p.me.routed) > 0
	for j := range p.n.classes {
		other := &p.n.classes[j]
		routes = routes || len(other.routed) > 0 && len(other.members) > 0 && (seen.has(j) || len(p.n.rules.selfs) > 0 && p.n.between(p.me, other, true))
	}
	if !routes {
		return
	}
	z := zoner{planner: p, charter: c, of: map[uint32]uint32{}, index: map[string]uint32{}}
	z.rows()
	z.face(nil, nil)
	var over []Zone // those that hold the one at hand, shortest first
	for _, g := range p.n.grounds() {
		for len(over) > 0 && !over[len(over)-1].Prefix.Overlaps(g.prefix) {
			over = over[:len(over)-1]
		}
		zone := Zone{g.prefix, z.at(g.face)}
		if within := len(over) > 0; !within && zone.Face != 0 || within && over[len(over)-1].Face != zone.Face {
			c.Zones = append(c.Zones, zone)
		}
		over = append(over, zone)
	}
	z.behind()
}

// zoner finds what is the same to one class among the faces of a Network.
type zoner struct {
	*planner
	charter *Charter
	mains   []uint32          // face of the Network -> of each row
	of      map[uint32]uint32 // face of the Network -> of the charter
	index   map[string]uint32
	samples []*face // of each face of the charter; nil: none that anything is allowed with
}

// rows finds the face of the nodes of each row.
func (z *zoner) rows() {
	byName := map[uint64]uint32{}
	for j := range z.n.classes {
		if c := &z.n.classes[j]; len(c.members) > 0 {
			name := z.n.ClassName(uint32(j))
			if _, known := byName[name]; !known {
				byName[name] = c.main
			}
		}
	}
	for _, r := range z.charter.Rows {
		z.mains = append(z.mains, byName[r.Class])
	}
}

// at returns the charter's face for one of the Network.
func (z *zoner) at(id uint32) uint32 {
	at, known := z.of[id]
	if !known {
		f := &z.n.faces[id]
		at = z.face(f, z.key(f, slices.Contains(z.me.routed, id)))
		z.of[id] = at
	}
	return at
}

// key is equal for faces that are the same to the class. own says that the class has it behind itself.
func (z *zoner) key(f *face, own bool) []byte {
	k := []byte{}
	put := func(in, out uint32) { k = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(k, in), out) }
	between := func(local *face) { put(z.profile(f, local, false), z.profile(local, f, false)) }
	between(&z.n.faces[z.me.main])
	for _, r := range z.me.routed {
		between(&z.n.faces[r])
	}
	if own {
		k = append(k, 1)
		for _, m := range z.mains {
			put(z.profile(&z.n.faces[m], f, false), z.profile(f, &z.n.faces[m], false))
		}
		for _, g := range z.n.grounds() {
			put(z.profile(&z.n.faces[g.face], f, false), z.profile(f, &z.n.faces[g.face], false))
		}
	}
	if len(slices.DeleteFunc(slices.Clone(k), func(b byte) bool { return b == 0 })) == 0 {
		return nil
	}
	return k
}

// face adds a face to the charter, unless there is one that is the same.
func (z *zoner) face(f *face, key []byte) uint32 {
	if at, known := z.index[string(key)]; known {
		return at
	}
	at := uint32(len(z.charter.Faces))
	z.index[string(key)] = at
	x := Face{}
	if f != nil {
		x = Face{In: z.profile(f, &z.n.faces[z.me.main], false), Out: z.profile(&z.n.faces[z.me.main], f, false)}
	}
	z.charter.Faces, z.samples = append(z.charter.Faces, x), append(z.samples, f)
	return at
}

// behind fills in what may pass between what the class has behind itself and all others.
func (z *zoner) behind() {
	for _, id := range z.me.routed {
		local, known := z.of[id]
		if f := z.samples[local]; known && f != nil {
			var cells []Cell
			for _, m := range z.mains {
				cells = append(cells, Cell{z.profile(&z.n.faces[m], f, false), z.profile(f, &z.n.faces[m], false)})
			}
			for _, other := range z.samples {
				if other == nil {
					cells = append(cells, Cell{})
					continue
				}
				cells = append(cells, Cell{z.profile(other, f, false), z.profile(f, other, false)})
			}
			z.charter.Faces[local].Behind = cells
		}
	}
}

// validateZones reports what would make zones and faces of a charter unusable.
func (c *Charter) validateZones() error {
	for i, z := range c.Zones {
		if int64(z.Face) >= int64(len(c.Faces)) || i > 0 && control.CompareRoutes(c.Zones[i-1].Prefix, z.Prefix) >= 0 {
			return fmt.Errorf("%w: zone %d is out of order or without a face", ErrCharter, i)
		}
	}
	for i, f := range c.Faces {
		bad := len(f.Behind) != 0 && len(f.Behind) != len(c.Rows)+len(c.Faces)
		for _, x := range append([]Cell{{f.In, f.Out}}, f.Behind...) {
			bad = bad || int64(max(x.In, x.Out)) >= int64(len(c.Profiles))
		}
		if bad {
			return fmt.Errorf("%w: face %d has cells or profiles that there are not", ErrCharter, i)
		}
	}
	return nil
}

// zoneTable finds the face of an address, or of a prefix in which no zone ends.
func (c *Charter) zoneTable() *bart.Table[uint32] {
	t := new(bart.Table[uint32])
	for _, z := range c.Zones {
		t.Insert(z.Prefix, z.Face)
	}
	return t
}
