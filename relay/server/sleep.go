package server

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/cvlan/cvlan/internal/sys/quicx"
)

const (
	// lively is for how long nothing must come from a client over QUIC until nobody waits for it any more.
	lively = 250 * time.Millisecond
	// sweepEvery is how often those that sleep are looked at: see sleepers.
	sweepEvery = time.Second
)

// sleepers are clients over QUIC from whom nothing comes. quic-go has no way to wait for datagrams and for the stream without a goroutine for each, and two goroutines are
// a twelfth of what such a client takes. So they end, and the port tells when something has come from a client's address (quicx.Config.Came), before quic-go has seen it: then there is
// somebody to wait for it in time.
//
// What the port cannot tell is found by the count of received packets, within sweepEvery: that an address translator has given a client another address, that a packet was on its way
// through quic-go when its client fell asleep, and anything on a port that tells nothing.
type sleepers struct {
	count atomic.Int32 // read for every train that comes

	mu sync.Mutex
	at map[netip.AddrPort]*overQUIC // linked by next: an address has one client as a rule
}

// overQUIC is a carrier over QUIC.
type overQUIC struct {
	*carrier
	conn *quic.Conn
	str  *quic.Stream

	packets atomic.Uint64 // that had come when it was looked last
	at      netip.AddrPort
	next    *overQUIC
}

func (q *overQUIC) received() uint64 { return q.conn.ConnectionStats().PacketsReceived }

// stir wakes the clients at an address.
func (z *sleepers) stir(at netip.AddrPort) {
	if z.count.Load() == 0 {
		return
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	for q := z.at[at]; q != nil; {
		next := q.next
		q.next = nil
		z.count.Add(-1)
		q.wake()
		q = next
	}
	delete(z.at, at)
}

// wake has somebody wait for the client. The lock of sleepers is held: the server waits for all that it starts, and takes the client out of there before it has
// stopped waiting.
func (q *overQUIC) wake() { q.s.carried.Go(q.attend) }

// lay lets a client sleep.
func (z *sleepers) lay(q *overQUIC) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if q.conn.Context().Err() != nil {
		return
	}
	q.at = quicx.AddrPort(q.conn.RemoteAddr())
	q.next = z.at[q.at]
	z.at[q.at] = q
	z.count.Add(1)
}

// take takes a client out, and wakes it if that is wanted. If it does not sleep nothing happens.
func (z *sleepers) take(q *overQUIC, wake bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	var before *overQUIC
	for p := z.at[q.at]; p != q; p = p.next {
		if p == nil {
			return
		}
		before = p
	}
	switch {
	case before != nil:
		before.next = q.next
	case q.next != nil:
		z.at[q.at] = q.next
	default:
		delete(z.at, q.at)
	}
	q.next = nil
	z.count.Add(-1)
	if wake {
		q.wake()
	}
}

// sweep wakes those from whom something has come unheard.
func (z *sleepers) sweep(ctx context.Context) error {
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	var all []*overQUIC
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		all = z.all(all[:0])
		for _, q := range all {
			if q.received() != q.packets.Load() {
				z.take(q, true)
			}
		}
		clear(all)
	}
}

func (z *sleepers) all(b []*overQUIC) []*overQUIC {
	z.mu.Lock()
	defer z.mu.Unlock()
	b = slices.Grow(b, int(z.count.Load()))
	for _, q := range z.at {
		for ; q != nil; q = q.next {
			b = append(b, q)
		}
	}
	return b
}

// vigil is the time in which a client is waited for: two goroutines, until nothing has come for a while.
type vigil struct {
	*overQUIC
	ctx    context.Context
	cancel context.CancelFunc
	left   atomic.Int32 // goroutines

	mu   sync.Mutex
	look *time.Timer
	busy bool // with frames on the stream
	over bool
}

// attend handles what comes until nothing more does.
func (q *overQUIC) attend() {
	v := &vigil{overQUIC: q}
	v.ctx, v.cancel = context.WithCancel(q.conn.Context())
	v.left.Store(2)
	q.packets.Store(q.received())
	v.mu.Lock()
	v.look = time.AfterFunc(lively, v.ask)
	v.mu.Unlock()
	q.s.carried.Go(v.datagrams)
	v.stream()
}

// ask ends the vigil if no packet has come since it asked last: whatever came before has been handled.
func (v *vigil) ask() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if n := v.received(); v.packets.Swap(n) != n || v.busy {
		v.look.Reset(lively)
		return
	}
	v.over = true
	v.cancel()
	v.str.SetReadDeadline(time.Unix(1, 0))
}

func (v *vigil) datagrams() {
	defer v.leave()
	for {
		b, err := v.conn.ReceiveDatagram(v.ctx)
		if err != nil {
			return
		}
		v.handle([][]byte{b})
	}
}

// stream handles frames on the stream, and cuts the connection when that has ended.
func (v *vigil) stream() {
	defer v.leave()
	var first [glance]byte
	for {
		n, err := v.str.Read(first[:])
		if n == 0 && v.isOver() {
			return
		}
		if err == nil {
			v.begin()
			err = v.rush(v.str, first[:n])
		}
		if err != nil {
			v.cut()
			return
		}
		if v.pause() {
			return
		}
	}
}

func (v *vigil) isOver() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.over
}

// begin says that frames are being read: a vigil does not end in the middle of one.
func (v *vigil) begin() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.busy = true
	v.str.SetReadDeadline(time.Time{})
}

// pause says that they have been, and reports whether the vigil was over before they began.
func (v *vigil) pause() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.busy = false
	return v.over
}

// leave ends one of two goroutines. After the other the client sleeps, unless something has come since ask has looked.
func (v *vigil) leave() {
	if v.left.Add(-1) > 0 {
		return
	}
	v.cancel()
	v.mu.Lock()
	v.look.Stop()
	v.mu.Unlock()
	if !v.isOver() {
		return // the connection ends
	}
	v.str.SetReadDeadline(time.Time{})
	z := &v.s.sleepers
	z.lay(v.overQUIC)
	if v.received() != v.packets.Load() {
		z.take(v.overQUIC, true)
	}
}
