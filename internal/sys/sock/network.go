package sock

import (
	"container/heap"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Carry is what lies between machines: for each copy of a datagram that arrives, how long it takes. None: the datagram is lost; two: it is
// duplicated. It is called once a datagram, in the order of a train, from any goroutine.
type Carry func(from, to netip.AddrPort) []time.Duration

// Network is where Memory sockets meet. What is under way is kept by a timer; made inside a testing/synctest bubble the network lives by
// the bubble's time. What arrives at the same instant arrives in the order in which it was sent.
type Network struct {
	carry   Carry
	between Between // nil: nothing

	mu     sync.Mutex // before any Memory's
	at     map[netip.AddrPort]*Memory
	flying flights
	sent   uint64 // flights ever
	timer  *time.Timer
}

// NewNetwork returns a network without sockets.
func NewNetwork(c Carry) *Network { return &Network{carry: c, at: map[netip.AddrPort]*Memory{}} }

// Open opens the twin of a socket on a machine with these outside addresses. Port 0 is the first from DefaultPort on that is free on all of
// them.
func (n *Network) Open(c Config, addrs ...netip.Addr) (*Memory, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.Shared {
		return nil, c.failed(errNotShared)
	}
	m := newMemory(n, c.bytes())
	n.mu.Lock()
	defer n.mu.Unlock()
	addrs = own(addrs)
	m.port = c.Port
	for p := DefaultPort; m.port == 0 && p < 1<<16; p++ {
		if n.free(uint16(p), addrs, nil) {
			m.port = uint16(p)
		}
	}
	if m.port == 0 || !n.free(m.port, addrs, nil) {
		return nil, c.failed(errTaken)
	}
	n.place(m, addrs)
	return m, nil
}

// own copies addresses in the form that a Network compares.
func own(addrs []netip.Addr) []netip.Addr {
	addrs = slices.Clone(addrs)
	for i, a := range addrs {
		addrs[i] = a.Unmap().WithZone("")
	}
	return addrs
}

// free reports whether nobody but m has the port on any of the addresses.
func (n *Network) free(port uint16, addrs []netip.Addr, m *Memory) bool {
	for _, a := range addrs {
		if there := n.at[netip.AddrPortFrom(a, port)]; there != nil && there != m {
			return false
		}
	}
	return true
}

// place puts a socket at addresses, and nowhere else.
func (n *Network) place(m *Memory, addrs []netip.Addr) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.addrs {
		delete(n.at, netip.AddrPortFrom(a, m.port))
	}
	m.addrs = addrs
	for _, a := range addrs {
		n.at[netip.AddrPortFrom(a, m.port)] = m
	}
}

// flight is a datagram under way.
type flight struct {
	lands    time.Time
	number   uint64
	from, to netip.AddrPort
	data     []byte // shared with copies; nobody writes
}

// launch takes flights off.
func (n *Network) launch(all []flight) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, f := range all {
		n.sent++
		f.number = n.sent
		heap.Push(&n.flying, f)
	}
	n.arm()
}

// arm sets the timer to the next landing.
func (n *Network) arm() {
	if n.timer != nil {
		n.timer.Stop()
	}
	if len(n.flying) > 0 {
		n.timer = time.AfterFunc(time.Until(n.flying[0].lands), n.land)
	}
}

// land delivers what is due. Receivers wake up when all of it is there, so that trains are whole.
func (n *Network) land() {
	n.mu.Lock()
	defer n.mu.Unlock()
	var reached []*Memory
	for now := time.Now(); len(n.flying) > 0 && !n.flying[0].lands.After(now); {
		f := heap.Pop(&n.flying).(flight)
		if m := n.reached(&f); m != nil {
			m.arrive(f)
			reached = append(reached, m)
		}
	}
	for _, m := range reached {
		m.wake()
	}
	n.arm()
}

// flights is a heap by the time of landing.
type flights []flight

func (h flights) Len() int      { return len(h) }
func (h flights) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h flights) Less(i, j int) bool {
	if !h[i].lands.Equal(h[j].lands) {
		return h[i].lands.Before(h[j].lands)
	}
	return h[i].number < h[j].number
}
func (h *flights) Push(f any) { *h = append(*h, f.(flight)) }
func (h *flights) Pop() any {
	last := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = flight{}
	*h = (*h)[:len(*h)-1]
	return last
}
