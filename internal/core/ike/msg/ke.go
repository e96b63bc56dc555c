package msg

import "encoding/binary"

// KE is the sender's public value of a key exchange, §3.4; with additional exchanges (RFC 9370) also a ciphertext. Whether Data
// has the length that Method asks for is known to who computes with it.
type KE struct {
	Method TransformID // of transforms of type KeyExchange
	Data   []byte
}

func (KE) Type() PayloadType { return TypeKE }

func parseKE(s span) (KE, *Error) {
	if err := s.need(5, "key exchange data"); err != nil {
		return KE{}, err
	}
	return KE{Method: TransformID(s.u16(0)), Data: s.b[4:]}, nil
}

func (k KE) body(b []byte) ([]byte, error) {
	b = binary.BigEndian.AppendUint16(b, uint16(k.Method))
	b = append(b, 0, 0)
	return append(b, k.Data...), nil
}
