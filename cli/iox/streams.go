package iox

import (
	"context"
	"io"
	"sync"
)

// Bind makes the streams a command's own. A read ends with ctx, although a terminal or a pipe has nothing to say; a result that cannot be
// written (a full disk) is noted for Lost, and lost is called at once, because who writes lines does not ask after each. The pipe whose
// reader has gone is not among this: the system ends the program by SIGPIPE.
func (o *IO) Bind(ctx context.Context, lost func()) {
	in, out := o.Direct()
	o.In, o.Out = &source{ctx: ctx, r: in}, &sink{w: out, lost: lost}
}

// Heed has reads end with another context than Bind's.
func (o *IO) Heed(ctx context.Context) {
	in, _ := o.Direct()
	o.In = &source{ctx: ctx, r: in}
}

// Direct returns the streams themselves, for another program or a screen that takes the terminal over.
func (o *IO) Direct() (io.Reader, io.Writer) {
	in, out := o.In, o.Out
	if s, ok := in.(*source); ok {
		in = s.r
	}
	if s, ok := out.(*sink); ok {
		out = s.w
	}
	return in, out
}

// Lost returns why a result could not be written; nil: all of it was.
func (o *IO) Lost() error {
	s, ok := o.Out.(*sink)
	if !ok {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// source is a reader that a context ends. What is read after that is nobody's.
type source struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader.
func (s *source) Read(b []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	type result struct {
		n   int
		err error
	}
	own, done := make([]byte, len(b)), make(chan result, 1)
	go func() {
		n, err := s.r.Read(own)
		done <- result{n, err}
	}()
	select {
	case r := <-done:
		return copy(b, own[:r.n]), r.err
	case <-s.ctx.Done():
		return 0, s.ctx.Err()
	}
}

// sink is a writer that keeps its first error, and writes nothing after it.
type sink struct {
	w    io.Writer
	lost func()

	mu  sync.Mutex
	err error
}

// Write implements io.Writer.
func (s *sink) Write(b []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, s.err
	}
	if n, s.err = s.w.Write(b); s.err != nil {
		s.lost()
	}
	return n, s.err
}
