package xfrm

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/sys/mark"
)

// This file is the messages of linux/xfrm.h: numbers are the host's order, but for SPIs, ports and addresses.

// Kinds of messages.
const (
	newSA        = 0x10
	delSA        = 0x11
	getSA        = 0x12
	delPolicy    = 0x14
	getPolicy    = 0x15
	updatePolicy = 0x19
)

// Attributes.
const (
	attrEncap     = 4
	attrTemplate  = 5
	attrSA        = 6
	attrAEAD      = 18
	attrReplay    = 23
	attrMark      = 29 // that packets get, and the bits of it
	attrMarkMask  = 30
	attrInterface = 31
)

const (
	protocolESP  = 50
	modeTunnel   = 1
	encapESP     = 2 // ESP in UDP, RFC 3948
	flagAnyInner = 32
	flagESN      = 128
	infinite     = ^uint64(0)

	selectorSize = 56
	idSize       = 24 // of xfrm_id and xfrm_usersa_id
	saSize       = 224
	policySize   = 168
	policyIDSize = 64
	replaySize   = 24
	algSize      = 64 + 8

	familyV4 = 2
	familyV6 = 10
)

var order = binary.NativeEndian

// Cipher is how an association protects packets: an AEAD with an ICV of 16 bytes.
type Cipher string

// The ciphers, in the kernel's words.
const (
	AESGCM           Cipher = "rfc4106(gcm(aes))"
	ChaCha20Poly1305 Cipher = "rfc7539esp(chacha20,poly1305)"
)

// SA is one direction of a pair.
type SA struct {
	SPI      uint32
	Peer     uint32         // the peer's number
	From, To netip.AddrPort // outside
	Cipher   Cipher
	Key      []byte   // and its salt
	Own      bool     // sealed packets bear the mark of the daemon's own (package mark); for the sealing direction alone, because opened ones would bear it, too
	ESN      bool     // sequence numbers have 64 bits
	Window   int      // of replay, in packets
	Last     uint64   // the number that was used last; no lower one is sent or accepted
	Missing  []uint64 // but these, which are less than the window behind it
	// Bounds, beyond which the kernel uses it no more, whatever becomes of us; 0: none.
	Packets, Bytes uint64
	Age            time.Duration
}

// Use is what an association has carried.
type Use struct {
	Sent, Received uint64 // the last number
	Packets, Bytes uint64 // by the kernel; bytes of inner packets
}

// name is what an association is found by.
type name struct {
	to  netip.Addr
	spi uint32
}

func (s SA) name() name { return name{s.To.Addr(), s.SPI} }

func family(a netip.Addr) uint16 {
	if a.Is4() {
		return familyV4
	}
	return familyV6
}

// putAddr writes an address of either family into 16 bytes.
func putAddr(b []byte, a netip.Addr) {
	if a.IsValid() {
		copy(b[:16], a.AsSlice())
	}
}

// putID writes an xfrm_id, which begins like an xfrm_usersa_id.
func putID(b []byte, to netip.Addr, spi uint32) {
	putAddr(b, to)
	binary.BigEndian.PutUint32(b[16:], spi)
	b[20] = protocolESP
}

// add returns the body of the message that makes an association.
func (s SA) add(link uint32) []byte {
	b := make([]byte, saSize, saSize+256)
	putID(b[selectorSize:], s.To.Addr(), s.SPI)
	at := selectorSize + idSize
	putAddr(b[at:], s.From.Addr())
	putLife(b[at+16:], s.Packets, s.Bytes, s.Age)
	at += 16 + 64 + 32 + 12 + 4 // addresses, lifetime, what was used of it, statistics, seq
	order.PutUint32(b[at:], s.Peer)
	order.PutUint16(b[at+4:], family(s.To.Addr()))
	b[at+6] = modeTunnel
	b[at+8] = flagAnyInner
	if s.ESN {
		b[at+8] |= flagESN
	}
	b = s.addAlgorithm(b)
	b = s.addEncap(b)
	b = s.addReplay(b)
	if s.Own {
		b = addNumber(addNumber(b, attrMark, mark.Value), attrMarkMask, mark.Mask)
	}
	return addNumber(b, attrInterface, link)
}

