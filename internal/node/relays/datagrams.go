package relays

import (
	"context"
	"errors"
	"sync"

	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/relay"
)

// spread writes frames to a connection with datagrams: packets as such, so that one that is lost holds up no other, and on the stream what the relay has
// to hear, or no datagram holds.
type spread struct{ raw *stream.Conn }

// Write implements io.Writer; b is whole frames, each with its length.
func (s spread) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		frame, after, err := relay.NextStream(rest)
		if err != nil {
			return 0, err
		}
		whole := rest[:len(rest)-len(after)]
		rest = after
		if relay.IsData(frame) {
			err := s.raw.SendDatagram(frame)
			if err == nil {
				continue
			}
			if !errors.Is(err, stream.ErrTooLarge) {
				return 0, err
			}
		}
		if _, err := patient(s).Write(whole); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// inTurn is a receiver for two readers.
type inTurn struct {
	sync.Mutex
	receiver
}

// Frames implements receiver.
func (i *inTurn) Frames(frames [][]byte) error {
	i.Lock()
	defer i.Unlock()
	return i.receiver.Frames(frames)
}

// readDatagrams hands on frames that come as datagrams until the connection ends. quic-go tells of no more than one at a time: what comes together is not handed on
// together, which matters little for the second until UDP carries the packets.
func readDatagrams(raw *stream.Conn, in receiver) {
	var one [1][]byte
	for {
		b, err := raw.ReceiveDatagram(context.Background())
		if err != nil {
			return
		}
		if _, ok := relay.KindOf(b); !ok || len(b) > relay.MaxFrame {
			continue
		}
		if one[0] = b; in.Frames(one[:]) != nil {
			raw.Close()
			return
		}
	}
}
