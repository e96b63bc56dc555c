package relays

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/relay"
)

const (
	dialTime     = 12 * time.Second // to find a way, handshakes included
	registerTime = 5 * time.Second  // for the relay's answer
	stall        = 10 * time.Second // for it to take what is written, each time
	readBytes    = 64 << 10         // at a time; at least one whole frame
	batchFrames  = 64
)

// conn is one connection to a relay, from Dial to its end.
type conn struct {
	f      *Ferry
	number uint32
	relay  ident.Relay
	who    passenger
	out    outbox
	life   context.Context
	end    context.CancelFunc
}

// refusal is what a relay answers instead of a welcome.
type refusal relay.Reason

// Error implements error.
func (r refusal) Error() string { return "the relay refuses: " + relay.Reason(r).String() }

func (c *conn) hangup() {
	c.end()
	c.out.close()
}

// run lives as long as the connection.
func (c *conn) run() {
	defer c.hangup()
	raw, w, took, err := c.register()
	if err != nil {
		c.fail(err)
		return
	}
	stop := context.AfterFunc(c.life, func() { raw.Close() })
	defer raw.Close()
	defer stop()
	in := c.who.Registered(w, took)
	if in == nil || c.life.Err() != nil {
		c.f.drop(c)
		return
	}
	err = c.carry(raw, in)
	if c.f.drop(c) {
		c.f.debug(c, "connection to relay ended", err)
		c.who.Ended()
	}
}

// carry carries frames both ways until the connection ends.
func (c *conn) carry(raw *stream.Conn, in receiver) error {
	var others sync.WaitGroup
	var w io.Writer = patient{raw}
	if raw.Datagrams() {
		w, in = spread{raw}, &inTurn{receiver: in}
		others.Go(func() { readDatagrams(raw, in) })
	}
	others.Go(func() {
		if c.out.empty(w) != nil {
			raw.Close() // reading ends, too
		}
	})
	err := read(raw, in)
	c.out.close()
	raw.Close()
	others.Wait()
	return err
}

// fail tells the passenger that there is no connection.
func (c *conn) fail(err error) {
	if !c.f.drop(c) {
		return
	}
	c.f.debug(c, "relay not reached", err)
	why := relay.NoReason
	if r, ok := errors.AsType[refusal](err); ok {
		why = relay.Reason(r)
	}
	c.who.Failed(why)
}

// register finds a way and asks to be a client.
func (c *conn) register() (raw *stream.Conn, w relay.Welcome, took time.Duration, err error) {
	ctx, cancel := context.WithTimeout(c.life, dialTime)
	defer cancel()
	as := c.f.cfg.Credentials()
	if as.Certificate == nil {
		return nil, w, 0, errors.New("this node has no certificate yet")
	}
	if raw, err = c.f.connect(ctx, c.relay, as); err != nil {
		return nil, w, 0, err
	}
	stop := context.AfterFunc(c.life, func() { raw.Close() })
	defer stop()
	begun := time.Now()
	if w, err = greet(raw, as.Certificate, begun); err != nil {
		raw.Close()
		return nil, w, 0, err
	}
	return raw, w, time.Since(begun), nil
}

// greet introduces the node and reads the answer, and nothing behind it.
func greet(raw *stream.Conn, as *tls.Certificate, now time.Time) (w relay.Welcome, err error) {
	_ = raw.SetReadDeadline(now.Add(registerTime))
	_ = raw.SetWriteDeadline(now.Add(registerTime))
	hello, err := relay.Introduce(as, raw.ExportKeyingMaterial)
	if err != nil {
		return w, fmt.Errorf("register: %w", err)
	}
	_, unsent := raw.Write(hello)
	var head [2]byte
	if _, err := io.ReadFull(raw, head[:]); err != nil { // which tells why nothing is taken
		return w, fmt.Errorf("register: %w", old(errors.Join(unsent, err)))
	}
	size := int(head[0])<<8 | int(head[1])
	if size > relay.MaxRegister {
		return w, fmt.Errorf("register: the relay's answer: %w", relay.ErrMalformed)
	}
	frame := make([]byte, size)
	if _, err := io.ReadFull(raw, frame); err != nil {
		return w, fmt.Errorf("register: %w", err)
	}
	if w, err = relay.ReadWelcome(frame); err != nil {
		return w, fmt.Errorf("register: the relay's answer: %w", err)
	}
	if w.Reason != relay.NoReason {
		return w, refusal(w.Reason)
	}
	return w, raw.SetReadDeadline(time.Time{})
}

// old makes a refusal of the alert with which a relay asks for a certificate in the handshake, as those of before version 2 do.
func old(err error) error {
	if errors.Is(err, stream.ErrRefused) {
		return refusal(relay.Unsupported)
	}
	return err
}

// patient is a writer that gives each write its time.
type patient struct{ raw *stream.Conn }

// Write implements io.Writer.
func (p patient) Write(b []byte) (int, error) {
	_ = p.raw.SetWriteDeadline(time.Now().Add(stall))
	return p.raw.Write(b)
}

// read hands on what comes until the connection ends.
func read(raw io.Reader, in receiver) error {
	buf := make([]byte, readBytes)
	frames := make([][]byte, 0, batchFrames)
	have := 0
	for {
		n, err := raw.Read(buf[have:])
		have += n
		rest := buf[:have]
		for more := true; more; {
			frames, rest, more, err = take(frames[:0], rest, err)
			if len(frames) == 0 {
				break
			}
			if e := in.Frames(frames); e != nil {
				return e
			}
		}
		have = copy(buf, rest)
		switch {
		case errors.Is(err, io.EOF):
			return net.ErrClosed
		case err != nil:
			return err
		}
	}
}

// take takes whole frames off what was read, a batch at most; more says that the batch is full.
func take(frames [][]byte, b []byte, was error) (_ [][]byte, rest []byte, more bool, err error) {
	for len(frames) < cap(frames) {
		frame, after, err := relay.NextStream(b)
		if err != nil {
			return frames, nil, false, err
		}
		if frame == nil {
			return frames, b, false, was
		}
		frames, b = append(frames, frame), after
	}
	return frames, b, true, was
}
