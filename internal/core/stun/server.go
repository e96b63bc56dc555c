package stun

import (
	"encoding/binary"
	"net/netip"
)

// BareAnswer is the length in bytes that an answer may have however short the question was.
const BareAnswer = headerSize + addr6Size

// codeUnknown is the error for attributes that must be understood and are not (RFC 8489, section 14.8).
const codeUnknown = 420

// Server answers the questions that arrive at one address. The zero Server has no other place to answer from.
type Server struct {
	// Other is the server's address with another IP address and another port than this one (RFC 5780, section 6). While it is not
	// valid, a question that wants its answer from another IP address is refused.
	Other netip.AddrPort
	// TwoPorts says that answers can leave from a second port of the same IP address. While it is not set and Other is not valid, a
	// question that wants its answer from another port is refused.
	TwoPorts bool
	// Ports says that answers go to where Towards says. While it is not set, a question that wants its answer at another port is refused.
	Ports bool
}

// can reports whether the server has the place that an answer is wanted from.
func (s Server) can(c Change) bool {
	return s.Other.IsValid() || c&ChangeIP == 0 && (s.TwoPorts || c&ChangePort == 0)
}

// Answer appends the answer to a question that came from an address. change says from which of the server's addresses it goes:
// with another IP address, another port, or both; 0 is the one that was asked. ok is false if there is nothing to answer: not a
// sound binding request, no sender that could get it, or a CHANGE-REQUEST that is shorter than its answer. See the package comment
// for how long an answer may be.
func (s Server) Answer(dst, question []byte, from netip.AddrPort) (answer []byte, change Change, ok bool) {
	m, err := Parse(question)
	if err != nil || m.Type != TypeRequest || !possible(from) {
		return dst, 0, false
	}
	if (m.HasChange || m.Port != 0) && len(question) < BareAnswer {
		return dst, 0, false
	}
	unknown := m.Unknown
	if m.HasChange && !s.can(m.Change) && len(unknown) < MaxUnknown {
		unknown = append(unknown, attrChange)
	}
	if m.Port != 0 && !s.Ports && len(unknown) < MaxUnknown {
		unknown = append(unknown, attrResponsePort)
	}
	if len(unknown) > 0 {
		return refusal(dst, m.Tx, unknown, len(question)), 0, true
	}
	from = netip.AddrPortFrom(from.Addr().Unmap().WithZone(""), from.Port())
	w := begin(dst, TypeSuccess, m.Tx)
	w.addr(attrXorMapped, from, true)
	if s.Other.IsValid() && w.size()+addrSize(s.Other) <= len(question) {
		w.addr(attrOther, s.Other, false)
	}
	if w.size()+fingerprintSize <= len(question) {
		w.fingerprint()
	}
	return w.b, m.Change & (ChangeIP | ChangePort), true
}

// Towards is where the answer goes to a question that came from an address: there, or to the port of that address at which it is wanted (RFC
// 5780, section 7.5). An error always goes where the question came from.
func Towards(question, answer []byte, from netip.AddrPort) netip.AddrPort {
	if binary.BigEndian.Uint16(answer) != TypeSuccess {
		return from
	}
	if m, err := Parse(question); err == nil && m.Port != 0 {
		return netip.AddrPortFrom(from.Addr(), m.Port)
	}
	return from
}

// refusal names the attributes that are not understood. An odd one is named twice, which pads.
func refusal(dst []byte, tx TxID, unknown []uint16, room int) []byte {
	w := begin(dst, TypeError, tx)
	w.attribute(attrErrorCode, 4)
	w.b = append(w.b, 0, 0, codeUnknown/100, codeUnknown%100)
	if len(unknown)%2 != 0 {
		unknown = append(unknown, unknown[len(unknown)-1])
	}
	w.attribute(attrUnknown, 2*len(unknown))
	for _, kind := range unknown {
		w.b = binary.BigEndian.AppendUint16(w.b, kind)
	}
	if w.size()+fingerprintSize <= room {
		w.fingerprint()
	}
	return w.b
}

// possible reports whether a socket can have an address at all.
func possible(a netip.AddrPort) bool {
	ip := a.Addr().Unmap()
	return a.IsValid() && a.Port() != 0 && !ip.IsUnspecified() && !ip.IsMulticast() && ip != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}
