package wg_test

import (
	"encoding/binary"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/core/offload/offloadtest"
	"github.com/cvlan/cvlan/internal/node/tunnel/tunneltest"
	"github.com/cvlan/cvlan/internal/sys/sock"
)

// branch is another socket on a port, to which the system gives nothing that comes in.
type branch struct {
	sock.Socket
	once   sync.Once
	closed chan struct{}
}

func (b *branch) Receive([]sock.Train) (int, error) {
	<-b.closed
	return 0, net.ErrClosed
}

func (b *branch) Close() error {
	b.once.Do(func() { close(b.closed) })
	return nil
}

// workers gives an end this many queues and sockets.
func workers(n int) func(*end) {
	return func(e *end) {
		e.device.Queues = n
		e.wrap = func(m *sock.Memory) []sock.Socket {
			all := []sock.Socket{m}
			for range n - 1 {
				all = append(all, &branch{Socket: m, closed: make(chan struct{})})
			}
			return all
		}
	}
}

// flowed is a UDP packet of a flow, with a number.
func flowed(from, to *end, flow byte, n int) []byte {
	p := append(offloadtest.Header(from.addr, to.addr, protoUDP, 12), 0x10, flow, 0x20, 0, 0, 12, 0, 0)
	return binary.BigEndian.AppendUint32(p, uint32(n))
}

// Four workers send at once, before the session, at its birth and while keys change; each flow keeps its order, and nothing is lost.
func TestManyWorkersKeepEachFlowInOrder(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.end(1, workers(4)), w.end(2, workers(4))
		a.knows(b)
		b.knows(a)
		if n := a.State().Workers; n != 4 {
			w.Fatalf("%d workers", n)
		}
		const flows = 12
		next, n := map[byte]int{}, 0
		for start := time.Now(); time.Since(start) < 5*time.Minute; n++ {
			for flow := range byte(flows) {
				a.twin.Send(flowed(a, b, flow, n))
			}
			w.Pass(tunneltest.Brief(200*time.Millisecond, time.Second))
			for len(b.twin.Arrived()) > 0 {
				p := <-b.twin.Arrived()
				flow, number := p[21], int(binary.BigEndian.Uint32(p[28:]))
				if number != next[flow] {
					w.Fatalf("flow %d: packet %d, want %d", flow, number, next[flow])
				}
				next[flow]++
			}
		}
		w.Pass(time.Second)
		for flow, count := range next {
			if count != n {
				w.Errorf("flow %d: %d of %d packets have arrived", flow, count, n)
			}
		}
		a.wantDrops(nil)
		b.wantDrops(nil)
	})
}

// All workers find the peer without a session at the same time, and one peer after another is removed meanwhile.
func TestManyWorkersAndPeersThatComeAndGo(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a := w.end(1, workers(4))
		var others []*end
		for n := range byte(3) {
			e := w.end(n+2, workers(2))
			e.knows(a)
			others = append(others, e)
		}
		memory := a.State().Memory
		for i := range tunneltest.Brief(300, 30) {
			for _, e := range others {
				a.knows(e)
			}
			for flow := range byte(30) {
				a.twin.Send(flowed(a, others[i%3], flow, i))
				others[i%3].twin.Send(flowed(others[i%3], a, flow, i))
			}
			if i%2 == 0 {
				w.Pass(time.Duration(w.dice.Int64N(int64(2 * rtt))))
			}
			a.RemovePeer(others[i%3].name)
		}
		w.Pass(time.Second)
		for _, e := range others {
			a.RemovePeer(e.name)
			e.RemovePeer(a.name)
		}
		w.Pass(time.Second)
		if now := a.State().Memory; now > memory+slot*3*waits || len(a.Peers()) != 0 {
			w.Errorf("%d bytes of packet memory, %d before; peers %v", now, memory, a.Peers())
		}
		last := others[0]
		a.knows(last)
		last.knows(a)
		w.talk(a, last, 2*retry)
	})
}
