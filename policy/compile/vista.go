package compile

import "slices"

// Sight says which classes see each other. It keeps what it needs of the Network that it comes from, never changes what it says, and
// may be asked long after the document was replaced. It knows the classes that there were when it was made.
type Sight struct {
	n     Network // its classes and faces, without directory
	rows  []set   // class -> classes that it sees; nil: not asked yet
	selfs map[uint64]bool
}

// Sight returns who sees whom now. It is the same until there is another class.
func (n *Network) Sight() *Sight {
	if n.vista != nil && len(n.vista.n.classes) == len(n.classes) {
		return n.vista
	}
	clone := func(sets []set) []set {
		out := make([]set, len(sets))
		for i, s := range sets {
			out[i] = slices.Clone(s)
		}
		return out
	}
	s := &Sight{rows: make([]set, len(n.classes)), selfs: map[uint64]bool{}}
	s.n = Network{rules: n.rules, faces: n.faces, faceSets: clone(n.faceSets), faceDsts: clone(n.faceDsts), classes: n.classes, opened: map[string]bool{}}
	for _, h := range n.holders {
		s.n.holders = append(s.n.holders, slices.Clone(h))
	}
	n.vista = s
	return s
}

// Sees reports whether nodes of two classes see each other; related says that both belong to one user.
func (s *Sight) Sees(a, b uint32, related bool) bool {
	if int(a) >= len(s.rows) || int(b) >= len(s.rows) {
		return false
	}
	if related && len(s.n.rules.selfs) > 0 {
		return s.selfSees(a, b)
	}
	if s.rows[a] == nil {
		s.rows[a] = s.n.classesSeen(&s.n.classes[a])
	}
	return s.rows[a].has(int(b))
}

// Related reports whether it matters at all to whom nodes belong.
func (s *Sight) Related() bool { return len(s.n.rules.selfs) > 0 }

func (s *Sight) selfSees(a, b uint32) bool {
	key := uint64(min(a, b))<<32 | uint64(max(a, b)) // sight is mutual
	sees, known := s.selfs[key]
	if !known {
		sees = s.n.between(&s.n.classes[a], &s.n.classes[b], true)
		s.selfs[key] = sees
	}
	return sees
}
