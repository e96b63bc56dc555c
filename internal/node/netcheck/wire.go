package netcheck

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/stun"
	"github.com/cvlan/cvlan/internal/sys/sock"
)

// machine is a Client or a Filter of package stun.
type machine interface {
	Datagram(now mono.Time, from netip.AddrPort, b []byte, out *stun.Out) bool
	Deadline() mono.Time
	Tick(now mono.Time, out *stun.Out)
}

// wire is a socket with a reader, for one goroutine that asks.
type wire struct {
	ctx    context.Context
	clock  mono.Clock
	socket sock.Socket
	in     chan datagram
	reader sync.WaitGroup
	out    stun.Out
	heard  func([]stun.Event)            // what a machine has told; may be nil
	other  func(datagram)                // what no machine wanted; may be nil
	wake   func(now mono.Time) mono.Time // further work of the owner, and when there is more; may be nil
}

type datagram struct {
	from netip.AddrPort
	data []byte
}

const (
	queued    = 64
	maxErrors = 16 // in a row, until a socket is given up
)

// listen opens a socket and reads it.
func (c *check) listen(ctx context.Context) (*wire, error) {
	s, err := c.cfg.Open()
	if err != nil {
		return nil, err
	}
	w := &wire{ctx: ctx, clock: c.clock, socket: s, in: make(chan datagram, queued)}
	w.reader.Go(w.read)
	return w, nil
}

func (w *wire) close() {
	w.socket.Close()
	w.reader.Wait()
}

// read takes datagrams out of trains. What the owner is too slow for is lost.
func (w *wire) read() {
	trains := []sock.Train{{Data: make([]byte, 0, sock.MaxTrain)}}
	for errs := 0; errs < maxErrors; {
		n, err := w.socket.Receive(trains)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			errs++
			continue
		}
		errs = 0
		for _, t := range trains[:n] {
			for d := range slices.Chunk(t.Data, max(t.Segment, 1)) {
				select {
				case w.in <- datagram{t.Remote, slices.Clone(d)}:
				default:
				}
			}
		}
	}
}

func (w *wire) send(to netip.AddrPort, b []byte) {
	_ = w.socket.Send([]sock.Train{{Data: b, Remote: to}}) // what does not leave is not answered
}

// flush does what machines have decided.
func (w *wire) flush() {
	for _, x := range w.out.Transmits {
		w.send(x.To, x.Data)
	}
	events := slices.Clone(w.out.Events)
	w.out.Reset()
	if w.heard != nil && len(events) > 0 {
		w.heard(events)
	}
}

// drive lets machines and the owner work until nobody wants to be woken any more, and reports false if the time ended first.
func (w *wire) drive(all ...machine) bool {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		w.flush()
		next := mono.Never
		if w.wake != nil {
			next = w.wake(w.clock.Now())
		}
		for _, m := range all {
			next = mono.Earlier(next, m.Deadline())
		}
		if next.IsNever() {
			return true
		}
		timer.Reset(w.clock.Until(next))
		select {
		case <-w.ctx.Done():
			return false
		case <-timer.C:
			for _, m := range all {
				m.Tick(w.clock.Now(), &w.out)
			}
		case d := <-w.in:
			w.take(d, all)
		}
	}
}

func (w *wire) take(d datagram, all []machine) {
	for _, m := range all {
		if m.Datagram(w.clock.Now(), d.from, d.data, &w.out) {
			return
		}
	}
	if w.other != nil {
		w.other(d)
	}
}
