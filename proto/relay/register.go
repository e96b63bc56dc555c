package relay

import "encoding/binary"

// Hello is the Register frame, on streams only:
//
//	0 type, 1 kind, 2-3 zero, 4 lowest version, 5 highest version, 6-15 zero; what follows, up to MaxRegister bytes, is for later versions
type Hello struct{ Min, Max uint8 }

// Append appends the frame.
func (h Hello) Append(b []byte) []byte {
	return append(b, Type, byte(Register), 0, 0, h.Min, h.Max, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
}

// ReadHello reads a Register frame.
func ReadHello(b []byte) (Hello, error) {
	if len(b) < HeaderSize || len(b) > MaxRegister || b[0] != Type || Kind(b[1]) != Register || b[4] > b[5] {
		return Hello{}, ErrMalformed
	}
	return Hello{b[4], b[5]}, nil
}

// Agree returns the newest version that both speak; false if there is none.
func (h Hello) Agree() (uint8, bool) { return Version, h.Min <= Version && Version <= h.Max }

// Welcome is the Registered frame, on streams only:
//
//	0 type, 1 kind, 2 reason, 3 version, 4-7 client, 8-9 idle s, 10-11 channels a client, 12-15 zero, 16-47 secret
//
// With a reason the registration was refused, and the rest is zero.
type Welcome struct {
	Reason   Reason
	Version  uint8
	Client   Number
	Idle     uint16 // seconds after which a silent client is forgotten
	Channels uint16
	Secret   Secret
}

const welcomeSize = HeaderSize + len(Secret{})

// Append appends the frame.
func (w *Welcome) Append(b []byte) []byte {
	b = append(b, Type, byte(Registered), byte(w.Reason), w.Version)
	b = binary.BigEndian.AppendUint32(b, uint32(w.Client))
	b = binary.BigEndian.AppendUint16(b, w.Idle)
	b = binary.BigEndian.AppendUint16(b, w.Channels)
	b = append(b, 0, 0, 0, 0)
	return append(b, w.Secret[:]...)
}

// ReadWelcome reads a Registered frame; bytes behind it are for later versions.
func ReadWelcome(b []byte) (w Welcome, err error) {
	if len(b) < welcomeSize || len(b) > MaxRegister || b[0] != Type || Kind(b[1]) != Registered {
		return w, ErrMalformed
	}
	w = Welcome{Reason: Reason(b[2]), Version: b[3], Client: NumberOf(b), Idle: binary.BigEndian.Uint16(b[8:]), Channels: binary.BigEndian.Uint16(b[10:])}
	copy(w.Secret[:], b[HeaderSize:])
	return w, nil
}
