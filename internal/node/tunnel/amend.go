package tunnel

import (
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/sys/sock"
)

// This file is what of a tunnel can be another while it carries packets: the MTU of the inside, and the sockets.

// Other sockets take over in three steps, so that at every moment there is a way to each peer that is known to work:
//
//	at once           they send what goes straight to a peer, which the guide has proved anew. Meanwhile packets take relays,
//	after laneAfter   which know the old ones until then: now they are told, and reached by the new.
//	after leaveAfter  the old are closed. Peers have long heard where datagrams come from now, or else from the controller.
const (
	laneAfter  = 2 * time.Second
	leaveAfter = 15 * time.Second
)

// door is the socket of a pair of workers, which another may replace. It is in use by itself, and in a pair with that for lanes of relays.
type door struct {
	socket atomic.Pointer[sock.Socket]
	apart  atomic.Bool // of that for lanes: it leads to another socket than the queue's
}

func newDoor(s sock.Socket) *door {
	d := new(door)
	d.socket.Store(&s)
	return d
}

func (d *door) now() sock.Socket { return *d.socket.Load() }

// Receive implements sock.Socket; workers listen to the socket itself, until it is closed.
func (d *door) Receive(trains []sock.Train) (int, error) { return d.now().Receive(trains) }

// Send implements sock.Socket.
func (d *door) Send(trains []sock.Train) error {
	s := d.now()
	err := s.Send(trains)
	if errors.Is(err, net.ErrClosed) && d.now() != s {
		return nil
	}
	return err
}

// Port implements sock.Socket.
func (d *door) Port() uint16 { return d.now().Port() }

// Stats implements sock.Socket.
func (d *door) Stats() sock.Stats { return d.now().Stats() }

// Close implements sock.Socket.
func (d *door) Close() error { return d.now().Close() }

// leaving is a socket that was replaced.
type leaving struct {
	sock.Socket
	until mono.Time
}

// mtu is that of the inside, in bytes.
func (t *Tunnel) mtu() int { return int(t.inside.Load()) }

// slotSize is the room of a packet that waits, so that memory of one size is used again.
func (t *Tunnel) slotSize() int { return (t.mtu() + 255) &^ 255 }

// SetMTU changes the MTU of the inside, in bytes. The host is told by the caller: before, if it is a smaller one.
func (t *Tunnel) SetMTU(n int) {
	_ = t.owner.do(func() { // a closed tunnel has no inside
		t.inside.Store(int32(n))
		for _, p := range t.owner.peers {
			t.owner.measure(p)
		}
	})
}

// SetSockets replaces the sockets, which belong to the tunnel from now on, also after an error. Everything is sent by the new ones; what still comes to
// the old is taken.
func (t *Tunnel) SetSockets(all []sock.Socket) error {
	err := t.room(len(all))
	if err == nil {
		if err = t.owner.do(func() { t.owner.replace(all) }); err == nil {
			return nil
		}
		t.budget.release(len(all) * inboundMemory)
	}
	err = fmt.Errorf("replace the tunnel's sockets: %w", err)
	for _, s := range all {
		err = errors.Join(err, s.Close())
	}
	return err
}

// room reserves memory for the workers of n sockets more.
func (t *Tunnel) room(n int) error {
	if n != len(t.doors) {
		return fmt.Errorf("there are %d, and %d queues", n, len(t.doors))
	}
	return t.budget.reserve(n * inboundMemory)
}

func (o *owner) replace(all []sock.Socket) {
	until := o.t.clock.Now().Add(leaveAfter)
	for i, s := range all {
		o.t.lanes[i].apart.Store(true)
		o.leavings = append(o.leavings, leaving{*o.t.doors[i].socket.Swap(&s), until})
		o.t.listen(i, s)
	}
	o.laneAt = until.Add(laneAfter - leaveAfter)
	if o.guide != nil {
		o.guide.Rebound(o.t.clock.Now(), false)
	}
	o.doubtPlain()
}

// relane has lanes of relays leave from the sockets from which all else does.
func (o *owner) relane(now mono.Time) {
	if o.laneAt.IsNever() || now < o.laneAt {
		return
	}
	o.laneAt = mono.Never
	for i, d := range o.t.lanes {
		s := o.t.doors[i].now()
		d.socket.Store(&s)
		d.apart.Store(false)
	}
	if o.guide != nil {
		o.guide.Rebound(now, true)
	}
}

// listen starts the worker that takes what comes to a socket of a queue. Its memory is reserved, and given back by whoever ends it before the tunnel.
func (t *Tunnel) listen(queue int, s sock.Socket) {
	in := newInbound(t, s, t.exits[queue], inboundTrains, inboundBuffer, inboundPackets)
	t.workers.Go(func() {
		if err := in.run(); t.doors[queue].now() == s {
			t.ended(err)
		}
	})
}

// leave closes sockets that were replaced long ago; at Never all that were.
func (o *owner) leave(now mono.Time) {
	for len(o.leavings) > 0 && (now.IsNever() || o.leavings[0].until <= now) {
		_ = o.leavings[0].Close() // one that does not close is forgotten all the same
		o.t.budget.release(inboundMemory)
		o.leavings = o.leavings[1:]
	}
}
