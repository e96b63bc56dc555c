package wg

import (
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
)

// Carry is what lies between machines: how long a packet takes from one outside address to another; false if it is lost. It is
// called from any goroutine, with locks held that it never meets again: it must not call a tunnel.
type Carry func(from, to netip.AddrPort) (time.Duration, bool)

// Fabric is where Memory tunnels meet. Everything on it happens in timers; made inside a testing/synctest bubble it lives by the
// bubble's time.
type Fabric struct {
	carry Carry

	mu      sync.Mutex
	tunnels map[netip.AddrPort]*Memory
	stamp   uint64 // of the latest opening, the same for all so that a later one is always greater
}

// NewFabric returns a fabric without tunnels.
func NewFabric(c Carry) *Fabric {
	return &Fabric{carry: c, tunnels: map[netip.AddrPort]*Memory{}}
}

// Tunnel starts the twin of a tunnel on a machine with these outside addresses.
func (f *Fabric) Tunnel(c Config, at ...netip.Addr) (*Memory, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	m := &Memory{
		fabric: f, clock: mono.NewClock(), device: c.TUN, public: c.Private.Public(), log: c.Log,
		done: make(chan struct{}), peers: map[key.WGPublic]*memoryPeer{}, pings: map[uint64]chan<- struct{}{},
	}
	port, err := f.join(m, c.Port, at)
	if err != nil {
		c.TUN.Close()
		return nil, fmt.Errorf("start the tunnel: %w", err)
	}
	m.port, m.at = port, at
	m.reading.Go(m.read)
	return m, nil
}

// join puts a tunnel at its addresses, all with one port.
func (f *Fabric) join(m *Memory, want uint16, at []netip.Addr) (uint16, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	port := want
	for port == 0 || f.taken(port, at) {
		switch {
		case want != 0:
			return 0, fmt.Errorf("UDP port %d is taken; choose another, or 0 for any", want)
		case port == 0:
			port = DefaultPort
		default:
			port++
		}
	}
	for _, a := range at {
		f.tunnels[netip.AddrPortFrom(a, port)] = m
	}
	return port, nil
}

func (f *Fabric) taken(port uint16, at []netip.Addr) bool {
	for _, a := range at {
		if f.tunnels[netip.AddrPortFrom(a, port)] != nil {
			return true
		}
	}
	return false
}

// leave takes a tunnel off its addresses.
func (f *Fabric) leave(m *Memory) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for a, there := range f.tunnels {
		if there == m {
			delete(f.tunnels, a)
		}
	}
}

// send carries a message.
func (f *Fabric) send(from, to netip.AddrPort, msg message) {
	if took, ok := f.carry(from, to); ok {
		time.AfterFunc(took, func() { f.deliver(from, to, msg) })
	}
}

func (f *Fabric) deliver(from, to netip.AddrPort, msg message) {
	f.mu.Lock()
	m := f.tunnels[to]
	f.mu.Unlock()
	if m != nil {
		m.receive(from, msg)
	}
}

// next draws the stamp of an opening.
func (f *Fabric) next() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stamp++
	return f.stamp
}

// message is what one tunnel says to another. Opening, answer and data stand for WireGuard's messages of types 1, 2 and 4.
type message struct {
	kind    messageKind
	from    key.WGPublic
	session uint64 // the stamp of the opening that began it
	inner   *inner // of data; nil in a keepalive
}

type messageKind uint8

const (
	opening messageKind = iota + 1
	answer
	data
)

// size is what a message counts in bytes.
func (m message) size() uint64 {
	switch {
	case m.kind == opening:
		return initiationSize
	case m.kind == answer:
		return responseSize
	case m.inner == nil:
		return 32
	default:
		return 32 + uint64(m.inner.size)
	}
}

// inner is what travels in a tunnel: a packet of the host, or an echo request or reply of the twin's own.
type inner struct {
	src, dst netip.Addr
	size     int    // bytes
	packet   []byte // of the host; nil in an echo
	echo     uint64 // which ping
	reply    bool
}
