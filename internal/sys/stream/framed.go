package stream

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

const (
	// stall is how long a peer may take for each piece of 16 KiB before it counts as gone. It is not a limit for a whole message: a map
	// of a megabyte may take minutes on a slow line.
	stall = 10 * time.Second
	// flush is how long Close waits for the peer to take what was sent.
	flush = time.Second
	// record is how much is written at a time: what TLS puts into one record.
	record = 16 << 10
)

// carrier is the pipe of bytes below a stream.
type carrier interface {
	io.Reader
	// Write waits until all of b is on its way, or the write deadline.
	Write(b []byte) (int, error)
	// tryWrite takes all of b without waiting, or nothing.
	tryWrite(b []byte) bool
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
	// finish tells the peer that nothing more comes, and waits for it to finish too, until the given time.
	finish(until time.Time)
	// abort ends everything at once.
	abort()
}

// framed is the Stream on top of a carrier.
type framed struct {
	c     carrier
	r     *bufio.Reader
	limit atomic.Int32
	info  Info
	gate  gate
	// hurry is set while the first frame is awaited; it makes Recv lift the read deadline. See listener.
	hurry bool
	ended atomic.Bool // the peer has said that it sends no more
	wrong atomic.Pointer[error]
	over  chan struct{} // closed when Close has ended
}

func newFramed(c carrier, info Info, limit int) *framed {
	s := &framed{c: c, r: bufio.NewReaderSize(c, 16), info: info, over: make(chan struct{})} // 16: only lengths pass through; frames are read past it
	s.Limit(limit)
	return s
}

// Info implements Stream.
func (s *framed) Info() Info { return s.info }

// Limit implements Stream.
func (s *framed) Limit(bytes int) {
	if bytes <= 0 || bytes > control.MaxFrame {
		bytes = control.MaxFrame
	}
	s.limit.Store(int32(bytes))
}

// OnReady implements Stream.
func (s *framed) OnReady(f func()) { s.gate.onReady(f) }

// Recv implements Stream. Frames whose body is not known are passed over, as the protocol demands; heartbeats are such frames.
func (s *framed) Recv() (*pb.Frame, error) {
	f := new(pb.Frame)
	for f.Body == nil {
		var err error
		if f, err = control.ReadFrame(s.r, int(s.limit.Load())); err != nil {
			return nil, s.readError(err)
		}
	}
	if s.hurry {
		s.hurry = false
		s.c.SetReadDeadline(time.Time{})
	}
	return f, nil
}

// readError says what the end of reading means.
func (s *framed) readError(err error) error {
	var app *quic.ApplicationError
	switch {
	case s.closed():
		return net.ErrClosed
	case err == io.EOF, errors.As(err, &app) && app.Remote && app.ErrorCode == 0:
		s.ended.Store(true)
		return io.EOF
	case refused(err):
		return explain(err)
	}
	if w := s.wrong.Load(); w != nil {
		return *w // why reading failed: a write had
	}
	return err
}

// Send implements Stream.
func (s *framed) Send(ctx context.Context, frames []byte) error {
	if err := s.usable(); err != nil {
		return err
	}
	if err := s.gate.enter(ctx); err != nil {
		return err
	}
	defer s.gate.leave()
	return s.write(ctx, frames)
}

// TrySend implements Stream.
func (s *framed) TrySend(frames []byte) error {
	if err := s.usable(); err != nil {
		return err
	}
	if !s.gate.try() {
		return ErrWouldBlock
	}
	if s.c.tryWrite(frames) {
		s.gate.leave()
		return nil
	}
	go func() { // ends when the frames have gone or the peer has stalled; Close waits for it
		defer s.gate.leave()
		s.write(context.Background(), frames)
	}()
	return nil
}

// write writes all of b piece by piece, so that only a peer that takes nothing at all is given up. The caller is in the gate.
func (s *framed) write(ctx context.Context, b []byte) error {
	defer s.interrupt(ctx)()
	for len(b) > 0 {
		piece := b[:min(len(b), record)]
		s.c.SetWriteDeadline(time.Now().Add(stall))
		if err := ctx.Err(); err != nil {
			return s.fail(err)
		}
		if _, err := s.c.Write(piece); err != nil {
			return s.fail(cmp.Or(ctx.Err(), stalled(err)))
		}
		b = b[len(piece):]
	}
	return nil
}

// interrupt makes a write end when the context does, until the function that it returns has been called.
func (s *framed) interrupt(ctx context.Context) func() {
	if ctx.Done() == nil {
		return func() {}
	}
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		s.c.SetWriteDeadline(time.Unix(1, 0))
	})
	return func() {
		if !stop() {
			<-done // else it could hit the next write
		}
	}
}

// stalled says of a deadline what it was for.
func stalled(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("the peer has taken nothing for %v: %w", stall, err)
	}
	return err
}

// fail ends the stream after a write that may be half done. If it is the peer who ended it, reading goes on: what it said last, such as
// that it refuses our certificate, may still wait to be read.
func (s *framed) fail(err error) error {
	err = fmt.Errorf("stream: send: %w", explain(err))
	s.wrong.CompareAndSwap(nil, &err)
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		s.c.abort()
	}
	return err
}

func (s *framed) usable() error {
	if s.closed() {
		return net.ErrClosed
	}
	if w := s.wrong.Load(); w != nil {
		return *w
	}
	return nil
}

func (s *framed) closed() bool {
	s.gate.mu.Lock()
	defer s.gate.mu.Unlock()
	return s.gate.shut
}

// Close implements Stream. It may take until flush is over; whoever calls it again meanwhile waits, too.
func (s *framed) Close() error {
	if s.gate.close() {
		s.end()
		close(s.over)
	}
	<-s.over
	return nil
}

// end waits until what has been sent has arrived, but not for ever, and ends everything.
func (s *framed) end() {
	until := time.Now().Add(flush)
	ctx, cancel := context.WithDeadline(context.Background(), until)
	defer cancel()
	if s.gate.empty(ctx) == nil && s.wrong.Load() == nil {
		if s.ended.Load() {
			until = time.Now() // the peer has finished before us: it waits for nothing
		}
		s.c.finish(until)
	}
	s.c.abort()
	s.gate.empty(context.Background()) // abort has ended the write
}
