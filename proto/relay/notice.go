package relay

import (
	"crypto/hmac"
	"encoding/binary"
)

// Notice tells a node that a frame of its was in vain.
type Notice struct {
	Kind   Kind // Closed or Unknown
	Reason Reason
	Number Number // that of the frame at fault
	Echo   uint64 // bytes 8-15 of the frame at fault
}

// NoticeOf makes the notice about a frame at fault; false if that is too short to be answered.
func NoticeOf(fault []byte, kind Kind, why Reason) (n Notice, ok bool) {
	if len(fault) < NoticeSize {
		return n, false
	}
	return Notice{kind, why, NumberOf(fault), binary.BigEndian.Uint64(fault[8:])}, true
}

// Append appends the notice. For Unknown the secret is nil.
func (n *Notice) Append(b []byte, s *Secret) []byte {
	at := len(b)
	b = append(b, make([]byte, NoticeSize)...)
	f := b[at:]
	f[0], f[1], f[2] = Type, byte(n.Kind), byte(n.Reason)
	binary.BigEndian.PutUint32(f[4:], uint32(n.Number))
	binary.BigEndian.PutUint64(f[8:], n.Echo)
	if s != nil {
		sum := derive(s, "cvlan relay notice v1", f[:HeaderSize])
		copy(f[HeaderSize:], sum[:])
	}
	return b
}

// ReadNotice reads a notice; false if it is none, or is Closed with a wrong MAC. Whoever gets an Unknown must compare Echo.
func ReadNotice(f []byte, s *Secret) (n Notice, ok bool) {
	if len(f) != NoticeSize || f[0] != Type || Kind(f[1]) != Closed && Kind(f[1]) != Unknown {
		return n, false
	}
	n = Notice{Kind(f[1]), Reason(f[2]), NumberOf(f), binary.BigEndian.Uint64(f[8:])}
	if n.Kind == Unknown {
		return n, true
	}
	sum := derive(s, "cvlan relay notice v1", f[:HeaderSize])
	return n, hmac.Equal(sum[:NoticeSize-HeaderSize], f[HeaderSize:])
}
