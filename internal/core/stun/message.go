package stun

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/netip"
)

// Types of the binding method's messages (RFC 8489, section 5).
const (
	TypeRequest    uint16 = 0x0001
	TypeIndication uint16 = 0x0011
	TypeSuccess    uint16 = 0x0101
	TypeError      uint16 = 0x0111
)

// Attributes (RFC 8489, section 18.3; RFC 5780, section 7).
const (
	attrMapped       = 0x0001
	attrChange       = 0x0003
	attrUsername     = 0x0006
	attrIntegrity    = 0x0008
	attrErrorCode    = 0x0009
	attrUnknown      = 0x000a
	attrIntegrity256 = 0x001c
	attrXorMapped    = 0x0020
	attrResponsePort = 0x0027
	attrOptional     = 0x8000 // from here on attributes need not be understood
	attrSoftware     = 0x8022
	attrFingerprint  = 0x8028
	attrOther        = 0x802c
)

// Sizes in bytes.
const (
	headerSize      = 20
	attrHeaderSize  = 4
	fingerprintSize = 8
	// MaxMessage is the longest message that Parse reads: what an Ethernet frame carries over IPv4, so that questions can be padded to
	// find out what a path carries.
	MaxMessage = 1472
)

const (
	cookie         = 0x2112A442
	fingerprintXor = 0x5354554e
)

// MaxUnknown is how many unknown attributes of a message are remembered, and named in an error.
const MaxUnknown = 4

// Change says from which other address an answer is wanted (RFC 5780, section 7.2): a set of bits.
type Change uint32

// The bits.
const (
	ChangePort Change = 2
	ChangeIP   Change = 4
)

// TxID tells an answer which question it belongs to.
type TxID [12]byte

// Message is what a binding message says. Fields that were not in it are zero.
type Message struct {
	Type      uint16
	Tx        TxID
	Mapped    netip.AddrPort // where the question came from, as the server saw it
	Other     netip.AddrPort // the server's alternate address
	Change    Change
	HasChange bool
	Port      uint16 // of the asker's, that the answer is wanted at (RESPONSE-PORT); 0: that of the question
	Code      int    // of an error, 300 to 699
	Unknown   []uint16
}

// Is reports whether a datagram can be STUN: two zero bits, then the cookie in its place (RFC 8489, section 5).
func Is(b []byte) bool {
	return len(b) >= headerSize && b[0]&0xc0 == 0 && binary.BigEndian.Uint32(b[4:]) == cookie
}

// ErrNotSTUN is the error of Parse for a datagram of another protocol.
var ErrNotSTUN = errors.New("not STUN: no header with the magic cookie")

// Parse reads a datagram that holds one message, and checks its fingerprint if there is one. Attributes that have to be understood
// and are not are no error but in Unknown, at most MaxUnknown of them. Of attributes that come twice the first counts (RFC 8489,
// section 14), and what follows a fingerprint is an error.
func Parse(b []byte) (Message, error) {
	if !Is(b) {
		return Message{}, ErrNotSTUN
	}
	if len(b) > MaxMessage {
		return Message{}, errors.New("STUN message refused: longer than 1,472 bytes")
	}
	if n := int(binary.BigEndian.Uint16(b[2:])); n%4 != 0 || n != len(b)-headerSize {
		return Message{}, errors.New("STUN message refused: its length is not the datagram's")
	}
	r := reader{all: b}
	r.m.Type = binary.BigEndian.Uint16(b)
	copy(r.m.Tx[:], b[8:headerSize])
	for rest := b[headerSize:]; len(rest) > 0; {
		if len(rest) < attrHeaderSize {
			return Message{}, errors.New("STUN message refused: an attribute is cut off")
		}
		kind, n := binary.BigEndian.Uint16(rest), int(binary.BigEndian.Uint16(rest[2:]))
		padded := attrHeaderSize + (n+3)&^3
		if padded > len(rest) {
			return Message{}, errors.New("STUN message refused: an attribute is cut off")
		}
		if err := r.attribute(kind, rest[attrHeaderSize:attrHeaderSize+n], len(b)-len(rest)); err != nil {
			return Message{}, err
		}
		rest = rest[padded:]
	}
	r.m.Mapped = r.xor
	if !r.xor.IsValid() {
		r.m.Mapped = r.plain
	}
	return r.m, nil
}

