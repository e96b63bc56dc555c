package engine

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/sys/osnet"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/internal/sys/tun"
)

// host is an operating system's network in memory.
type host struct {
	mu      sync.Mutex
	up      map[string]osnet.Config
	ups     int
	routes  []osnet.Clash // of the LAN
	addrs   []netip.Addr
	changed chan struct{}
	slept   chan time.Duration
	failUp  error

	forwards    osnet.Forwarding
	alone       bool // it has no way to the internet
	failForward error
	failRoutes  error
	failExit    error
}

func newHost() *host {
	return &host{up: map[string]osnet.Config{}, addrs: []netip.Addr{netip.MustParseAddr("192.0.2.10")}, changed: make(chan struct{}, 1), slept: make(chan time.Duration)}
}

func (h *host) Up(c osnet.Config) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failUp != nil {
		return h.failUp
	}
	if h.failRoutes != nil && len(c.Routes) > 0 {
		return h.failRoutes
	}
	if h.failExit != nil && c.Exit != nil {
		return h.failExit
	}
	h.up[c.Interface] = c
	h.ups++
	return nil
}

func (h *host) Down(iface string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.up, iface)
	return nil
}

func (h *host) Hold(*osnet.Exit) error { return nil }

func (h *host) Uplinks() (four, six bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.alone, !h.alone, nil
}

func (h *host) Forward(f osnet.Forwarding) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.forwards = f
	return h.failForward
}

func (h *host) Clashes(ranges []netip.Prefix, _ ...string) (all []osnet.Clash, _ error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.routes {
		if slices.ContainsFunc(ranges, c.Range.Overlaps) {
			all = append(all, c)
		}
	}
	return all, nil
}

func (h *host) LocalAddrs(...string) ([]netip.Addr, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.addrs), nil
}

func (h *host) LocalNetworks(...string) ([]netip.Prefix, error) { return nil, nil }

func (h *host) Changes(context.Context) (<-chan struct{}, error) { return h.changed, nil }

func (h *host) Sleeps(context.Context) <-chan time.Duration { return h.slept }

func (h *host) Ping(context.Context, string, netip.Addr, int) (time.Duration, error) {
	return time.Millisecond, nil
}

// lan changes the host's own routes and addresses, and tells.
func (h *host) lan(routes []osnet.Clash, addrs ...netip.Addr) {
	h.mu.Lock()
	h.routes = routes
	if addrs != nil {
		h.addrs = addrs
	}
	h.mu.Unlock()
	h.changed <- struct{}{}
}

func (h *host) interfaces() (names []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for n := range h.up {
		names = append(names, n)
	}
	return names
}

// tube is a tunnel that remembers what it was told.
type tube struct {
	port  uint16
	taken uint16 // by another program
	dev   tun.Device
	home  ident.Relay // it was told
	gone  chan struct{}

	mu     sync.Mutex
	peers  map[key.WGPublic]tunnel.PeerConfig
	flows  map[key.WGPublic][2]uint64
	sets   int
	wakes  int
	slept  time.Duration
	closed bool
}

func (t *tube) SetPeer(p tunnel.PeerConfig) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(p.Candidates) == 0 { // as a tunnel does
		p.Candidates = t.peers[p.Key].Candidates
	}
	t.peers[p.Key] = p
	t.sets++
	return nil
}

func (t *tube) RemovePeer(k key.WGPublic) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.peers, k)
}

func (t *tube) Wake() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.wakes++
}

func (t *tube) Resume(slept time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.slept += slept
}

func (t *tube) Peers() (all []tunnel.PeerState) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k := range t.peers {
		all = append(all, tunnel.PeerState{Key: k})
	}
	return all
}

func (t *tube) Consult(tunnel.Class, func(mono.Time, tunnel.Transport, func(key.WGPublic) *tunnel.Peer, *tunnel.Out)) bool {
	return false
}
func (t *tube) State() tunnel.State                      { return tunnel.State{} }
func (t *tube) SetSources([]netip.Addr, ...netip.Prefix) {}
func (t *tube) Review()                                  {}
func (t *tube) SetKernel(bool)                           {}
func (t *tube) Kernel() (bool, error)                    { return false, nil }
func (t *tube) SetMTU(int)                               {}
func (t *tube) Guide() Guide                             { return nil }

func (t *tube) Port() uint16 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.port
}

func (t *tube) SetPort(p uint16) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p == t.taken {
		return sock.ErrPortTaken
	}
	t.port = p
	return nil
}

func (t *tube) Done() <-chan struct{} { return t.gone }

func (t *tube) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	return t.dev.Close()
}

func (t *tube) peer(k key.WGPublic) (tunnel.PeerConfig, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p, ok := t.peers[k]
	return p, ok
}

// disk keeps what an engine wants kept.
type disk struct {
	mu     sync.Mutex
	fail   error
	maps   int
	cache  []byte
	heard  time.Time
	iface  string
	port   uint16
	home   ident.Relay
	stalls chan struct{} // not nil: a write waits for it
}

var errFull = errors.New("write netmap.cache: the disk is full; free some space there")

func (d *disk) Map(b []byte, heard time.Time) error {
	if d.stalls != nil {
		<-d.stalls
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fail != nil {
		return d.fail
	}
	d.cache, d.heard = b, heard
	d.maps++
	return nil
}

func (d *disk) Chain([][]byte) error { return nil }
func (d *disk) Addrs([]string) error { return nil }

func (d *disk) Came(_, _, iface string, port uint16) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.iface, d.port = iface, port
	return nil
}

func (d *disk) Home(r ident.Relay) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.home = r
	return nil
}

func (d *disk) refuse(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = err
}

func (d *disk) writes() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.maps
}

// takes has another program take a port; 0: none any more.
func (t *tube) takes(port uint16) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.taken = port
}

func (t *tube) Traffic(k key.WGPublic) (sent, received uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.flows[k][0], t.flows[k][1]
}
