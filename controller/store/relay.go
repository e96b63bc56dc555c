package store

import (
	"fmt"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/proto/control"
)

// Relay is a relay, as the admin made it and as it reported itself last.
type Relay struct {
	ID         ident.Relay
	Tenant     ident.Tenant // whose nodes it serves; zero: of all tenants
	Node       ident.Node   // of that tenant, which is this relay beside what else it does; zero: a machine of its own is
	Name       string       // label, unique in the store
	Region     string       // label; empty: as the relay says
	Addresses  []string     // host:port; empty: as the relay says
	Hash       [32]byte     // of the secret in its key
	Expires    time.Time    // until when the key can be redeemed; zero: for ever
	Identity   key.IdentityPublic
	Joined     time.Time // when the key was redeemed; zero: not yet
	CertUntil  time.Time // NotAfter of its newest certificate
	Created    time.Time
	CreatedBy  string
	LastReport RelayReport
	LastSeen   time.Time // as of the last report that was stored
}

// RelayReport is what a relay says of itself and the controller remembers, so that nodes hear of the relay while it is away.
type RelayReport struct {
	Addresses []string
	Region    string
	STUN      uint16
	Software  string
}

// Equal reports whether two reports say the same.
func (r RelayReport) Equal(o RelayReport) bool {
	return slices.Equal(r.Addresses, o.Addresses) && r.Region == o.Region && r.STUN == o.STUN && r.Software == o.Software
}

// Entry returns what nodes are told of the relay; ok is false while it has no address or nobody has redeemed its key. A relay that is to be a node is told
// without addresses then, so that the node learns of it.
func (r Relay) Entry() (e control.Relay, ok bool) {
	e = control.Relay{ID: r.ID, Name: r.Name, Region: r.Region, Addresses: r.Addresses, STUN: r.LastReport.STUN, Node: r.Node}
	if e.Region == "" {
		e.Region = r.LastReport.Region
	}
	if len(e.Addresses) == 0 {
		e.Addresses = r.LastReport.Addresses
	}
	if r.Joined.IsZero() && !r.Node.IsZero() {
		e.Addresses = nil
	}
	return e, !r.Node.IsZero() || len(e.Addresses) > 0 && !r.Joined.IsZero()
}

// CheckRelay reports why a relay cannot be made, or nil.
func CheckRelay(r Relay) error {
	if err := CheckName("relay", r.Name); err != nil {
		return err
	}
	if r.Region != "" {
		if err := CheckName("region", r.Region); err != nil {
			return err
		}
	}
	if err := control.CheckRelayAddresses(r.Addresses); err != nil {
		return fmt.Errorf("relay %q: %w: %w", r.Name, ErrInvalid, err)
	}
	if r.Hash == [32]byte{} {
		return fmt.Errorf("relay %q: %w: its key has no secret", r.Name, ErrInvalid)
	}
	return nil
}

// Redeemable reports why the key does not admit a machine with this identity at an instant, or nil.
func (r Relay) Redeemable(id key.IdentityPublic, now time.Time) error {
	switch {
	case r.Joined.IsZero() && !r.Expires.IsZero() && !now.Before(r.Expires):
		return fmt.Errorf("key of relay %q: %w", r.Name, ErrKeyExpired)
	case !r.Joined.IsZero() && r.Identity != id:
		return fmt.Errorf("key of relay %q: %w", r.Name, ErrKeyUsedUp)
	}
	return nil
}

// RemovedNode is a node that relays turn away though its certificate may still be valid: it was deleted, or waits for approval.
type RemovedNode struct {
	Tenant ident.Tenant
	Node   ident.Node
	Until  time.Time // zero: until it is approved
}

// Waits reports whether the node is still there.
func (n RemovedNode) Waits() bool { return n.Until.IsZero() }

// Metered is what a relay has carried for tenants since its process, which Instance names, has started.
type Metered struct {
	Relay    ident.Relay
	Instance [16]byte
	Bytes    map[ident.Tenant]uint64
}

// MaxMetered bounds what one count may add: a relay that lies must not make the sum overflow.
const MaxMetered = 1 << 50

// Usage is what relays have carried for a tenant on one UTC day.
type Usage struct {
	Tenant ident.Tenant
	Day    time.Time
	Bytes  uint64
}
