package msg

import (
	"encoding/binary"
	"fmt"
)

// Transform is an algorithm, §3.3.2.
type Transform struct {
	Type    TransformType
	ID      TransformID // means something together with Type only
	KeyBits uint16      // of a cipher with several key lengths; 0 is none given
	Unknown []Attribute // what else the sender asks for: a responder does not take a transform that has any (§3.3.6)
}

// Attribute is a number or, if Long is not nil, a byte string that says more about a transform, §3.3.5.
type Attribute struct {
	Type  uint16 // 15 bits
	Value uint16
	Long  []byte
}

const (
	transformSize = 8       // without attributes
	moreTransform = 3       // the first byte of all transforms but the last
	keyLength     = 14      // the only attribute of RFC 7296
	shortFormat   = 1 << 15 // of an attribute: its value is where the length of a long one would be
)

// Equal reports whether t and o are the same algorithm with the same key length, with nothing unknown about either.
func (t Transform) Equal(o Transform) bool {
	return t.Type == o.Type && t.ID == o.ID && t.KeyBits == o.KeyBits && len(t.Unknown)+len(o.Unknown) == 0
}

func nextTransform(s span, last bool) (t Transform, tail span, err *Error) {
	piece, tail, err := s.part(2, transformSize)
	if err != nil {
		return t, tail, err
	}
	more, err := moreOf(piece, moreTransform)
	if err != nil {
		return t, tail, err
	}
	if more == last {
		return t, tail, piece.fail(0, "header", "it and the number of transforms disagree on which is the last")
	}
	t = Transform{Type: TransformType(piece.b[4]), ID: TransformID(piece.u16(6))}
	_, attrs := piece.cut(transformSize)
	err = t.parseAttributes(attrs)
	return t, tail, err
}

func (t *Transform) parseAttributes(s span) *Error {
	for n := 1; len(s.b) > 0; n++ {
		if n > MaxAttributes {
			return s.fail(0, "attributes", "more than %d", MaxAttributes)
		}
		a, tail, err := nextAttribute(s)
		if err == nil {
			err = t.take(a, s)
		}
		if err != nil {
			return err.within("attribute %d", n)
		}
		s = tail
	}
	return nil
}

func nextAttribute(s span) (a Attribute, tail span, err *Error) {
	if err = s.need(4, "header"); err != nil {
		return a, tail, err
	}
	head, tail := s.cut(4)
	a.Type = head.u16(0) &^ shortFormat
	if head.u16(0)&shortFormat != 0 {
		a.Value = head.u16(2)
		return a, tail, nil
	}
	size := int(head.u16(2))
	if err = tail.need(size, "value"); err != nil {
		return a, tail, err
	}
	long, tail := tail.cut(size)
	a.Long = long.b
	return a, tail, nil
}

// take adds what the attribute at the start of s says.
func (t *Transform) take(a Attribute, s span) *Error {
	switch {
	case a.Type != keyLength:
		t.Unknown = append(t.Unknown, a)
	case a.Long != nil || a.Value == 0:
		return s.fail(0, "key length", "is no number of bits")
	case t.KeyBits != 0:
		return s.fail(0, "key length", "a second one")
	default:
		t.KeyBits = a.Value
	}
	return nil
}

func (t Transform) append(b []byte, more byte) ([]byte, error) {
	start := len(b)
	b = append(b, more, 0, 0, 0, byte(t.Type), 0)
	b = binary.BigEndian.AppendUint16(b, uint16(t.ID))
	if t.KeyBits != 0 {
		b = binary.BigEndian.AppendUint16(b, keyLength|shortFormat)
		b = binary.BigEndian.AppendUint16(b, t.KeyBits)
	}
	for _, a := range t.Unknown {
		var err error
		if b, err = a.append(b); err != nil {
			return b, err
		}
	}
	if len(b)-start > MaxMessage {
		return b, &EncodeError{"SA: transform", fmt.Sprintf("more than %d bytes", MaxMessage)}
	}
	binary.BigEndian.PutUint16(b[start+2:], uint16(len(b)-start))
	return b, nil
}

func (a Attribute) append(b []byte) ([]byte, error) {
	if a.Type&shortFormat != 0 || len(a.Long) > MaxMessage || a.Long != nil && a.Value != 0 {
		return b, &EncodeError{"SA: attribute", "its type has more than 15 bits, or it is too long, or both long and short"}
	}
	if a.Long == nil {
		b = binary.BigEndian.AppendUint16(b, a.Type|shortFormat)
		return binary.BigEndian.AppendUint16(b, a.Value), nil
	}
	b = binary.BigEndian.AppendUint16(b, a.Type)
	b = binary.BigEndian.AppendUint16(b, uint16(len(a.Long)))
	return append(b, a.Long...), nil
}
