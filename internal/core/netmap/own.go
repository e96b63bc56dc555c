package netmap

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

const (
	maxDomain = 253 // RFC 1035, section 2.3.4, without the final dot
	minBits4  = 8   // a network may not take more of the address space than this,
	minBits6  = 32  // so that no controller turns a node's traffic to itself
)

// Network is what the node may know of its network. Every string in it has been checked to be harmless.
type Network struct {
	Name   string
	Tenant string
	Range4 netip.Prefix // either may be invalid, not both
	Range6 netip.Prefix
	Domain string
	Closed bool // nothing passes and no peer is shown
	// Protocol is what two nodes speak that could speak either; zero: it is left to them.
	Protocol control.Tunnels
}

// Self is the node itself, as the controller has it.
type Self struct {
	Record  control.Record
	Bytes   []byte // the record as it travels: what is to be signed
	Signed  bool   // with a signature that holds
	Pending bool   // waits for approval
	User    string // its owner; "" for a node with tags, or without an owner
	// Routes are those that it offers and that are approved, as in Peer.
	Routes []netip.Prefix

	signature []byte
	told      [][]byte // Routes, as they came
}

func (s Self) equal(o Self) bool {
	return s.User == o.User && bytes.Equal(s.Bytes, o.Bytes) && bytes.Equal(s.signature, o.signature) && s.Pending == o.Pending &&
		slices.Equal(s.Routes, o.Routes)
}

// stranger returns an address of a record that is not in the network; an invalid one if there is none.
func (n *Network) stranger(r *control.Record) netip.Addr {
	switch {
	case r.Address4.IsValid() && !n.Range4.Contains(r.Address4):
		return r.Address4
	case r.Address6.IsValid() && !n.Range6.Contains(r.Address6):
		return r.Address6
	}
	return netip.Addr{}
}

func parseNetwork(m *pb.Network) (*Network, error) {
	n := &Network{Name: m.Name, Tenant: m.Tenant, Domain: m.Domain, Closed: m.Closed}
	switch p := control.Tunnels(m.Protocol); p {
	case control.WireGuard, control.IPsec: // what a newer controller may name is left to the nodes: both read the same here
		n.Protocol = p
	}
	var ok4, ok6 bool
	n.Range4, ok4 = control.ParseRange(m.Range4)
	n.Range6, ok6 = control.ParseRange(m.Range6)
	switch {
	case !ok4 || !ok6 || !n.Range4.IsValid() && !n.Range6.IsValid():
		return nil, fmt.Errorf("%w: the network's ranges are not ranges", ErrMalformed)
	case n.Range4.IsValid() && !sane(n.Range4, true, minBits4), n.Range6.IsValid() && !sane(n.Range6, false, minBits6):
		return nil, fmt.Errorf("%w: the network's ranges are none that a network may have", ErrMalformed)
	case !clean.IsLabel(n.Name) || !clean.IsLabel(n.Tenant) || !isDomain(n.Domain):
		return nil, fmt.Errorf("%w: the network's names are not names", ErrMalformed)
	}
	return n, nil
}

func sane(p netip.Prefix, four bool, bits int) bool {
	a := p.Addr()
	return a.Is4() == four && p.Bits() >= bits && !a.IsLoopback() && !a.IsMulticast() && !a.IsLinkLocalUnicast() && !a.IsUnspecified()
}

func isDomain(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if !clean.IsLabel(label) {
			return false
		}
	}
	return len(s) <= maxDomain
}

func (t *Table) parseSelf(m *pb.Self) (*Self, error) {
	r, err := control.ParseRecord(m.Record)
	if err != nil {
		return nil, fmt.Errorf("%w: self: %w", ErrMalformed, err)
	}
	if r.Node != t.cfg.Node {
		return nil, fmt.Errorf("%w: it is the map of node %s, not of %s", ErrMalformed, r.Node, t.cfg.Node)
	}
	s := &Self{Record: r, Bytes: m.Record, Pending: m.Pending, User: login(m.User), told: routesOf(m.Routes)}
	if old := t.self; bytes.Equal(old.Bytes, m.Record) && bytes.Equal(old.signature, m.Signature) {
		s.Signed = old.Signed
	} else {
		s.Signed = t.verify(r.Identity, m.Record, m.Signature)
	}
	if s.Signed {
		s.signature = m.Signature
	}
	return s, nil
}

// fits reports whether the node's own addresses are its network's.
func fits(n *Network, s *Self) error {
	if a := n.stranger(&s.Record); a.IsValid() {
		return fmt.Errorf("%w: this node's address %s lies outside of the network's ranges", ErrMalformed, a)
	}
	return nil
}
