package msg

import (
	"bytes"
	"net/netip"
)

// Identity is a name by which a peer wants to be known, §3.5.
type Identity struct {
	Kind     IDKind
	Reserved [3]byte // zero; a peer's are kept, because AUTH signs them as they came
	Data     []byte
}

// Equal reports whether both are the same identity.
func (i Identity) Equal(o Identity) bool { return i.Kind == o.Kind && bytes.Equal(i.Data, o.Data) }

// IDi is the initiator's identity, IDr the responder's, or the one that the initiator would like to meet.
type (
	IDi Identity
	IDr Identity
)

// IDKind is what the data of an identity is.
type IDKind uint8

const (
	IDIPv4   IDKind = 1
	IDFQDN   IDKind = 2
	IDEmail  IDKind = 3
	IDIPv6   IDKind = 5
	IDDN     IDKind = 9  // an X.500 name, DER
	IDGN     IDKind = 10 // an X.509 GeneralName, DER
	IDKeyID  IDKind = 11 // opaque
	IDNobody IDKind = 13 // ID_NULL, RFC 7619
)

func (IDi) Type() PayloadType { return TypeIDi }
func (IDr) Type() PayloadType { return TypeIDr }

// Append writes what AUTH signs of an identity: its payload without the generic header (§2.15).
func (id Identity) Append(b []byte) []byte {
	return append(append(b, byte(id.Kind), id.Reserved[0], id.Reserved[1], id.Reserved[2]), id.Data...)
}

// Addr is the address that an IPv4 or IPv6 identity is.
func (id Identity) Addr() (netip.Addr, bool) {
	if id.Kind != IDIPv4 && id.Kind != IDIPv6 {
		return netip.Addr{}, false
	}
	return netip.AddrFromSlice(id.Data)
}

// AddrIdentity is the identity that an address is.
func AddrIdentity(a netip.Addr) Identity {
	a = a.Unmap()
	if a.Is4() {
		return Identity{Kind: IDIPv4, Data: a.AsSlice()}
	}
	return Identity{Kind: IDIPv6, Data: a.WithZone("").AsSlice()}
}

func parseIdentity(s span) (Identity, *Error) {
	if err := s.need(4, "identity"); err != nil {
		return Identity{}, err
	}
	head, data := s.cut(4)
	id := Identity{Kind: IDKind(head.b[0]), Reserved: [3]byte(head.b[1:]), Data: data.bytes()}
	if n := len(id.Data); !id.Kind.fits(n) {
		return Identity{}, s.fail(4, "identity", "%d bytes for %s", n, id.Kind)
	}
	return id, nil
}

func (k IDKind) fits(size int) bool {
	switch k {
	case IDIPv4:
		return size == 4
	case IDIPv6:
		return size == 16
	case IDNobody:
		return true
	}
	return size > 0
}

func (id IDi) body(b []byte) ([]byte, error) { return Identity(id).Append(b), nil }
func (id IDr) body(b []byte) ([]byte, error) { return Identity(id).Append(b), nil }
