package relay

import "encoding/binary"

// Hello is the Register frame, on streams only:
//
//	0 type, 1 kind, 2-3 zero, 4 lowest version, 5 highest version, 6-15 zero, 16 length of the certificate (2), certificate (DER),
//	length of the signature (2), signature (ECDSA-Sig-Value, RFC 3279); what follows, up to MaxRegister bytes, is for later versions
//
// In a frame of version 1 nothing followed the first 16 bytes. A relay answers Unsupported to a frame whose versions are none of its own,
// whatever else is in it.
type Hello struct {
	Min, Max uint8

	// Of a frame that was read and of a version that we speak: see Holder. They alias it.
	certificate, signature []byte
	signed                 []byte // all that comes before the length of the signature
}

// Append appends the frame without certificate and signature.
func (h Hello) Append(b []byte) []byte {
	return append(b, Type, byte(Register), 0, 0, h.Min, h.Max, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
}

// ReadHello reads a Register frame. What it returns is good as long as b is.
func ReadHello(b []byte) (h Hello, err error) {
	if len(b) < HeaderSize || len(b) > MaxRegister || b[0] != Type || Kind(b[1]) != Register || b[4] > b[5] {
		return h, ErrMalformed
	}
	h = Hello{Min: b[4], Max: b[5]}
	if _, ok := h.Agree(); !ok {
		return h, nil
	}
	rest, ok := b[HeaderSize:], false
	if h.certificate, rest, ok = field(rest); !ok {
		return Hello{}, ErrMalformed
	}
	h.signed = b[:len(b)-len(rest)]
	if h.signature, _, ok = field(rest); !ok {
		return Hello{}, ErrMalformed
	}
	return h, nil
}

// field takes bytes off that have their length in front.
func field(b []byte) (f, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, b, false
	}
	n := int(binary.BigEndian.Uint16(b))
	if b = b[2:]; len(b) < n {
		return nil, b, false
	}
	return b[:n], b[n:], true
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
