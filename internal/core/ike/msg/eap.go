package msg

import "encoding/binary"

// EAP carries a packet of the Extensible Authentication Protocol, §3.16 and RFC 3748 §4.
type EAP struct {
	Code EAPCode
	ID   uint8
	Data []byte // of a request or response: the type and what it says; of success and failure nothing
}

// EAPCode is what an EAP packet is.
type EAPCode uint8

const (
	EAPRequest  EAPCode = 1
	EAPResponse EAPCode = 2
	EAPSuccess  EAPCode = 3
	EAPFailure  EAPCode = 4
)

const eapSize = 4 // without data

func (EAP) Type() PayloadType { return TypeEAP }

func parseEAP(s span) (EAP, *Error) {
	if err := s.need(eapSize, "packet"); err != nil {
		return EAP{}, err
	}
	if n := int(s.u16(2)); n != len(s.b) {
		return EAP{}, s.fail(2, "packet", "length %d in a payload of %d", n, len(s.b))
	}
	head, data := s.cut(eapSize)
	p := EAP{Code: EAPCode(head.b[0]), ID: head.b[1], Data: data.bytes()}
	final := p.Code == EAPSuccess || p.Code == EAPFailure
	if n := len(p.Data); final && n > 0 || !final && n == 0 {
		return EAP{}, s.fail(eapSize, "packet", "%d bytes of data with code %d", n, p.Code)
	}
	return p, nil
}

func (e EAP) body(b []byte) ([]byte, error) {
	if len(e.Data) > MaxMessage {
		return b, &EncodeError{"EAP", "the packet is longer than a message"}
	}
	b = append(b, byte(e.Code), e.ID)
	b = binary.BigEndian.AppendUint16(b, uint16(eapSize+len(e.Data)))
	return append(b, e.Data...), nil
}