func (s SA) addAlgorithm(b []byte) []byte {
	alg := make([]byte, algSize, algSize+len(s.Key))
	copy(alg[:63], s.Cipher)
	order.PutUint32(alg[64:], uint32(len(s.Key)*8))
	order.PutUint32(alg[68:], 16*8)
	return addAttr(b, attrAEAD, append(alg, s.Key...))
}

func (s SA) addEncap(b []byte) []byte {
	var e [24]byte
	order.PutUint16(e[:], encapESP)
	binary.BigEndian.PutUint16(e[2:], s.From.Port())
	binary.BigEndian.PutUint16(e[4:], s.To.Port())
	return addAttr(b, attrEncap, e[:])
}

// addReplay says which number was used last, in both directions, because only one of them counts, and that all before it were.
func (s SA) addReplay(b []byte) []byte {
	words := max(1, (s.Window+31)/32)
	r := make([]byte, replaySize+4*words)
	order.PutUint32(r, uint32(words))
	order.PutUint32(r[4:], uint32(s.Last))
	order.PutUint32(r[8:], uint32(s.Last))
	if s.ESN {
		order.PutUint32(r[12:], uint32(s.Last>>32))
		order.PutUint32(r[16:], uint32(s.Last>>32))
	}
	order.PutUint32(r[20:], uint32(words*32))
	window := uint64(words * 32)
	seen := make([]uint32, words)
	for i := range seen {
		seen[i] = ^uint32(0)
	}
	for _, n := range s.Missing {
		if behind := s.Last - n; n < s.Last && behind < window {
			bit := (uint64(uint32(s.Last)-1)%window + window - behind) % window
			seen[bit/32] &^= 1 << (bit % 32)
		}
	}
	for i, w := range seen {
		order.PutUint32(r[replaySize+4*i:], w)
	}
	return addAttr(b, attrReplay, r)
}

// putLife writes an xfrm_lifetime_cfg. Only the hard limits matter: soft ones are the caller's.
func putLife(b []byte, packets, bytes uint64, age time.Duration) {
	orInfinite := func(n uint64) uint64 {
		if n == 0 {
			return infinite
		}
		return n
	}
	order.PutUint64(b, infinite)
	order.PutUint64(b[8:], orInfinite(bytes))
	order.PutUint64(b[16:], infinite)
	order.PutUint64(b[24:], orInfinite(packets))
	order.PutUint64(b[40:], uint64(age/time.Second))
}

// body is that of the messages which ask for an association, or remove it.
func (n name) body(link uint32) []byte {
	b := make([]byte, idSize)
	putID(b, n.to, n.spi)
	order.PutUint16(b[20:], family(n.to)) // of xfrm_usersa_id the family comes before the protocol
	b[22] = protocolESP
	return addNumber(b, attrInterface, link)
}

// errShort says that the kernel speaks another language.
var errShort = errors.New("the kernel's message is shorter than it says")

// found is an association as the kernel tells of it.
type found struct {
	name
	Use
	link uint32
}

// readSA reads the message that tells of an association.
func readSA(b []byte) (f found, err error) {
	if len(b) < saSize {
		return f, errShort
	}
	return f, f.read(b[:saSize], b[saSize:])
}

// readRemoved reads the notice that one was removed, which has the association as an attribute.
func readRemoved(b []byte) (f found, err error) {
	if len(b) < idSize {
		return f, errShort
	}
	var sa []byte
	attrs(b[idSize:], func(kind uint16, value []byte) {
		if kind == attrSA {
			sa = value
		}
	})
	if len(sa) < saSize {
		return f, errShort
	}
	return f, f.read(sa[:saSize], b[idSize:])
}

