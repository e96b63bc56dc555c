package msg

import (
	"encoding/binary"
	"fmt"
)

// A span is a part of the input that remembers where it began, so that an error can say so.
type span struct {
	b  []byte
	at int
}

// fail is an error about the byte i of s.
func (s span) fail(i int, where, format string, args ...any) *Error {
	return &Error{Offset: s.at + i, Where: where, Why: fmt.Sprintf(format, args...), Notify: InvalidSyntax}
}

// need fails unless s has n bytes.
func (s span) need(n int, where string) *Error {
	if len(s.b) < n {
		return s.fail(0, where, "%d bytes, needs %d", len(s.b), n)
	}
	return nil
}

// cut splits s after n bytes, which it must have. The first part cannot grow into the second.
func (s span) cut(n int) (head, tail span) {
	return span{s.b[:n:n], s.at}, span{s.b[n:], s.at + n}
}

// bytes are those of s, and nil if it has none, as one who builds a value by hand leaves them out.
func (s span) bytes() []byte {
	if len(s.b) == 0 {
		return nil
	}
	return s.b
}

func (s span) u16(i int) uint16 { return binary.BigEndian.Uint16(s.b[i:]) }
func (s span) u32(i int) uint32 { return binary.BigEndian.Uint32(s.b[i:]) }

// part cuts off the next piece of a list, whose 16-bit length, header included, is at i and has to be at least least.
func (s span) part(i, least int) (piece, tail span, err *Error) {
	if err = s.need(least, "header"); err != nil {
		return piece, tail, err
	}
	n := int(s.u16(i))
	if n < least {
		return piece, tail, s.fail(i, "length", "%d is less than its header of %d", n, least)
	}
	if n > len(s.b) {
		return piece, tail, s.fail(i, "length", "%d, but %d bytes are left", n, len(s.b))
	}
	piece, tail = s.cut(n)
	return piece, tail, nil
}
