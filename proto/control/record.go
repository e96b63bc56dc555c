package control

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"google.golang.org/protobuf/proto"

	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// Bounds of a record.
const (
	MaxRecord = 4 << 10
	MaxTags   = 32
	MaxTag    = 64 // bytes
)

// Record is what a node signs of itself, in Go's types.
type Record struct {
	Node     ident.Node
	Identity key.IdentityPublic
	WG       key.WGPublic
	Speech   Speech
	Address4 netip.Addr // either may be invalid, not both
	Address6 netip.Addr
	Name     string // RFC 1123 label
	Tags     []string
	Revision uint64
}

// Encode returns the bytes that travel and are signed.
func (r Record) Encode() []byte {
	m := &pb.Record{Node: uint64(r.Node), IdentityKey: r.Identity[:], WgKey: r.WG[:], Name: r.Name, Tags: r.Tags, Revision: r.Revision}
	if r.Address4.IsValid() {
		m.Address4 = r.Address4.AsSlice()
	}
	if r.Address6.IsValid() {
		m.Address6 = r.Address6.AsSlice()
	}
	r.Speech.put(m)
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		panic("control: a record does not marshal: " + err.Error()) // only invalid UTF-8 could; names are labels
	}
	return b
}

// ParseRecord reads the bytes of a record and refuses whatever no controller of ours would write.
func ParseRecord(b []byte) (Record, error) {
	if len(b) > MaxRecord {
		return Record{}, fmt.Errorf("node record: %d bytes, at most %d are allowed", len(b), MaxRecord)
	}
	m := new(pb.Record)
	if err := proto.Unmarshal(b, m); err != nil {
		return Record{}, fmt.Errorf("node record: %w", err)
	}
	r := Record{Node: ident.Node(m.Node), Name: m.Name, Tags: m.Tags, Revision: m.Revision, Speech: speechOf(m)}
	var err error
	if r.Identity, err = key.ParseIdentityPublic(m.IdentityKey); err != nil {
		return Record{}, fmt.Errorf("node record: %w", err)
	}
	if len(m.WgKey) != len(r.WG) {
		return Record{}, fmt.Errorf("node record: WireGuard key of %d bytes", len(m.WgKey))
	}
	copy(r.WG[:], m.WgKey)
	var ok4, ok6 bool
	r.Address4, ok4 = address(m.Address4, 4)
	r.Address6, ok6 = address(m.Address6, 16)
	switch {
	case !ok4 || !ok6 || !r.Address4.IsValid() && !r.Address6.IsValid():
		return Record{}, errors.New("node record: its addresses are not addresses")
	case r.Node == 0 || r.WG.IsZero():
		return Record{}, errors.New("node record: has no identifier or no key")
	case !clean.IsLabel(r.Name):
		return Record{}, errors.New("node record: its name is not an RFC 1123 label")
	case len(r.Tags) > MaxTags:
		return Record{}, fmt.Errorf("node record: %d tags, at most %d are allowed", len(r.Tags), MaxTags)
	}
	for _, t := range r.Tags {
		if len(t) > MaxTag || !clean.IsLabel(t) {
			return Record{}, errors.New("node record: a tag is not a label")
		}
	}
	return r, nil
}

func address(b []byte, size int) (netip.Addr, bool) {
	if len(b) == 0 {
		return netip.Addr{}, true
	}
	a, ok := netip.AddrFromSlice(b)
	return a, ok && len(b) == size && !a.IsUnspecified() && !a.IsMulticast() && !a.Is4In6()
}

// Transcript returns what a node signs: its record, bound to tenant and network.
func Transcript(tenant ident.Tenant, network ident.Network, record []byte) []byte {
	b := append([]byte("cvlan node record v1"), 0)
	b = binary.BigEndian.AppendUint64(b, uint64(tenant))
	b = binary.BigEndian.AppendUint64(b, uint64(network))
	return append(b, record...)
}

// AppendEndpoint appends the form in which an endpoint travels: address bytes, then the port, big endian.
func AppendEndpoint(b []byte, e netip.AddrPort) []byte {
	b = append(b, e.Addr().Unmap().AsSlice()...)
	return binary.BigEndian.AppendUint16(b, e.Port())
}

// ParseEndpoint reads what AppendEndpoint wrote. It refuses what nothing can be sent to.
func ParseEndpoint(b []byte) (netip.AddrPort, bool) {
	if len(b) != 6 && len(b) != 18 {
		return netip.AddrPort{}, false
	}
	a, _ := netip.AddrFromSlice(b[:len(b)-2])
	port := binary.BigEndian.Uint16(b[len(b)-2:])
	return netip.AddrPortFrom(a, port), port != 0 && !a.IsUnspecified() && !a.IsMulticast() && !a.Is4In6()
}

// AppendRange appends the form in which a range travels: address bytes, then the length of the prefix.
func AppendRange(b []byte, p netip.Prefix) []byte {
	if !p.IsValid() {
		return b
	}
	return append(append(b, p.Masked().Addr().AsSlice()...), byte(p.Bits()))
}

// ParseRange reads what AppendRange wrote; no bytes are no range.
func ParseRange(b []byte) (netip.Prefix, bool) {
	if len(b) == 0 {
		return netip.Prefix{}, true
	}
	if len(b) != 5 && len(b) != 17 {
		return netip.Prefix{}, false
	}
	a, _ := netip.AddrFromSlice(b[:len(b)-1])
	p := netip.PrefixFrom(a, int(b[len(b)-1]))
	return p, p.IsValid() && p == p.Masked() && !a.Is4In6()
}
