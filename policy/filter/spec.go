package filter

import (
	"errors"
	"fmt"
	"net/netip"
)

// Spec is what a Set is made from: plain values, as they are compiled, carried to a node and looked at.
type Spec struct {
	Generation uint64
	Local      []Place
	Remote     []Place
	Locals     int      // number of local classes
	Remotes    int      // number of remote classes
	In, Out    []Pair   // [local*Remotes + remote]
	Lists      [][]Span // what pairs point at; Lists[0] is empty
}

// Place says which class the addresses of a prefix belong to: of those that contain an address the longest.
type Place struct {
	Prefix netip.Prefix
	Class  uint32
}

// Pair is what is allowed from one class to another.
type Pair struct {
	List  uint32 // index into Spec.Lists
	IPsec bool   // only through IPsec
}

// Span is a range of services, protocol<<16 | port, that one rule decides. Spans of a list are sorted and do not overlap; what none of
// them holds is denied without a rule.
type Span struct {
	First, Last uint32
	Rule        uint32 // number of the rule in the document
	Deny        bool
}

// Bounds of a Spec.
const (
	MaxPlaces = 1 << 22
	MaxPairs  = 1 << 26
	MaxSpans  = 1 << 18 // in one list: a list cannot be longer than its rules and their ends
)

// Validate reports what would make a Set answer wrongly. A node asks, because what it got may be hostile.
func (s *Spec) Validate() error {
	pairs := int64(s.Locals) * int64(s.Remotes)
	if s.Locals < 0 || s.Remotes < 0 || s.Locals > MaxPairs || s.Remotes > MaxPairs || pairs > MaxPairs {
		return fmt.Errorf("filter: %d × %d classes: more than %d pairs", s.Locals, s.Remotes, MaxPairs)
	}
	if len(s.Local)+len(s.Remote) > MaxPlaces {
		return fmt.Errorf("filter: %d prefixes, at most %d are allowed", len(s.Local)+len(s.Remote), MaxPlaces)
	}
	if int64(len(s.In)) != pairs || int64(len(s.Out)) != pairs {
		return fmt.Errorf("filter: %d and %d pairs, want %d", len(s.In), len(s.Out), pairs)
	}
	for _, side := range []struct {
		places  []Place
		classes int
	}{{s.Local, s.Locals}, {s.Remote, s.Remotes}} {
		for _, p := range side.places {
			if !p.Prefix.IsValid() || p.Prefix.Addr().Is4In6() || int64(p.Class) >= int64(side.classes) {
				return fmt.Errorf("filter: %v in class %d of %d", p.Prefix, p.Class, side.classes)
			}
		}
	}
	return s.validateLists()
}

func (s *Spec) validateLists() error {
	if len(s.Lists) == 0 || len(s.Lists[0]) != 0 {
		return errors.New("filter: list 0 is not empty")
	}
	for i, l := range s.Lists {
		if len(l) > MaxSpans {
			return fmt.Errorf("filter: list %d has %d spans", i, len(l))
		}
		for j, x := range l {
			if x.First > x.Last || x.Last >= 1<<24 || j > 0 && x.First <= l[j-1].Last {
				return fmt.Errorf("filter: list %d: span %d is out of order", i, j)
			}
		}
	}
	for _, pairs := range [][]Pair{s.In, s.Out} {
		for _, p := range pairs {
			if int64(p.List) >= int64(len(s.Lists)) {
				return fmt.Errorf("filter: list %d of %d", p.List, len(s.Lists))
			}
		}
	}
	return nil
}
