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

// drained is a context that waits for nothing.
var drained = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// readDatagrams hands on frames that come as datagrams, those together that have come together, until the connection ends.
func readDatagrams(raw *stream.Conn, in receiver) {
	frames := make([][]byte, 0, batchFrames)
	for {
		b, err := raw.ReceiveDatagram(context.Background())
		if err != nil {
			return
		}
		frames = frames[:0]
		for err == nil {
			if _, ok := relay.KindOf(b); ok && len(b) <= relay.MaxFrame {
				frames = append(frames, b)
			}
			if len(frames) == batchFrames {
				break
			}
			b, err = raw.ReceiveDatagram(drained)
		}
		if len(frames) > 0 && in.Frames(frames) != nil {
			raw.Close()
			return
		}
	}
}
