package wg

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.zx2c4.com/wireguard/tun"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
)

// Memory is the twin of a tunnel. It carries what the host sends into its TUN device, and answers echo requests by itself, because
// a simulated host has nobody else to answer.
type Memory struct {
	fabric *Fabric
	clock  mono.Clock
	device tun.Device
	public key.WGPublic
	port   uint16
	log    *slog.Logger

	done    chan struct{}
	reading sync.WaitGroup
	foreign atomic.Uint64

	mu      sync.Mutex
	at      []netip.Addr // outside
	sources []netip.Addr // inside; nil: anything
	peers   map[key.WGPublic]*memoryPeer
	pings   map[uint64]chan<- struct{}
	closed  bool
}

var (
	_ Tunnel      = (*Memory)(nil)
	_ SourceGuard = (*Memory)(nil)
)

// Move plays a machine that moves to other outside addresses. The port stays.
func (m *Memory) Move(at ...netip.Addr) error {
	m.fabric.leave(m)
	if _, err := m.fabric.join(m, m.port, at); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.at = at
	return nil
}

// Ping sends an echo request from one of the node's addresses to a peer's, and waits for the reply. The size is in bytes.
func (m *Memory) Ping(ctx context.Context, from, to netip.Addr, size int) (time.Duration, error) {
	came, id := make(chan struct{}, 1), m.fabric.next()
	m.mu.Lock()
	m.pings[id] = came
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.pings, id)
	}()
	start := time.Now()
	m.send(&inner{src: from, dst: to, size: size, echo: id})
	select {
	case <-came:
		return time.Since(start), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("ping %v: no reply: %w", to, ctx.Err())
	}
}

// SetPeer implements Tunnel.
func (m *Memory) SetPeer(p Peer) error {
	p, err := p.clean(m.public)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	mp := m.peers[p.Key]
	if mp == nil {
		if len(m.peers) == MaxPeers {
			return fmt.Errorf("set the peer %s: %d peers already", p.Key.Short(), MaxPeers)
		}
		mp = newMemoryPeer(m, p.Key)
		m.peers[p.Key] = mp
	}
	for _, other := range m.peers {
		other.allowed = slices.DeleteFunc(other.allowed, func(a netip.Prefix) bool { return slices.Contains(p.Allowed, a) })
	}
	mp.allowed = p.Allowed
	mp.setCandidates(p.Candidates)
	return nil
}

// RemovePeer implements Tunnel.
func (m *Memory) RemovePeer(k key.WGPublic) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.peers[k]; p != nil {
		p.stop()
		delete(m.peers, k)
	}
}

// Wake implements Tunnel.
func (m *Memory) Wake() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.peers {
		p.wake()
	}
}

// Peers implements Tunnel.
func (m *Memory) Peers() []PeerState {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]PeerState, 0, len(m.peers))
	for _, p := range m.peers {
		all = append(all, p.state)
	}
	return all
}

// Port implements Tunnel.
func (m *Memory) Port() uint16 { return m.port }

// Done implements Tunnel.
func (m *Memory) Done() <-chan struct{} { return m.done }

// Close implements Tunnel.
func (m *Memory) Close() error {
	m.mu.Lock()
	m.closed = true
	for _, p := range m.peers {
		p.stop()
	}
	m.mu.Unlock()
	m.fabric.leave(m)
	err := m.device.Close()
	m.reading.Wait()
	return err
}

// SetSources implements SourceGuard.
func (m *Memory) SetSources(own []netip.Addr) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sources = slices.Clone(own)
}

// ForeignSources implements SourceGuard.
func (m *Memory) ForeignSources() uint64 { return m.foreign.Load() }

// read carries the host's packets until the TUN device is closed.
func (m *Memory) read() {
	n := m.device.BatchSize()
	bufs, sizes := make([][]byte, n), make([]int, n)
	for i := range bufs {
		bufs[i] = make([]byte, 1<<16)
	}
	for {
		n, err := m.device.Read(bufs, sizes, 0)
		if err != nil {
			m.mu.Lock()
			defer m.mu.Unlock()
			if !m.closed {
				close(m.done)
			}
			return
		}
		for i := range n {
			if in := parseInner(bufs[i][:sizes[i]]); in != nil {
				m.send(in)
			}
		}
	}
}

// parseInner takes a copy of an IP packet; nil if it is none.
func parseInner(p []byte) *inner {
	switch {
	case len(p) >= 20 && p[0]>>4 == 4:
		return &inner{src: netip.AddrFrom4([4]byte(p[12:16])), dst: netip.AddrFrom4([4]byte(p[16:20])), size: len(p), packet: slices.Clone(p)}
	case len(p) >= 40 && p[0]>>4 == 6:
		return &inner{src: netip.AddrFrom16([16]byte(p[8:24])), dst: netip.AddrFrom16([16]byte(p[24:40])), size: len(p), packet: slices.Clone(p)}
	}
	return nil
}

// send gives a packet to the peer that its destination belongs to.
func (m *Memory) send(in *inner) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sources != nil && !slices.Contains(m.sources, in.src) {
		m.foreign.Add(1)
		return
	}
	if p := m.owner(in.dst); p != nil && !m.closed {
		p.send(in)
	}
}

// owner finds the peer with the longest range that contains an address.
func (m *Memory) owner(a netip.Addr) (best *memoryPeer) {
	bits := -1
	for _, p := range m.peers {
		for _, r := range p.allowed {
			if r.Contains(a) && r.Bits() > bits {
				best, bits = p, r.Bits()
			}
		}
	}
	return best
}

// receive takes a message from the fabric.
func (m *Memory) receive(from netip.AddrPort, msg message) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.peers[msg.from]
	if p == nil || m.closed {
		return
	}
	switch msg.kind {
	case opening:
		p.opened(from, msg)
	case answer:
		p.answered(from, msg)
	case data:
		p.received(from, msg)
	}
}

// arrive takes a packet out of the tunnel.
func (m *Memory) arrive(from *memoryPeer, in *inner) {
	switch {
	case m.owner(in.src) != from: // a source address that this peer may not use
	case in.packet != nil:
		m.device.Write([][]byte{in.packet}, 0)
	case in.reply:
		if came := m.pings[in.echo]; came != nil {
			delete(m.pings, in.echo)
			came <- struct{}{}
		}
	case m.sources == nil || slices.Contains(m.sources, in.dst):
		from.send(&inner{src: in.dst, dst: in.src, size: in.size, echo: in.echo, reply: true})
	}
}
