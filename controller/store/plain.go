package store

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/proto/control"
)

// Plain is a WireGuard device that runs no agent of ours, as a peer of the nodes that are named for it.
type Plain struct {
	ID        ident.Plain
	Network   ident.Network
	Name      string // label, unique among the nodes and plain devices of the network
	WG        key.WGPublic
	Preshared key.Preshared // zero: none
	Address4  netip.Addr
	Address6  netip.Addr
	Nodes     []ident.Node   // who may speak with it; a node that is deleted leaves the list
	Endpoint  netip.AddrPort // invalid: none; the device calls
	Keepalive uint16         // seconds between those that its nodes send; 0: none
	Created   time.Time
	CreatedBy string
	Revision  uint64 // rises with every change to what its nodes are told
	Version   uint64
}

// Entry returns what the device's nodes are told of it, encoded.
func (p Plain) Entry() []byte {
	return control.Plain{ID: p.ID, Name: p.Name, WG: p.WG, Preshared: p.Preshared, Address4: p.Address4, Address6: p.Address6,
		Endpoint: p.Endpoint, Keepalive: p.Keepalive, Revision: p.Revision}.Encode()
}

// CheckPlain reports why a plain device cannot be made, others left aside, or nil.
func CheckPlain(p Plain) error {
	if err := CheckName("peer", p.Name); err != nil {
		return err
	}
	switch {
	case p.WG.IsZero():
		return fmt.Errorf("peer %q: %w: it has no WireGuard key", p.Name, ErrInvalid)
	case len(p.Nodes) == 0:
		return fmt.Errorf("peer %q: %w: it has no node to speak with; name at least one", p.Name, ErrInvalid)
	case len(p.Nodes) > MaxPlainNodes:
		return fmt.Errorf("peer %q: %w: %d nodes, at most %d are allowed", p.Name, ErrLimit, len(p.Nodes), MaxPlainNodes)
	}
	for i, n := range p.Nodes {
		if slices.Contains(p.Nodes[:i], n) {
			return fmt.Errorf("peer %q: %w: node %s is named twice", p.Name, ErrInvalid, n)
		}
	}
	if !p.Endpoint.IsValid() {
		return nil
	}
	if _, ok := control.ParseEndpoint(control.AppendEndpoint(nil, p.Endpoint)); !ok || p.Endpoint.Addr().Zone() != "" {
		return fmt.Errorf("peer %q: %w: nothing can be sent to the endpoint %s", p.Name, ErrInvalid, p.Endpoint.Addr().WithZone(""))
	}
	return nil
}

// Reaches reports why a device's endpoint cannot be used from within its network, or nil: what is sent to it must not be sent through itself.
func (n Network) Reaches(p Plain) error {
	if a := p.Endpoint.Addr(); n.Range4.Contains(a) || n.Range6.Contains(a) {
		return fmt.Errorf("peer %q: %w: its endpoint %s lies inside of network %q; name the address that it has outside of it", p.Name, ErrInvalid, p.Endpoint, n.Name)
	}
	return nil
}
