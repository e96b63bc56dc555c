package control

import (
	"errors"
	"fmt"
	"net/netip"

	"google.golang.org/protobuf/proto"

	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// MaxPlain is how long the entry of a plain device may be, in bytes. Today's are below 250.
const MaxPlain = 1 << 10

// Plain is a WireGuard device that runs no agent of ours, in Go's types.
type Plain struct {
	ID        ident.Plain
	Name      string // RFC 1123 label
	WG        key.WGPublic
	Preshared key.Preshared // zero: none
	Address4  netip.Addr    // either may be invalid, not both
	Address6  netip.Addr
	Endpoint  netip.AddrPort // invalid: none; it calls
	Keepalive uint16         // seconds between those that the node sends; 0: none
	Revision  uint64
	Class     uint64 // that policy puts it into; 0: none
}

// Encode returns the body of the message. It holds the preshared key.
func (p Plain) Encode() []byte {
	m := &pb.Plain{Id: uint64(p.ID), Name: p.Name, WgKey: p.WG[:], PresharedKey: p.Preshared.Bytes(), Keepalive: uint32(p.Keepalive), Revision: p.Revision, Class: p.Class}
	if p.Address4.IsValid() {
		m.Address4 = p.Address4.AsSlice()
	}
	if p.Address6.IsValid() {
		m.Address6 = p.Address6.AsSlice()
	}
	if p.Endpoint.IsValid() {
		m.Endpoint = AppendEndpoint(nil, p.Endpoint)
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		panic("control: a plain device does not marshal: " + err.Error()) // only invalid UTF-8 could; names are labels
	}
	return b
}

// ParsePlain reads an entry and refuses whatever no controller of ours would send.
func ParsePlain(m *pb.Plain) (Plain, error) {
	p := Plain{ID: ident.Plain(m.GetId()), Name: m.GetName(), Keepalive: uint16(m.GetKeepalive()), Revision: m.GetRevision(),
		Class: m.GetClass()}
	n := copy(p.WG[:], m.GetWgKey())
	var ok4, ok6 bool
	p.Address4, ok4 = address(m.GetAddress4(), 4)
	p.Address6, ok6 = address(m.GetAddress6(), 16)
	var err error
	if p.Preshared, err = key.ParsePreshared(m.GetPresharedKey()); err != nil {
		return Plain{}, fmt.Errorf("plain device: %w", err)
	}
	where := len(m.GetEndpoint()) == 0
	if !where {
		p.Endpoint, where = ParseEndpoint(m.Endpoint)
	}
	switch {
	case p.ID.IsZero() || n != len(p.WG) || n != len(m.GetWgKey()) || p.WG.IsZero():
		return Plain{}, errors.New("plain device: has no identifier or no key")
	case !ok4 || !ok6 || !p.Address4.IsValid() && !p.Address6.IsValid():
		return Plain{}, errors.New("plain device: its addresses are not addresses")
	case !clean.IsLabel(p.Name):
		return Plain{}, errors.New("plain device: its name is not an RFC 1123 label")
	case !where:
		return Plain{}, errors.New("plain device: its endpoint is not one")
	case m.GetKeepalive() > 1<<16-1:
		return Plain{}, fmt.Errorf("plain device: %d s between keepalives, at most %d are allowed", m.GetKeepalive(), 1<<16-1)
	}
	return p, nil
}

// Hosts returns the addresses that the device may use, each alone.
func (p Plain) Hosts() (all []netip.Prefix) {
	for _, a := range []netip.Addr{p.Address4, p.Address6} {
		if a.IsValid() {
			all = append(all, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	return all
}
