package tunnel

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/cvlan/cvlan/internal/sys/sock"
)

// MaxSpare is how many sockets a guide may have open besides the tunnel's own.
const MaxSpare = 512

const (
	// spareBuffer is for messages: few other than those come to a socket that looks for a hole in a NAT.
	spareBuffer = maxMessage
	// spareJoins is how many packets are joined at most.
	spareJoins = 64
	// usedTrains is for packets, once the socket is part of a way.
	usedTrains = 8
)

// spare is a socket with a port of its own, so that NATs see another flow. It has room for messages only until a way uses it; what the peer
// sends before, whose way it may be already, comes one datagram at a time (sock.Config.Alone).
type spare struct {
	sock.Socket
	number uint16
	used   atomic.Bool // packets are read too
	taken  int         // of the budget
}

var errTooMany = fmt.Errorf("%d sockets are open already", MaxSpare)

// OpenSocket implements GuideHost.
func (o *owner) OpenSocket() (number uint16, err error) {
	t := o.t
	if t.spareSocket == nil {
		return 0, errors.New("this system gives the tunnel one socket only")
	}
	if len(o.spares) == MaxSpare {
		return 0, errTooMany
	}
	s, err := t.spareSocket()
	if err != nil {
		return 0, err
	}
	for o.lastSpare++; o.lastSpare == 0 || o.spares[o.lastSpare] != nil; o.lastSpare++ {
	}
	x := &spare{Socket: s, number: o.lastSpare}
	o.spares[x.number] = x
	t.workers.Go(func() {
		t.runSpare(x)
		t.budget.release(x.taken)
	})
	return x.number, nil
}

// CloseSocket implements GuideHost.
func (o *owner) CloseSocket(number uint16) {
	if x := o.spares[number]; x != nil {
		delete(o.spares, number)
		_ = x.Close() // its reader ends
	}
}

// SocketPort implements GuideHost.
func (o *owner) SocketPort(number uint16) uint16 {
	if x := o.spares[number]; x != nil {
		return x.Port()
	}
	return o.t.Port()
}

// runSpare reads until the socket ends, which ends nothing else.
func (t *Tunnel) runSpare(x *spare) {
	w := newInbound(t, x, t.exits[0], 1, spareBuffer, spareJoins)
	w.spare = x
	_ = w.run()
}

// grow gives a worker room for packets when its socket has become part of a way; without memory it goes on with what it has.
func (w *inbound) grow() {
	x := w.spare
	if x == nil || x.taken != 0 || !x.used.Load() {
		return
	}
	const need = usedTrains * inboundBuffer
	if w.t.budget.reserve(need) != nil {
		return
	}
	x.taken = need
	w.trains = newTrains(usedTrains, inboundBuffer)
	if j, ok := x.Socket.(sock.Joiner); ok {
		j.Join()
	}
}
