package portmap

import (
	"encoding/binary"
	"errors"
	"net/netip"
)

// Port is the UDP port of a router's PCP and NAT-PMP service; AnnouncePort that at which hosts hear its announcements, sent to
// 224.0.0.1 and ff02::1.
const (
	Port         = 5351
	AnnouncePort = 5350
)

// Protocol is a way to ask a router.
type Protocol uint8

// The protocols, best first.
const (
	PCP Protocol = iota + 1
	NATPMP
	UPnP
)

// String returns the protocol's name.
func (p Protocol) String() string {
	switch p {
	case PCP:
		return "PCP"
	case NATPMP:
		return "NAT-PMP"
	case UPnP:
		return "UPnP"
	default:
		return "none"
	}
}

// Op is what a message is about.
type Op uint8

// The operations.
const (
	Announce Op = 0 // PCP: the epoch; NAT-PMP: the outside address, too
	Map      Op = 1 // a UDP port
)

// Results that matter; others are failures like any.
const (
	Success            = 0
	UnsupportedVersion = 1
)

// Sizes in bytes.
const (
	pcpHeader  = 24
	pcpMap     = 36
	pcpMax     = 1100
	pmpHeader  = 8
	pmpAddress = 12
	pmpMap     = 16
	pmpRequest = 12
)

const (
	protocolUDP = 17
	answerBit   = 0x80
	pcpVersion  = 2
)

// Nonce tells the mappings of one host apart (RFC 6887, section 11.1).
type Nonce [12]byte

// Request is a question to a router. NAT-PMP has no Local, Nonce and Wanted.
type Request struct {
	Protocol Protocol
	Op       Op
	Local    netip.Addr // the asker's, as it sees it
	Nonce    Nonce
	Internal uint16     // our port
	External uint16     // the port that we would like; 0: any
	Wanted   netip.Addr // the outside address that we would like; invalid: any
	Lifetime uint32     // seconds; 0 releases
}

// Answer is what a router says. NAT-PMP has no Nonce, and either an address or a port.
type Answer struct {
	Protocol Protocol
	Op       Op
	Result   uint16
	Lifetime uint32 // seconds; of a failure, how long it will last
	Epoch    uint32 // seconds since the router forgot everything
	Nonce    Nonce
	Internal uint16
	External uint16
	Addr     netip.Addr // the outside address
}

var (
	errShort = errors.New("port mapping message refused: it is cut off")
	errKind  = errors.New("port mapping message refused: neither PCP nor NAT-PMP, or of an unknown kind")
)

// Append appends a request.
func (r *Request) Append(dst []byte) []byte {
	if r.Protocol == NATPMP {
		if r.Op == Announce {
			return append(dst, 0, 0)
		}
		dst = append(dst, 0, byte(r.Op), 0, 0)
		dst = binary.BigEndian.AppendUint16(dst, r.Internal)
		dst = binary.BigEndian.AppendUint16(dst, r.External)
		return binary.BigEndian.AppendUint32(dst, r.Lifetime)
	}
	dst = append(dst, pcpVersion, byte(r.Op), 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, r.Lifetime)
	dst = appendAddr(dst, r.Local)
	if r.Op == Announce {
		return dst
	}
	wanted := r.Wanted
	if !wanted.IsValid() && r.Local.Is4() {
		wanted = netip.IPv4Unspecified()
	}
	return appendMap(dst, r.Nonce, r.Internal, r.External, wanted)
}

func appendMap(dst []byte, n Nonce, internal, external uint16, a netip.Addr) []byte {
	dst = append(dst, n[:]...)
	dst = append(dst, protocolUDP, 0, 0, 0)
	dst = binary.BigEndian.AppendUint16(dst, internal)
	dst = binary.BigEndian.AppendUint16(dst, external)
	return appendAddr(dst, a)
}

func appendAddr(dst []byte, a netip.Addr) []byte {
	if !a.IsValid() {
		a = netip.IPv6Unspecified()
	}
	b := a.As16()
	return append(dst, b[:]...)
}

