package relay

import "encoding/binary"

// AppendStream appends a frame with its length, as it travels on a stream.
func AppendStream(b, frame []byte) ([]byte, error) {
	if len(frame) < HeaderSize || len(frame) > MaxFrame {
		return b, ErrMalformed
	}
	return append(binary.BigEndian.AppendUint16(b, uint16(len(frame))), frame...), nil
}

// NextStream takes the first frame off what has been read of a stream. The frame aliases b and is nil while it has not arrived whole; an
// error ends the stream. It never asks for more than 2 + MaxFrame bytes.
func NextStream(b []byte) (frame, rest []byte, err error) {
	if len(b) < 2 {
		return nil, b, nil
	}
	n := int(binary.BigEndian.Uint16(b))
	if n < HeaderSize || n > MaxFrame {
		return nil, b, ErrMalformed
	}
	if len(b) < 2+n {
		return nil, b, nil
	}
	frame = b[2 : 2+n : 2+n]
	if _, ok := KindOf(frame); !ok {
		return nil, b, ErrMalformed
	}
	return frame, b[2+n:], nil
}
