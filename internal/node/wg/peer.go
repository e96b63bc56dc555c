package wg

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/cvlan/cvlan/internal/base/key"
)

// clean returns a copy of a peer as it is kept: ranges masked and without duplicates, candidates bounded. It refuses what cannot be
// a peer of the node with the key self.
func (p Peer) clean(self key.WGPublic) (Peer, error) {
	switch {
	case p.Key.IsZero():
		return p, fmt.Errorf("set a peer: it has no key")
	case p.Key == self:
		return p, fmt.Errorf("set the peer %s: its key is our own", p.Key.Short())
	case len(p.Allowed) > MaxAllowed:
		return p, fmt.Errorf("set the peer %s: %d ranges, at most %d", p.Key.Short(), len(p.Allowed), MaxAllowed)
	}
	allowed := make([]netip.Prefix, 0, len(p.Allowed))
	seen := make(map[netip.Prefix]bool, len(p.Allowed))
	for _, a := range p.Allowed {
		if !a.IsValid() || a.Addr().Is4In6() || a.Addr().Zone() != "" {
			return p, fmt.Errorf("set the peer %s: %q is no address range", p.Key.Short(), a)
		}
		if a = a.Masked(); !seen[a] {
			seen[a] = true
			allowed = append(allowed, a)
		}
	}
	p.Allowed = allowed
	p.Candidates = slices.Clone(p.Candidates[:min(len(p.Candidates), MaxCandidates)])
	return p, nil
}
