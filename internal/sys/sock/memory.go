package sock

import (
	"bytes"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Memory is the in-memory twin of a socket. It sends trains as datagrams, and Receive joins those that continue each other, as the kernel
// does.
type Memory struct {
	network *Network
	port    uint16
	buffer  int // bytes
	arrived chan struct{}
	closed  chan struct{}
	ending  sync.Once
	counters
	overflow atomic.Uint64

	mu    sync.Mutex // of what follows
	addrs []netip.Addr
	fault func(Train) error
	queue []flight // have arrived
	held  int      // bytes, overhead included
}

var _ Socket = (*Memory)(nil)

func newMemory(n *Network, buffer int) *Memory {
	return &Memory{network: n, buffer: buffer, arrived: make(chan struct{}, 1), closed: make(chan struct{})}
}

// Move gives the machine other outside addresses at once. The port stays; what is under way to the old ones is lost. ErrPortTaken: another
// socket has the port there, and nothing has changed.
func (m *Memory) Move(addrs ...netip.Addr) error {
	m.network.mu.Lock()
	defer m.network.mu.Unlock()
	addrs = own(addrs)
	switch {
	case m.isClosed():
		return net.ErrClosed
	case !m.network.free(m.port, addrs, m):
		return ErrPortTaken
	}
	m.network.place(m, addrs)
	return nil
}

// Fail lets f judge each train before it is sent: what it returns is counted as if the system had refused the train with that error (an
// errno says why). nil: no train fails any more.
func (m *Memory) Fail(f func(Train) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault = f
}

// Send implements Socket.
func (m *Memory) Send(trains []Train) error {
	for i := range trains {
		if m.isClosed() {
			return net.ErrClosed
		}
		if len(trains[i].Data) > 0 {
			m.send(&trains[i])
		}
	}
	return nil
}

func (m *Memory) send(t *Train) {
	m.mu.Lock()
	fault, addrs := m.fault, m.addrs
	m.mu.Unlock()
	if fault != nil {
		if err := fault(*t); err != nil {
			m.refuse(reasonOf(err), t.Datagrams())
			return
		}
	}
	to := netip.AddrPortFrom(t.Remote.Addr().Unmap().WithZone(""), t.Remote.Port())
	if !to.IsValid() || to.Port() == 0 {
		m.refuse(refused, t.Datagrams())
		return
	}
	from := source(addrs, to.Addr(), t.Local)
	if !from.IsValid() {
		m.refuse(unreachable, t.Datagrams())
		return
	}
	m.network.launch(m.cut(t, netip.AddrPortFrom(from, m.port), to))
}

// source is the address to send from: the wanted one if the machine has it, else the first of the remote's family.
func source(addrs []netip.Addr, remote, wanted netip.Addr) netip.Addr {
	ofFamily := func(a netip.Addr) bool { return a.Is4() == remote.Is4() }
	if slices.Contains(addrs, wanted) && ofFamily(wanted) {
		return wanted
	}
	if i := slices.IndexFunc(addrs, ofFamily); i >= 0 {
		return addrs[i]
	}
	return netip.Addr{}
}

// cut makes the copies of a train's datagrams that will arrive.
func (m *Memory) cut(t *Train, from, to netip.AddrPort) (all []flight) {
	now := time.Now()
	for rest := bytes.Clone(t.Data); len(rest) > 0; {
		n := len(rest)
		if t.Segment > 0 {
			n = min(n, t.Segment)
		}
		if n > MaxTrain {
			m.refuse(tooBig, 1)
		} else if seen, ok := m.network.leave(from, to); ok {
			for _, takes := range m.network.carry(seen, to) {
				all = append(all, flight{lands: now.Add(takes), from: seen, to: to, data: rest[:n]})
			}
		}
		rest = rest[n:]
	}
	return all
}

// overhead is what a datagram takes of the buffer beside its bytes.
const overhead = 512

// arrive puts a datagram into the queue if there is room.
func (m *Memory) arrive(f flight) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.held+len(f.data)+overhead > m.buffer {
		m.overflow.Add(1)
		return
	}
	m.held += len(f.data) + overhead
	m.queue = append(m.queue, f)
}

func (m *Memory) wake() {
	select {
	case m.arrived <- struct{}{}:
	default:
	}
}

// Receive implements Socket.
func (m *Memory) Receive(trains []Train) (int, error) {
	for {
		if m.isClosed() {
			return 0, net.ErrClosed
		}
		if n := m.collect(trains[:min(len(trains), Batch)]); n > 0 || len(trains) == 0 {
			return n, nil
		}
		select {
		case <-m.arrived:
		case <-m.closed:
		}
	}
}

// collect fills trains with what has arrived.
func (m *Memory) collect(trains []Train) (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for n < len(trains) && len(m.queue) > 0 {
		t, f := &trains[n], m.take()
		if len(f.data) > cap(t.Data) {
			m.truncated.Add(1)
			continue
		}
		*t = Train{Data: append(t.Data[:0], f.data...), Segment: len(f.data), Remote: f.from, Local: f.to.Addr()}
		for count := 1; count < MaxSegments && len(m.queue) > 0 && continues(t, &m.queue[0]); count++ {
			t.Data = append(t.Data, m.take().data...)
		}
		n++
	}
	return n
}

// take removes the first datagram.
func (m *Memory) take() flight {
	f := m.queue[0]
	m.queue[0] = flight{}
	m.queue = m.queue[1:]
	m.held -= len(f.data) + overhead
	return f
}

// continues reports whether a datagram can be joined to a train.
func continues(t *Train, f *flight) bool {
	return f.from == t.Remote && f.to.Addr() == t.Local && len(f.data) <= t.Segment && len(t.Data)%t.Segment == 0 &&
		len(t.Data)+len(f.data) <= min(cap(t.Data), MaxTrain)
}

// Port implements Socket.
func (m *Memory) Port() uint16 { return m.port }

// Stats implements Socket.
func (m *Memory) Stats() Stats {
	s := Stats{SendGSO: true, ReceiveGRO: true, ReceiveBuffer: m.buffer, SendBuffer: m.buffer, Overflow: m.overflow.Load()}
	m.fill(&s)
	return s
}

// Close implements Socket.
func (m *Memory) Close() error {
	m.ending.Do(func() {
		m.network.mu.Lock()
		defer m.network.mu.Unlock()
		m.network.place(m, nil)
		close(m.closed)
	})
	return nil
}

func (m *Memory) isClosed() bool {
	select {
	case <-m.closed:
		return true
	default:
		return false
	}
}
