package store

import (
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/core/ipam"
	"github.com/cvlan/cvlan/proto/control"
)

// What every engine decides alike stands here; an engine only keeps.

// Place checks the ranges of a new network of a tenant that has others already. A network without a range gets a free one
// of each family, drawn with rnd.
func Place(rnd io.Reader, n Network, others []Network) (Network, error) {
	if len(others) >= MaxNetworks {
		return n, fmt.Errorf("network %q: %w: the tenant has %d networks", n.Name, ErrLimit, len(others))
	}
	taken := make([]ipam.Named, 0, 2*len(others))
	for _, o := range others {
		taken = append(taken, ipam.Named{Name: o.Name, Range: o.Range4}, ipam.Named{Name: o.Name, Range: o.Range6})
	}
	if !n.Range4.IsValid() && !n.Range6.IsValid() {
		return pick(rnd, n, taken)
	}
	for _, c := range []struct {
		p     netip.Prefix
		check func(netip.Prefix) error
	}{{n.Range4, ipam.Check4}, {n.Range6, ipam.Check6}} {
		if !c.p.IsValid() {
			continue
		}
		if err := c.check(c.p); err != nil {
			return n, fmt.Errorf("network %q: %w: %w", n.Name, ErrInvalid, err)
		}
		if o, met := ipam.Overlap(c.p, taken); met {
			return n, fmt.Errorf("network %q: %w: its range %v shares addresses with %v of network %q; choose another, or leave it out to get a free one",
				n.Name, ErrExists, c.p, o.Range, o.Name)
		}
	}
	return n, nil
}

func pick(rnd io.Reader, n Network, taken []ipam.Named) (Network, error) {
	var ok4, ok6 bool
	var err error
	if n.Range4, ok4, err = ipam.Pick4(rnd, taken); err != nil {
		return n, err
	}
	if n.Range6, ok6, err = ipam.Pick6(rnd, taken); err != nil {
		return n, err
	}
	if !ok4 || !ok6 {
		return n, fmt.Errorf("network %q: %w: no free range is left to pick from; name one that is free", n.Name, ErrLimit)
	}
	return n, nil
}

// CheckScopes reports why scopes cannot be an API key's, or nil. What each means is for the API to know.
func CheckScopes(scopes []string) error {
	if len(scopes) > MaxScopes {
		return fmt.Errorf("scopes: %w: %d, at most %d are allowed", ErrLimit, len(scopes), MaxScopes)
	}
	for _, s := range scopes {
		if s == "" || len(s) > maxText || clean.Line(s, maxText) != s {
			return fmt.Errorf("scope %q: %w: empty, too long, or with characters that no scope has", clean.Line(s, 40), ErrInvalid)
		}
	}
	return nil
}

// Usable reports why a join key does not admit anybody at an instant, or nil.
func (k JoinKey) Usable(now time.Time) error {
	switch {
	case k.Revoked:
		return fmt.Errorf("join key %s: %w", k.ID, ErrKeyRevoked)
	case !k.Expires.IsZero() && !now.Before(k.Expires):
		return fmt.Errorf("join key %s: %w", k.ID, ErrKeyExpired)
	case k.Uses > 0 && k.Used >= k.Uses:
		return fmt.Errorf("join key %s: %w", k.ID, ErrKeyUsedUp)
	}
	return nil
}

// Newcomer is the node that a key admits at an instant, but for its id, its name and its addresses.
func (k JoinKey) Newcomer(a Admission, now time.Time) Node {
	r := a.Runs.Tidy()
	return Node{Network: k.Network, Identity: a.Identity, WG: a.WG, User: k.User, Tags: k.Tags, Pending: k.Approve, Ephemeral: k.Ephemeral,
		JoinedBy: k.ID, Created: now, OS: r.OS, Software: r.Software,
		Attrs: r.Attrs()}
}

// Revise gives a node its next record, which it has not signed. What it signed last stays what others see; what it speaks is its own to say.
func (n *Node) Revise() {
	if n.Signed == nil && n.Signature != nil {
		n.Signed = n.Record
	}
	n.Revision++
	n.Record = control.Record{Node: n.ID, Identity: n.Identity, WG: n.WG, Address4: n.Address4, Address6: n.Address6,
		Name: n.Name, Tags: signedTags(n.Tags), Revision: n.Revision, Speech: control.SpeechIn(n.Record)}.Encode()
}

// Current reports whether ifVersion, when it is given, is the version of what the caller wants to change.
func Current(noun string, id fmt.Stringer, ifVersion, version uint64) error {
	if ifVersion == 0 || ifVersion == version {
		return nil
	}
	return fmt.Errorf("%s %s: %w: it is at version %d, not %d; look at it again", noun, id, ErrConflict, version, ifVersion)
}

// Provider is the tenant that is none: what belongs to the whole store (its API keys, its root, the trail of what happened to tenants).
const Provider ident.Tenant = 0