// reader is what Parse knows while it walks through the attributes.
type reader struct {
	all        []byte
	m          Message
	xor, plain netip.AddrPort
	finished   bool // the fingerprint has been read
	integrity  bool // what follows counts no more, but for the fingerprint (RFC 8489, section 14.5)
}

func (r *reader) attribute(kind uint16, v []byte, at int) error {
	switch {
	case r.finished:
		return errors.New("STUN message refused: something follows the fingerprint")
	case kind == attrFingerprint:
		r.finished = true
		return checkFingerprint(r.all[:at], v)
	case r.integrity && kind != attrIntegrity256:
		return nil
	}
	return r.value(kind, v)
}

func (r *reader) value(kind uint16, v []byte) (err error) {
	switch kind {
	case attrXorMapped:
		err = readAddr(&r.xor, v, r.all[4:headerSize])
	case attrMapped:
		err = readAddr(&r.plain, v, nil)
	case attrOther:
		err = readAddr(&r.m.Other, v, nil)
	case attrChange:
		if len(v) != 4 {
			return errors.New("STUN message refused: CHANGE-REQUEST is not 4 bytes")
		}
		if !r.m.HasChange {
			r.m.Change, r.m.HasChange = Change(binary.BigEndian.Uint32(v))&(ChangeIP|ChangePort), true
		}
	case attrResponsePort:
		if len(v) < 2 || binary.BigEndian.Uint16(v) == 0 {
			return errors.New("STUN message refused: RESPONSE-PORT holds none")
		}
		if r.m.Port == 0 {
			r.m.Port = binary.BigEndian.Uint16(v)
		}
	case attrErrorCode:
		if len(v) < 4 || v[2]&7 < 3 || v[2]&7 > 6 || v[3] > 99 {
			return errors.New("STUN message refused: ERROR-CODE holds none")
		}
		if r.m.Code == 0 {
			r.m.Code = int(v[2]&7)*100 + int(v[3])
		}
	case attrIntegrity, attrIntegrity256:
		r.integrity = true
	case attrUsername, attrUnknown:
	default:
		if kind < attrOptional && len(r.m.Unknown) < MaxUnknown {
			r.m.Unknown = append(r.m.Unknown, kind)
		}
	}
	return err
}

func checkFingerprint(before, v []byte) error {
	if len(v) != 4 || binary.BigEndian.Uint32(v) != crc32.ChecksumIEEE(before)^fingerprintXor {
		return errors.New("STUN message refused: its fingerprint is wrong")
	}
	return nil
}

// readAddr reads an address (RFC 8489, section 14.1), masked with the cookie and the transaction if mask is given.
func readAddr(to *netip.AddrPort, v, mask []byte) error {
	if len(v) < 4 || !(v[1] == 1 && len(v) == 8 || v[1] == 2 && len(v) == 20) {
		return errors.New("STUN message refused: an address is neither IPv4 nor IPv6")
	}
	if to.IsValid() {
		return nil
	}
	var raw [18]byte
	n := copy(raw[:], v[2:])
	if mask != nil {
		raw[0] ^= mask[0]
		raw[1] ^= mask[1]
		for i := range raw[2:n] {
			raw[2+i] ^= mask[i]
		}
	}
	ip, _ := netip.AddrFromSlice(raw[2:n])
	*to = netip.AddrPortFrom(ip.Unmap(), binary.BigEndian.Uint16(raw[:]))
	return nil
}
