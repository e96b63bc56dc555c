package compile

import (
	"hash/fnv"
	"net/netip"
)

// digester computes what of a document concerns each node, as a number: see the package comment.
type digester struct {
	n        *Network
	src, dst []uint64          // entry -> sum of the nodes that are its sources, destinations
	mains    map[uint32]uint64 // by face
	users    map[string]*userSum
}

// userSum are the sums over one user's nodes that autogroup:self asks for.
type userSum struct {
	all uint64
	src []uint64 // by position in rules.selfs: nodes that are sources of the entry
}

func (n *Network) digester() *digester { return n.digesterOf(n.faceSums()) }

// faceSums adds up the numbers of the nodes of each face.
func (n *Network) faceSums() []uint64 {
	faces := make([]uint64, len(n.faces))
	for i := range n.classes {
		c := &n.classes[i]
		for _, id := range c.members {
			faces[c.main] += mix(uint64(id))
			if len(c.routed) > 0 {
				for _, r := range Reach(n.nodes[id].Routes) {
					for _, p := range n.rules.labels.split(r) {
						faces[n.face(n.rules.labels.behind(p))] += mix(uint64(id) + prefixHash(r) + 3*prefixHash(p))
					}
				}
			}
		}
	}
	return faces
}

func (n *Network) digesterOf(faces []uint64) *digester {
	d := &digester{n: n, mains: map[uint32]uint64{}, users: map[string]*userSum{}}
	sum := func(s set) (total uint64) {
		for f := range s.all() {
			total += faces[f]
		}
		return total
	}
	for e := range n.rules.entries {
		d.src = append(d.src, sum(n.faceSets[e]))
		d.dst = append(d.dst, sum(n.faceDsts[e]))
	}
	return d
}

func prefixHash(p netip.Prefix) uint64 {
	h := fnv.New64a()
	b := p.Addr().As16()
	h.Write(b[:])
	return h.Sum64() + uint64(p.Bits())
}

const asDst = 0x9e3779b97f4a7c15 // tells what a node may be asked from what it may ask

func (d *digester) face(f uint32) (total uint64) {
	x := &d.n.faces[f]
	for _, e := range x.src {
		total += d.n.rules.entries[e].hash * d.dst[e]
	}
	for _, e := range x.dst {
		total += mix(d.n.rules.entries[e].hash^asDst) * d.src[e]
	}
	return total
}

func (d *digester) node(r *record) uint64 {
	total := d.main(d.n.classes[r.class].main)
	for _, route := range Reach(r.Routes) {
		for _, p := range d.n.rules.labels.split(route) {
			total += mix(d.face(d.n.face(d.n.rules.labels.behind(p))) + prefixHash(p))
		}
	}
	if owner := r.owner(); owner != "" && len(d.n.rules.selfs) > 0 {
		total += d.self(owner, r)
	}
	return total
}

// main is the digest of a node that has that face, routes nothing and has no user to share.
func (d *digester) main(f uint32) uint64 {
	total, known := d.mains[f]
	if !known {
		total = d.face(f)
		d.mains[f] = total
	}
	return total
}

// self adds what autogroup:self means to a node.
func (d *digester) self(owner string, r *record) (total uint64) {
	u := d.users[owner]
	if u == nil {
		u = d.user(owner)
		d.users[owner] = u
	}
	mine := &d.n.faces[d.n.classes[r.class].main]
	for i, e := range d.n.rules.selfs {
		h := mix(d.n.rules.entries[e].hash ^ 1)
		if contains(mine.src, e) {
			total += h * u.all
		}
		total += mix(h^asDst) * u.src[i]
	}
	return total
}

func (d *digester) user(owner string) *userSum {
	u := &userSum{src: make([]uint64, len(d.n.rules.selfs))}
	for _, id := range d.n.owned[owner] {
		w := mix(uint64(id))
		u.all += w
		f := &d.n.faces[d.n.classes[d.n.nodes[id].class].main]
		for i, e := range d.n.rules.selfs {
			if contains(f.src, e) {
				u.src[i] += w
			}
		}
	}
	return u
}

func contains(sorted []uint32, v uint32) bool {
	for _, x := range sorted {
		if x >= v {
			return x == v
		}
	}
	return false
}