func (f *found) read(sa, more []byte) error {
	id := sa[selectorSize:]
	f.to = readAddr(id, order.Uint16(sa[selectorSize+idSize+16+64+32+12+4+4:]))
	f.spi = binary.BigEndian.Uint32(id[16:])
	current := sa[selectorSize+idSize+16+64:]
	f.Bytes, f.Packets = order.Uint64(current), order.Uint64(current[8:])
	err := errors.New("the kernel tells no numbers of the association")
	attrs(more, func(kind uint16, value []byte) {
		switch {
		case kind == attrReplay && len(value) >= replaySize:
			f.Sent = uint64(order.Uint32(value[12:]))<<32 | uint64(order.Uint32(value[4:]))
			f.Received = uint64(order.Uint32(value[16:]))<<32 | uint64(order.Uint32(value[8:]))
			err = nil
		case kind == attrInterface && len(value) >= 4:
			f.link = order.Uint32(value)
		}
	})
	return err
}

func readAddr(b []byte, family uint16) netip.Addr {
	if family == familyV4 {
		return netip.AddrFrom4([4]byte(b[:4]))
	}
	return netip.AddrFrom16([16]byte(b[:16]))
}

// direction is that of a policy.
type direction uint8

const (
	in direction = iota
	out
)

// policy says what of the interface's traffic is sealed, or must have been.
type policy struct {
	dir      direction
	src, dst netip.Addr // inside
	protocol uint8      // 0: all
	peer     uint32
	// Outer addresses and SPI of the association that seals; zero: any of the peer's.
	from, to netip.Addr
	spi      uint32
}

func (p policy) selector(b []byte) {
	putAddr(b, p.dst)
	putAddr(b[16:], p.src)
	order.PutUint16(b[40:], family(p.dst))
	b[42], b[43], b[44] = byte(p.dst.BitLen()), byte(p.src.BitLen()), p.protocol
}

// put is the body of the message that makes a policy, or replaces the one of the same traffic.
func (p policy) put(link uint32) []byte {
	b := make([]byte, policySize, policySize+128)
	p.selector(b)
	putLife(b[selectorSize:], 0, 0, 0)
	b[selectorSize+64+32+8] = byte(p.dir)
	var t [64]byte
	putID(t[:], p.to, p.spi)
	outer := p.to
	if !outer.IsValid() {
		outer = p.dst
	}
	order.PutUint16(t[24:], family(outer))
	putAddr(t[28:], p.from)
	order.PutUint32(t[44:], p.peer)
	t[48] = modeTunnel
	for i := 52; i < 64; i++ {
		t[i] = 0xff // any algorithm: the association says which
	}
	b = addAttr(b, attrTemplate, t[:])
	return addNumber(b, attrInterface, link)
}

// remove is the body of the message that removes it.
func (p policy) remove(link uint32) []byte {
	b := make([]byte, policyIDSize)
	p.selector(b)
	b[selectorSize+4] = byte(p.dir)
	return addNumber(b, attrInterface, link)
}

// readPolicy reads which traffic a policy of the kernel's is about, and of which interface it is.
func readPolicy(b []byte) (p policy, link uint32, err error) {
	if len(b) < policySize {
		return p, 0, errShort
	}
	f := order.Uint16(b[40:])
	p.dst, p.src, p.protocol, p.dir = readAddr(b, f), readAddr(b[16:], f), b[44], direction(b[selectorSize+64+32+8])
	attrs(b[policySize:], func(kind uint16, value []byte) {
		if kind == attrInterface && len(value) >= 4 {
			link = order.Uint32(value)
		}
	})
	return p, link, nil
}

// addAttr appends an attribute.
func addAttr(b []byte, kind uint16, value []byte) []byte {
	b = order.AppendUint16(b, uint16(4+len(value)))
	b = order.AppendUint16(b, kind)
	b = append(b, value...)
	return append(b, make([]byte, -len(value)&3)...)
}

func addNumber(b []byte, kind uint16, n uint32) []byte {
	return addAttr(b, kind, order.AppendUint32(nil, n))
}

// attrs yields the attributes that are whole.
func attrs(b []byte, yield func(kind uint16, value []byte)) {
	for len(b) >= 4 {
		size := int(order.Uint16(b))
		if size < 4 || size > len(b) {
			return
		}
		yield(order.Uint16(b[2:])&0x3fff, b[4:size])
		b = b[min(len(b), (size+3)&^3):]
	}
}
