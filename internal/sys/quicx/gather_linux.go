package quicx

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

const (
	// trainSize is how many bytes a train may have: as many as quic-go's own.
	trainSize = 20 << 10
	// trainMost is how many datagrams the kernel takes as one train.
	trainMost = 64
	// maxPacket is the longest packet that quic-go sends alone.
	maxPacket = 1452
	// trainsMost is how many trains leave in one call of the system, and how many wait.
	trainsMost = 32
)

// gatherer is a UDP socket under quic-go. What its connections write at about the same time leaves together, what goes to one place as a train (UDP GSO), all in
// one call of the system. quic-go by itself makes trains of full packets, and one that carries a datagram is full only by chance.
//
// The goroutine with which quic-go sends, one a connection, only copies. That takes half the stack of a call of the system, and of making a train: what is empty waits here, since a
// sync.Pool loses all when garbage is collected.
type gatherer struct {
	*net.UDPConn
	*scatterer
	send func(ms []ipv4.Message, flags int) (int, error)
	fill chan struct{} // has room for one: something waits
	done chan struct{} // closed when run has returned

	// apart says that a device takes no trains, since it computes no checksums (see udp(7)). What is written then leaves as it is, and quic-go learns of errors: it can do
	// without trains, too.
	apart atomic.Bool

	mu    sync.Mutex
	room  sync.Cond
	waits []*train
	spare []*train // empty
	shut  bool
}

// train is datagrams to one place, all of one size but the last.
type train struct {
	to      *net.UDPAddr // as quic-go names it: the same pointer for all that a connection writes
	control []byte
	size    int // of the first
	count   int
	ended   bool // takes no more
	data    []byte
}

// gathered makes a gatherer of a socket, and starts its goroutine; end ends that.
func gathered(u *net.UDPConn, came func(netip.AddrPort)) *gatherer {
	g := newGatherer(u, ipv4.NewPacketConn(u).WriteBatch)
	g.scatterer = scattered(u, came)
	go g.run()
	return g
}

func newGatherer(u *net.UDPConn, send func([]ipv4.Message, int) (int, error)) *gatherer {
	g := &gatherer{UDPConn: u, send: send, fill: make(chan struct{}, 1), done: make(chan struct{})}
	g.room.L = &g.mu
	return g
}

// WriteMsgUDP takes a copy of a datagram, or of a train that quic-go has made. It waits only for room, and fails only at the end: what the system refuses later is lost,
// as on the network.
func (g *gatherer) WriteMsgUDP(b, control []byte, to *net.UDPAddr) (n, oobn int, err error) {
	if g.apart.Load() {
		return g.UDPConn.WriteMsgUDP(b, control, to)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.waits) == trainsMost && !g.shut && !g.fits(b, control, to) {
		g.room.Wait()
	}
	switch {
	case g.shut:
		return 0, 0, net.ErrClosed
	case g.fits(b, control, to):
		t := g.last(to)
		t.data = append(t.data, b...)
		t.count++
		t.ended = len(b) < t.size
	default:
		t := g.empty()
		t.to, t.size, t.count = to, len(b), 1
		t.ended = len(b) > maxPacket
		t.data, t.control = append(t.data[:0], b...), append(t.control[:0], control...)
		g.waits = append(g.waits, t)
		g.wake()
	}
	return len(b), len(control), nil
}

// last is the newest train that waits to go to a place; nil: none does.
func (g *gatherer) last(to *net.UDPAddr) *train {
	for i := len(g.waits) - 1; i >= 0; i-- {
		if g.waits[i].to == to {
			return g.waits[i]
		}
	}
	return nil
}

// fits reports whether a datagram continues the newest train to its place. An older one it must not join, lest it overtake.
func (g *gatherer) fits(b, control []byte, to *net.UDPAddr) bool {
	t := g.last(to)
	return t != nil && !t.ended && len(b) <= t.size && t.count < trainMost && len(t.data)+len(b) <= trainSize && bytes.Equal(t.control, control)
}

// empty takes an empty train, and makes one only if none is left.
func (g *gatherer) empty() *train {
	n := len(g.spare) - 1
	if n < 0 {
		return &train{data: make([]byte, 0, trainSize)}
	}
	t := g.spare[n]
	g.spare = g.spare[:n]
	return t
}

// keep takes back trains that have left: twice trainsMost at most, as many as ever were under way together.
func (g *gatherer) keep(left []*train) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, t := range left {
		t.to = nil
		g.spare = append(g.spare, t)
	}
}

func (g *gatherer) wake() {
	select {
	case g.fill <- struct{}{}:
	default:
	}
}

// run sends what waits until end is called.
func (g *gatherer) run() {
	defer close(g.done)
	ms := make([]ipv4.Message, trainsMost)
	for i := range ms {
		ms[i].Buffers = make([][]byte, 1)
	}
	for range g.fill {
		for g.turn(ms) {
		}
		if g.over() {
			return
		}
	}
}

func (g *gatherer) over() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.shut && len(g.waits) == 0
}

// turn sends what waits, and reports whether anything did. Whoever is about to write may do so before.
func (g *gatherer) turn(ms []ipv4.Message) bool {
	runtime.Gosched()
	var going [trainsMost]*train
	g.mu.Lock()
	n := copy(going[:], g.waits)
	clear(g.waits)
	g.waits = g.waits[:0]
	g.room.Broadcast()
	g.mu.Unlock()
	if n == 0 {
		return false
	}
	for i, t := range going[:n] {
		if t.count > 1 {
			t.control = segmented(t.control, t.size)
		}
		ms[i].Buffers[0], ms[i].OOB, ms[i].Addr = t.data, t.control, t.to
	}
	g.sendAll(ms[:n])
	g.keep(going[:n])
	return true
}

// sendAll sends messages, and skips what the system refuses.
func (g *gatherer) sendAll(ms []ipv4.Message) {
	for len(ms) > 0 {
		n, err := g.send(ms, 0)
		if n = max(n, 0); err != nil && n < len(ms) {
			if errors.Is(err, unix.EIO) {
				g.apart.Store(true)
			}
			n++
		}
		ms = ms[n:]
	}
}

// end sends what waits, for a second at most, and takes nothing more. The socket stays open.
func (g *gatherer) end() {
	g.mu.Lock()
	was := g.shut
	g.shut = true
	g.room.Broadcast()
	g.mu.Unlock()
	if !was {
		g.SetWriteDeadline(time.Now().Add(time.Second))
		g.wake()
	}
	<-g.done
}

// segmented appends the control message that says of what size a train's datagrams are (UDP_SEGMENT, udp(7)). Of two the kernel takes the last.
func segmented(control []byte, size int) []byte {
	at := len(control)
	control = append(control, make([]byte, unix.CmsgSpace(2))...)
	head := unix.Cmsghdr{Level: unix.IPPROTO_UDP, Type: unix.UDP_SEGMENT}
	head.SetLen(unix.CmsgLen(2))
	binary.Encode(control[at:], binary.NativeEndian, head)
	binary.NativeEndian.PutUint16(control[at+unix.CmsgLen(0):], uint16(size))
	return control
}
