package tunnel

import (
	"errors"

	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/proto/relay"
)

// Sizes of a batch: as much as stays in a core's cache together with what it is made of.
const (
	batchBytes  = 5 << 15 // two trains of the largest size, sealed
	batchTrains = 64
)

// batch collects datagrams and sends them in trains: what goes to one place in equal sizes travels in one piece as far as
// the system allows.
type batch struct {
	sock   sock.Socket
	lanes  *door       // what frames for relays leave from while that is another socket; nil: it never is
	via    sock.Socket // what trains leave from: sock, lanes, or a spare one
	arena  []byte      // datagrams one after another
	used   int
	trains []sock.Train // of which the last may still grow
	open   bool
}

const batchMemory = batchBytes

func newBatch(s sock.Socket) *batch {
	return &batch{sock: s, via: s, arena: make([]byte, batchBytes), trains: make([]sock.Train, 0, batchTrains)}
}

// batch is one for what leaves from a queue's sockets.
func (t *Tunnel) batch(queue int) *batch {
	b := newBatch(t.doors[queue])
	b.lanes = t.lanes[queue]
	return b
}

// seal makes the datagram for a packet and adds it. It sends first what is there if there is no room.
func (b *batch) seal(s Sealer, counter uint64, packet []byte, limit int, to *Path) (size int, err error) {
	head := to.head()
	if len(b.arena)-b.used < len(packet)+Overhead+head {
		err = b.flush()
	}
	at := b.used + head
	msg := s.Seal(b.arena[at:at:len(b.arena)], counter, packet, limit)
	if len(msg) == 0 { // of traffic that was not agreed on with the peer
		return 0, err
	}
	if e := b.add(b.arena[b.used:at+len(msg)], &to.place); e != nil {
		err = e
	}
	return len(msg), err
}

// put adds a copy of a datagram that is ready.
func (b *batch) put(datagram []byte, to *place) (err error) {
	head := to.head()
	if len(b.arena)-b.used < len(datagram)+head {
		err = b.flush()
	}
	at := b.used + head
	copy(b.arena[at:], datagram)
	return errors.Join(err, b.add(b.arena[b.used:at+len(datagram)], to))
}

// add takes a message that lies at the end of what the arena holds, behind room for its head.
func (b *batch) add(msg []byte, to *place) (err error) {
	if to.lane != nil {
		relay.PutData(msg, to.lane.Channel, to.lane.Key)
		if to.lane.Carrier != nil {
			to.lane.Carrier.Carry(msg)
			return nil
		}
	}
	b.used += len(msg)
	via := b.from(to)
	if via == b.via && b.extend(msg, to) {
		return nil
	}
	if len(b.trains) == cap(b.trains) || via != b.via && len(b.trains) > 0 {
		// The message lies behind what is sent now, and stays valid: the arena is not written before the next one.
		err = b.send()
	}
	b.via = via
	b.trains = append(b.trains, sock.Train{Data: msg, Segment: len(msg), Remote: to.remote, Local: to.local})
	b.open = true
	return err
}

// from is what a datagram leaves from.
func (b *batch) from(to *place) sock.Socket {
	switch {
	case to.spare != nil:
		return to.spare
	case (to.lane != nil || to.relay) && b.lanes != nil && b.lanes.apart.Load():
		return b.lanes
	}
	return b.sock
}

// extend lengthens the last train by a message that lies right behind it.
func (b *batch) extend(msg []byte, to *place) bool {
	if !b.open || len(b.trains) == 0 {
		return false
	}
	t := &b.trains[len(b.trains)-1]
	size := len(t.Data) + len(msg)
	if len(msg) > t.Segment || size > sock.MaxTrain || size > t.Segment*sock.MaxSegments || t.Remote != to.remote || t.Local != to.local {
		return false
	}
	t.Data = t.Data[:size]
	b.open = len(msg) == t.Segment
	return true
}

// flush sends what is there.
func (b *batch) flush() error {
	b.used, b.open = 0, false
	if len(b.trains) == 0 {
		return nil
	}
	return b.send()
}

// send hands the trains over. Only an end of the worker's own socket is an error: a spare one may be closed at any time.
func (b *batch) send() error {
	err := b.via.Send(b.trains)
	b.trains = b.trains[:0]
	if b.via != b.sock {
		return nil
	}
	return err
}
