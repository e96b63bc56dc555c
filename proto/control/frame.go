package control

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"

	"github.com/cvlan/cvlan/proto/control/pb"
)

const (
	// ALPN is the protocol's name in TLS (RFC 7301); it changes with the major version.
	ALPN = "cvlan/1"
	// Version is the newest version of the protocol in this package; VersionMin the oldest still spoken.
	Version    = 1
	VersionMin = 1
	// FeatureAmends is the bit of Welcome.features by which a controller says that it takes a record which its node has amended.
	FeatureAmends = 1
	// MaxFrame bounds a frame's message in bytes.
	MaxFrame = 1 << 20
	// MaxPiece is what a sender aims at for one piece of a map, so that a frame never holds up a slow line for long.
	MaxPiece = 64 << 10

	maxPrefix = 3 // bytes of varint that hold MaxFrame
)

var (
	// ErrTooLong is returned for a frame over MaxFrame, before it is read or sent. The stream is of no use afterwards.
	ErrTooLong = errors.New("frame longer than 1 MiB")
	// ErrMalformed is returned for bytes that are no frame. The stream is of no use afterwards.
	ErrMalformed = errors.New("malformed frame")
)

// AppendFrame appends f with its length to b.
func AppendFrame(b []byte, f *pb.Frame) ([]byte, error) {
	n := proto.Size(f)
	if n > MaxFrame {
		return b, ErrTooLong
	}
	b = binary.AppendUvarint(b, uint64(n))
	return proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(b, f)
}

// Reader is what ReadFrame reads from: a buffered stream.
type Reader interface {
	io.Reader
	io.ByteReader
}

// ReadFrame reads one frame. It returns io.EOF only at the end of a whole frame. At most limit bytes (MaxFrame if 0) are
// accepted, so that a stranger cannot make the controller hold a megabyte.
func ReadFrame(r Reader, limit int) (*pb.Frame, error) {
	if limit <= 0 || limit > MaxFrame {
		limit = MaxFrame
	}
	n, err := readLength(r)
	if err != nil {
		return nil, err
	}
	if n > limit {
		return nil, ErrTooLong
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, unexpected(err)
	}
	f := new(pb.Frame)
	if err := proto.Unmarshal(b, f); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return f, nil
}

func readLength(r io.ByteReader) (int, error) {
	n := 0
	for i := range maxPrefix {
		c, err := r.ReadByte()
		if err != nil {
			if i > 0 {
				err = unexpected(err)
			}
			return 0, err
		}
		n |= int(c&0x7f) << (7 * i)
		if c < 0x80 {
			return n, nil
		}
	}
	return 0, ErrTooLong
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
