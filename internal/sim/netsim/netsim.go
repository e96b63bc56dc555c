// Package netsim is an in-memory network for stories in virtual time: hosts with addresses, packets and streams between them, and
// whatever can go wrong in between: latency, jitter, loss, duplication, reordering, partition, power cuts, and routers that translate.
//
// Everything waits on timers and channels only, so it runs in a testing/synctest bubble; what happens is drawn from one seed.
// With the same seed the draws are the same; goroutines that become runnable at the same virtual instant may still take turns
// in another order.
package netsim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// Conditions say how a line between two hosts behaves, in each direction alike. The zero Conditions are a perfect line.
type Conditions struct {
	Latency   time.Duration // one way
	Jitter    time.Duration // up to this is added to each packet's latency
	Loss      float64       // share of packets lost, 0 to 1; a stream sees a retransmission's delay instead
	Duplicate float64       // share of packets that arrive twice
	Reorder   float64       // share of packets that are held back by another latency
	Cut       bool          // nothing passes
}

// retransmit is the delay that a stream sees for a lost packet; patience is how long a stream lives while nothing passes, idle
// or not, as TCP's keepalive and user timeout have it.
const (
	retransmit = 200 * time.Millisecond
	patience   = 60 * time.Second
	queue      = 1024 // packets that wait at a socket
	window     = 256 << 10
	maxSegment = 16 << 10
)

// Net is a network. Its methods may be called from any goroutine.
type Net struct {
	mu      sync.Mutex
	rnd     *rand.Rand
	hosts   map[netip.Addr]*Host
	lines   map[[2]netip.Addr]Conditions
	cuts    map[[2]netip.Addr]int
	weather Conditions // of lines that have none of their own
	clock   mono.Clock
	boxes   map[netip.Addr]*NAT // translating routers by their outside addresses
	behind  map[netip.Addr]*NAT // the router that an address stands behind; none: it is on the internet
}

// New returns a network without hosts.
func New(seed uint64) *Net {
	return &Net{rnd: rand.New(rand.NewPCG(seed, 0)), clock: mono.NewClock(), hosts: map[netip.Addr]*Host{}, lines: map[[2]netip.Addr]Conditions{},
		cuts: map[[2]netip.Addr]int{}, boxes: map[netip.Addr]*NAT{}, behind: map[netip.Addr]*NAT{}}
}

// Host adds a host, or returns the one at that address.
func (n *Net) Host(addr netip.Addr) *Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.hosts[addr]
	if h == nil {
		h = &Host{net: n, addr: addr, listeners: map[uint16]*listener{}, sockets: map[uint16]*socket{}, conns: map[*conn]struct{}{}, nextPort: 40000}
		n.hosts[addr] = h
	}
	return h
}

// Weather sets the conditions of every line that has none of its own.
func (n *Net) Weather(c Conditions) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.weather = c
}

// Line sets the conditions between two hosts.
func (n *Net) Line(a, b netip.Addr, c Conditions) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines[line(a, b)] = c
}

// Cut stops or restores all traffic between two hosts.
func (n *Net) Cut(a, b netip.Addr, cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := n.between(a, b)
	if c.Cut == cut {
		return
	}
	c.Cut = cut
	n.lines[line(a, b)] = c
	n.cuts[line(a, b)]++
	if cut {
		which := n.cuts[line(a, b)]
		time.AfterFunc(patience, func() { n.lapse(a, b, which) })
	}
}

// lapse breaks the streams between two hosts if the same cut still lasts.
func (n *Net) lapse(a, b netip.Addr, which int) {
	n.mu.Lock()
	lasts := n.cuts[line(a, b)] == which
	n.mu.Unlock()
	if !lasts {
		return
	}
	for _, h := range n.all() {
		for _, c := range h.streams() {
			if line(c.line[0], c.line[1]) == line(a, b) {
				c.breakOff(syscall.ETIMEDOUT)
			}
		}
	}
}

// all returns the hosts.
func (n *Net) all() (hosts []*Host) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, h := range n.hosts {
		hosts = append(hosts, h)
	}
	return hosts
}

// streams returns a host's open streams.
func (h *Host) streams() (all []*conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.conns {
		all = append(all, c)
	}
	return all
}

func line(a, b netip.Addr) [2]netip.Addr {
	if b.Less(a) {
		a, b = b, a
	}
	return [2]netip.Addr{a, b}
}

// between returns the conditions of a line. The lock is held.
func (n *Net) between(a, b netip.Addr) Conditions {
	if c, ok := n.lines[line(a, b)]; ok {
		return c
	}
	return n.weather
}

// Reachable reports whether anything passes between two hosts now.
func (n *Net) Reachable(a, b netip.Addr) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return !n.between(a, b).Cut
}

// Delay draws what a packet on a line meets: when it arrives, once for each copy. None: it is lost.
func (n *Net) Delay(a, b netip.Addr) []time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := n.between(a, b)
	if c.Cut || n.hit(c.Loss) {
		return nil
	}
	d := n.transit(c)
	if n.hit(c.Reorder) {
		d += c.Latency + time.Millisecond
	}
	if n.hit(c.Duplicate) {
		return []time.Duration{d, d + n.transit(c)}
	}
	return []time.Duration{d}
}

// drag draws what a stream's segment meets: its latency, retransmissions included; false while the line is cut.
func (n *Net) drag(a, b netip.Addr) (time.Duration, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := n.between(a, b)
	d := n.transit(c)
	for range 8 {
		if !n.hit(c.Loss) {
			break
		}
		d += retransmit
	}
	return d, !c.Cut
}

func (n *Net) transit(c Conditions) time.Duration {
	if c.Jitter <= 0 {
		return c.Latency
	}
	return c.Latency + time.Duration(n.rnd.Int64N(int64(c.Jitter)+1))
}

func (n *Net) hit(share float64) bool { return share > 0 && n.rnd.Float64() < share }

// Host is a machine on the network.
type Host struct {
	net  *Net
	addr netip.Addr

	mu        sync.Mutex
	listeners map[uint16]*listener
	sockets   map[uint16]*socket
	conns     map[*conn]struct{}
	nextPort  uint16
}

// Addr is the host's address.
func (h *Host) Addr() netip.Addr { return h.addr }

// PowerCut ends everything that the host had open, without a word to anybody: the peers' streams stall until they give up.
func (h *Host) PowerCut() {
	h.mu.Lock()
	var all []interface{ vanish() }
	for _, l := range h.listeners {
		all = append(all, l)
	}
	for _, s := range h.sockets {
		all = append(all, s)
	}
	for c := range h.conns {
		all = append(all, c)
	}
	h.mu.Unlock()
	for _, x := range all {
		x.vanish()
	}
}

// port picks a free port when want is zero. The host's lock is held.
func (h *Host) port(want uint16, taken func(uint16) bool) (uint16, error) {
	if want != 0 {
		if taken(want) {
			return 0, fmt.Errorf("listen on %v: %w", netip.AddrPortFrom(h.addr, want), errInUse)
		}
		return want, nil
	}
	for range 20000 {
		h.nextPort++
		if h.nextPort < 40000 {
			h.nextPort = 40000
		}
		if !taken(h.nextPort) {
			return h.nextPort, nil
		}
	}
	return 0, errInUse
}

var errInUse = errors.New("address already in use")

func (n *Net) host(a netip.Addr) *Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.hosts[a.Unmap()]
}

func (h *Host) fail(op string, network string, to netip.AddrPort, err error) error {
	return &net.OpError{Op: op, Net: network, Addr: net.TCPAddrFromAddrPort(to), Err: err}
}
