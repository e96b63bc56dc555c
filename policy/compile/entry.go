package compile

import (
	"fmt"
	"hash/fnv"
	"slices"

	"github.com/cvlan/cvlan/policy/acl"
)

// entry is one destination of a rule: what a pair of faces is matched against.
type entry struct {
	Entry
	src, dst set // labels
	postures set // labels of which the source has one; empty: none is asked for
	self     bool
	ipsec    bool
	hash     uint64 // of what it means, without its number
}

// rules is a document in the form that faces are matched against.
type rules struct {
	labels  *labels
	entries []entry
	windows []acl.Window
	srcOf   [][]uint32 // label -> entries
	dstOf   [][]uint32
	selfs   []uint32 // entries for autogroup:self
	ipsec   bool     // some entry requires it
	names   []string // label -> its key; "" for what no rule mentions
}

// name is a label's key; "" for what no rule mentions any more.
func (r *rules) name(label int) string {
	if label >= len(r.names) {
		return ""
	}
	return r.names[label]
}

// compileRules compiles a document, with the labels of another if they are its own as well.
func compileRules(doc *acl.Document, l *labels) *rules {
	r := &rules{labels: l}
	groups := make(map[string]*acl.Group, len(doc.Groups))
	for i := range doc.Groups {
		groups[doc.Groups[i].Name] = &doc.Groups[i]
	}
	postures := make(map[string]*acl.Posture, len(doc.Postures))
	for i := range doc.Postures {
		postures[doc.Postures[i].Name] = &doc.Postures[i]
	}
	for i := range doc.Rules {
		r.rule(doc, &doc.Rules[i], uint32(i), groups, postures)
	}
	r.srcOf, r.dstOf = make([][]uint32, r.labels.n), make([][]uint32, r.labels.n)
	for i := range r.entries {
		e := &r.entries[i]
		r.ipsec = r.ipsec || e.ipsec
		for l := range e.src.all() {
			r.srcOf[l] = append(r.srcOf[l], uint32(i))
		}
		for l := range e.dst.all() {
			r.dstOf[l] = append(r.dstOf[l], uint32(i))
		}
		if e.self {
			r.selfs = append(r.selfs, uint32(i))
		}
	}
	r.nameLabels()
	return r
}

// nameLabels notes what the rules mention.
func (r *rules) nameLabels() {
	var used set
	for i := range r.entries {
		used = used.or(r.entries[i].src).or(r.entries[i].dst).or(r.entries[i].postures)
	}
	r.names = make([]string, r.labels.n)
	for key, l := range r.labels.known {
		if used.has(l) {
			r.names[l] = key
		}
	}
}

func (r *rules) rule(doc *acl.Document, x *acl.Rule, number uint32, groups map[string]*acl.Group, postures map[string]*acl.Posture) {
	base := entry{Entry: Entry{Rule: number, Deny: x.Deny, Priority: int32(x.Priority)}, ipsec: x.IPsec && !x.Deny}
	for i := range x.Src {
		if id := r.labels.label(&x.Src[i], groups); id != none {
			base.src = base.src.add(id)
		}
	}
	if x.When != nil {
		r.windows = append(r.windows, *x.When)
		base.Window = uint32(len(r.windows))
	}
	names := x.Postures
	if len(names) == 0 && !x.Deny {
		names = doc.Default
	}
	for _, name := range names {
		base.postures = base.postures.add(r.labels.posture(postures[name]))
	}
	for i := range x.Dst { // destinations with the same services are one entry
		t := &x.Dst[i]
		at := none
		for j := len(r.entries) - 1; j >= 0 && r.entries[j].Rule == number; j-- {
			if slices.Equal(r.entries[j].Services, t.Services) {
				at = j
			}
		}
		if at < 0 {
			e := base
			e.Services = t.Services
			r.entries = append(r.entries, e)
			at = len(r.entries) - 1
			r.entries[at].hash = hashOf(&r.entries[at], x)
		}
		if t.Kind == acl.Self {
			r.entries[at].self = true
		} else if id := r.labels.label(&t.Selector, groups); id != none {
			r.entries[at].dst = r.entries[at].dst.add(id)
		}
	}
}

// hashOf hashes what an entry does where it matches.
func hashOf(e *entry, x *acl.Rule) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, e.Services, e.Deny, e.Priority, e.ipsec)
	if x.When != nil {
		fmt.Fprint(h, x.When)
	}
	return mix(h.Sum64())
}

// mix spreads the bits of a number (the finalizer of SplitMix64).
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// face is a set of labels and the entries that it is a source and a destination of, ascending.
type face struct {
	labels   set
	src, dst []uint32
}

func (r *rules) face(labels set) face {
	f := face{labels: labels}
	var src, dst set
	for l := range labels.all() {
		for _, e := range r.srcOf[l] {
			if x := &r.entries[e]; len(x.postures) == 0 || x.postures.meets(labels) {
				src = src.add(int(e))
			}
		}
		for _, e := range r.dstOf[l] {
			dst = dst.add(int(e))
		}
	}
	for e := range src.all() {
		f.src = append(f.src, uint32(e))
	}
	for e := range dst.all() {
		f.dst = append(f.dst, uint32(e))
	}
	return f
}

// match appends the entries that decide from one face to another. self says that autogroup:self holds between them.
func (r *rules) match(src, dst *face, self bool, out []uint32) []uint32 {
	a, b := src.src, dst.dst
	if self && len(r.selfs) > 0 {
		b = append(slices.Clone(b), r.selfs...)
		slices.Sort(b)
		b = slices.Compact(b)
	}
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] < b[0]:
			a = a[1:]
		case a[0] > b[0]:
			b = b[1:]
		default:
			out = append(out, a[0])
			a, b = a[1:], b[1:]
		}
	}
	return out
}
