package msg

import "encoding/binary"

// SK holds the encrypted payloads of a message, §3.14. It is the last payload of its message.
type SK struct {
	First PayloadType // of the payloads inside
	Body  []byte      // IV, ciphertext and integrity check value; their lengths depend on the transforms
}

// SKF holds a fragment of the encrypted payloads of a message, RFC 7383 §2.5. It is the last payload of its message.
type SKF struct {
	First  PayloadType // of the payloads inside; means something in the first fragment only
	Number uint16      // of this fragment, from 1
	Total  uint16      // of fragments; a sender that had to make them smaller begins anew with a higher total
	Body   []byte      // IV, ciphertext and integrity check value
}

func (SK) Type() PayloadType  { return TypeSK }
func (SKF) Type() PayloadType { return TypeSKF }

// Associated is the part of the message, of which s is the payload, that its AEAD authenticates beside the ciphertext: all of it
// up to the IV (RFC 5282 §5.1). The integrity check value of the other ciphers covers this part, IV and ciphertext.
func (s SK) Associated(message []byte) []byte { return message[:len(message)-len(s.Body)] }

// Associated is as SK's; the numbers of the fragment are in it (RFC 7383 §2.5).
func (s SKF) Associated(message []byte) []byte { return message[:len(message)-len(s.Body)] }

func (s SK) body(b []byte) ([]byte, error) { return append(b, s.Body...), nil }

func (s SKF) body(b []byte) ([]byte, error) {
	b = binary.BigEndian.AppendUint16(b, s.Number)
	b = binary.BigEndian.AppendUint16(b, s.Total)
	return append(b, s.Body...), nil
}

// AppendSK writes a message whose only payload is SK up to the body: the caller appends exactly n bytes of body, which are to be
// more than none. What was written here is what an AEAD authenticates, and all its lengths are final.
func (h Header) AppendSK(b []byte, first PayloadType, n int) ([]byte, error) {
	return h.appendSealed(b, SK{First: first}, n)
}

// AppendSKF does the same for a fragment.
func (h Header) AppendSKF(b []byte, first PayloadType, number, total uint16, n int) ([]byte, error) {
	return h.appendSealed(b, SKF{First: first, Number: number, Total: total}, n)
}

func (h Header) appendSealed(b []byte, p Payload, n int) ([]byte, error) {
	start := len(b)
	out, err := appendChain(h.append(b, p.Type()), []Payload{p})
	if err != nil {
		return b, err
	}
	size := len(out) - start + n
	if n <= 0 || size > MaxMessage {
		return b, &EncodeError{p.Type().String(), "its body is empty, or the message longer than we take"}
	}
	if f, ok := p.(SKF); ok && (f.Number == 0 || f.Number > f.Total || f.Total > MaxFragments) {
		return b, &EncodeError{"SKF", "the number of the fragment is not one of the total, or there are too many"}
	}
	setLength(out[start:], size)
	binary.BigEndian.PutUint16(out[start+HeaderSize+2:], uint16(size-HeaderSize))
	return out, nil
}

// parseSealed reads the body of SK or SKF. That it is the last payload is its caller's to see.
func parseSealed(t, first PayloadType, s span) (Payload, *Error) {
	if t == TypeSK {
		if err := s.need(1, "SK"); err != nil {
			return nil, err
		}
		return SK{First: first, Body: s.b}, nil
	}
	if err := s.need(fragSize+1, "SKF"); err != nil {
		return nil, err
	}
	f := SKF{First: first, Number: s.u16(0), Total: s.u16(2), Body: s.b[fragSize:]}
	switch {
	case f.Total > MaxFragments:
		return nil, s.fail(2, "SKF", "%d fragments, we take %d", f.Total, MaxFragments)
	case f.Number == 0 || f.Number > f.Total:
		return nil, s.fail(0, "SKF", "fragment %d of %d", f.Number, f.Total)
	}
	return f, nil
}