// ParseRequest reads a request, as a router does.
func ParseRequest(b []byte) (r Request, err error) {
	switch {
	case len(b) < 2 || len(b) > pcpMax:
		return r, errShort
	case b[0] == 0 && b[1] == byte(Announce):
		return Request{Protocol: NATPMP}, nil
	case b[0] == 0 && b[1] == byte(Map):
		if len(b) < pmpRequest {
			return r, errShort
		}
		return Request{Protocol: NATPMP, Op: Map, Internal: binary.BigEndian.Uint16(b[4:]), External: binary.BigEndian.Uint16(b[6:]),
			Lifetime: binary.BigEndian.Uint32(b[8:])}, nil
	case b[0] != pcpVersion || b[1] > byte(Map):
		return r, errKind
	case len(b) < pcpHeader || b[1] == byte(Map) && len(b) < pcpHeader+pcpMap:
		return r, errShort
	}
	r = Request{Protocol: PCP, Op: Op(b[1]), Lifetime: binary.BigEndian.Uint32(b[4:]), Local: readAddr(b[8:])}
	if r.Op == Map {
		m := b[pcpHeader:]
		if m[12] != protocolUDP {
			return Request{}, errKind
		}
		copy(r.Nonce[:], m)
		r.Internal, r.External, r.Wanted = binary.BigEndian.Uint16(m[16:]), binary.BigEndian.Uint16(m[18:]), readAddr(m[20:])
	}
	return r, nil
}

func readAddr(b []byte) netip.Addr { return netip.AddrFrom16([16]byte(b[:16])).Unmap() }

// Append appends an answer, as a router does.
func (a *Answer) Append(dst []byte) []byte {
	if a.Protocol == NATPMP {
		return a.appendPMP(dst)
	}
	dst = append(dst, pcpVersion, byte(a.Op)|answerBit, 0, byte(a.Result))
	dst = binary.BigEndian.AppendUint32(dst, a.Lifetime)
	dst = binary.BigEndian.AppendUint32(dst, a.Epoch)
	dst = append(dst, make([]byte, 12)...)
	if a.Op == Announce {
		return dst
	}
	return appendMap(dst, a.Nonce, a.Internal, a.External, a.Addr)
}

func (a *Answer) appendPMP(dst []byte) []byte {
	dst = append(dst, 0, byte(a.Op)|answerBit)
	dst = binary.BigEndian.AppendUint16(dst, a.Result)
	dst = binary.BigEndian.AppendUint32(dst, a.Epoch)
	if a.Op == Announce {
		ip := netip.IPv4Unspecified().As4()
		if a.Addr.Is4() {
			ip = a.Addr.As4()
		}
		return append(dst, ip[:]...)
	}
	dst = binary.BigEndian.AppendUint16(dst, a.Internal)
	dst = binary.BigEndian.AppendUint16(dst, a.External)
	return binary.BigEndian.AppendUint32(dst, a.Lifetime)
}

// ParseAnswer reads an answer. What follows it is passed over: a router may add options.
func ParseAnswer(b []byte) (Answer, error) {
	switch {
	case len(b) < pmpHeader:
		return Answer{}, errShort
	case len(b) > pcpMax || b[1]&answerBit == 0 || b[1]&^answerBit > byte(Map):
		return Answer{}, errKind
	case b[0] == 0:
		return parsePMP(b)
	case b[0] != pcpVersion:
		return Answer{}, errKind
	case len(b) < pcpHeader:
		return Answer{}, errShort
	}
	a := Answer{Protocol: PCP, Op: Op(b[1] &^ answerBit), Result: uint16(b[3]), Lifetime: binary.BigEndian.Uint32(b[4:]), Epoch: binary.BigEndian.Uint32(b[8:])}
	m := b[pcpHeader:]
	switch {
	case a.Op == Announce || a.Result == UnsupportedVersion:
		return a, nil
	case len(m) < pcpMap:
		return Answer{}, errShort
	case m[12] != protocolUDP:
		return Answer{}, errKind
	}
	copy(a.Nonce[:], m)
	a.Internal, a.External, a.Addr = binary.BigEndian.Uint16(m[16:]), binary.BigEndian.Uint16(m[18:]), readAddr(m[20:])
	return a, nil
}

func parsePMP(b []byte) (Answer, error) {
	a := Answer{Protocol: NATPMP, Op: Op(b[1] &^ answerBit), Result: binary.BigEndian.Uint16(b[2:]), Epoch: binary.BigEndian.Uint32(b[4:])}
	switch {
	case a.Op == Announce && len(b) >= pmpAddress:
		a.Addr = netip.AddrFrom4([4]byte(b[8:12]))
	case a.Op == Map && len(b) >= pmpMap:
		a.Internal, a.External, a.Lifetime = binary.BigEndian.Uint16(b[8:]), binary.BigEndian.Uint16(b[10:]), binary.BigEndian.Uint32(b[12:])
	case a.Result == Success:
		return Answer{}, errShort
	}
	return a, nil
}
