package msg

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// Message is one IKE message: a request or a response.
type Message struct {
	Header
	Payloads []Payload // in the order of the wire
}

// A Payload is one of SA, KE, IDi, IDr, Cert, CertReq, Auth, Nonce, Notify, Delete, Vendor, TSi, TSr, SK, SKF, CP, EAP and Unknown.
type Payload interface {
	Type() PayloadType
	// body appends what follows the generic header. Numbers that do not fit their field are an error; the rest is for Parse to judge.
	body(b []byte) ([]byte, error)
}

// Parse reads a message. Its error is an *Error. The values share b's memory.
func Parse(b []byte) (Message, error) {
	h, first, err := parseHeader(b)
	if err != nil {
		return Message{}, err
	}
	ps, err := chain(first, span{b[HeaderSize:], HeaderSize}, true)
	if err != nil {
		return Message{}, err
	}
	return Message{Header: h, Payloads: ps}, nil
}

// Chain reads the payloads that were sealed in SK, or in the fragments of a message, put together. first is the type of the first
// of them: SK.First, or SKF.First of the first fragment. Offsets of its *Error count from the start of b.
func Chain(first PayloadType, b []byte) ([]Payload, error) {
	if len(b) > MaxMessage {
		return nil, span{b: b}.fail(0, "payloads", "%d bytes, we take %d", len(b), MaxMessage)
	}
	ps, err := chain(first, span{b: b}, false)
	if err != nil {
		return nil, err
	}
	return ps, nil
}

// Append writes m at the end of b. Its error is an *EncodeError for what cannot be written, and an *Error for what Parse would
// refuse, with offsets from the start of the message; b is then returned as it was.
func (m Message) Append(b []byte) ([]byte, error) {
	start := len(b)
	out, err := appendChain(m.Header.append(b, firstOf(m.Payloads)), m.Payloads)
	if err != nil {
		return b, err
	}
	setLength(out[start:], len(out)-start)
	if _, err := Parse(out[start:]); err != nil {
		return b, err
	}
	return out, nil
}

// AppendChain writes the payloads that go into SK at the end of b, and says which type the first of them has (NoPayload if there
// are none). Errors are as those of Message.Append.
func AppendChain(b []byte, ps []Payload) (PayloadType, []byte, error) {
	start, first := len(b), firstOf(ps)
	out, err := appendChain(b, ps)
	if err != nil {
		return NoPayload, b, err
	}
	if _, err := Chain(first, out[start:]); err != nil {
		return NoPayload, b, err
	}
	return first, out, nil
}

// chain reads payload after payload, and no byte may be left. Where outer, the last may be encrypted; inside of that, none.
func chain(next PayloadType, s span, outer bool) ([]Payload, *Error) {
	ps := make([]Payload, 0, 8)
	for next != NoPayload {
		if len(ps) == MaxPayloads {
			return nil, s.fail(0, next.String(), "more than %d payloads", MaxPayloads)
		}
		piece, tail, err := s.part(2, GenericSize)
		if err != nil {
			return nil, err.within("%s", next)
		}
		inside := PayloadType(piece.b[0])
		p, err := parsePayload(next, piece, outer)
		if err != nil {
			return nil, err
		}
		ps = append(ps, p)
		s = tail
		if next == TypeSK || next == TypeSKF { // what comes next is inside
			break
		}
		next = inside
	}
	if len(s.b) > 0 {
		return nil, s.fail(0, "message", "%d bytes after the last payload", len(s.b))
	}
	return slices.Clip(ps), nil
}

// parsePayload reads one payload, generic header included.
func parsePayload(t PayloadType, piece span, outer bool) (Payload, *Error) {
	head, body := piece.cut(GenericSize)
	if t == TypeSK || t == TypeSKF {
		if !outer {
			return nil, head.fail(0, t.String(), "encrypted twice")
		}
		return parseSealed(t, PayloadType(head.b[0]), body)
	}
	if p, known, err := parseBody(t, body); known {
		return p, err.within("%s", t)
	}
	if head.b[1]&criticalBit != 0 {
		err := head.fail(0, t.String(), "critical, and we do not know it")
		err.Notify, err.Payload = UnsupportedCriticalPayload, t
		return nil, err
	}
	return Unknown{Kind: t, Body: body.bytes()}, nil
}

func appendChain(b []byte, ps []Payload) ([]byte, error) {
	if len(ps) > MaxPayloads {
		return b, &EncodeError{"payloads", fmt.Sprintf("%d, the limit is %d", len(ps), MaxPayloads)}
	}
	for i, p := range ps {
		start := len(b)
		b = append(b, byte(nextOf(ps, i)), 0, 0, 0)
		var err error
		if b, err = p.body(b); err != nil {
			return b, err
		}
		n := len(b) - start
		if n > MaxMessage {
			return b, &EncodeError{p.Type().String(), fmt.Sprintf("%d bytes, the limit is %d", n, MaxMessage)}
		}
		binary.BigEndian.PutUint16(b[start+2:], uint16(n))
	}
	return b, nil
}

func firstOf(ps []Payload) PayloadType {
	if len(ps) == 0 {
		return NoPayload
	}
	return ps[0].Type()
}

// nextOf is the next payload field of the payload i: the type of the one that follows or, for an encrypted one, of the first inside.
func nextOf(ps []Payload, i int) PayloadType {
	switch p := ps[i].(type) {
	case SK:
		return p.First
	case SKF:
		return p.First
	}
	return firstOf(ps[i+1:])
}
