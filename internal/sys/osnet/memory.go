package osnet

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Memory is the in-memory twin of a Host, for tests and the simulation. It waits on channels only; made inside a testing/synctest
// bubble it lives by the bubble's time.
type Memory struct {
	mu      sync.Mutex
	up      map[string]Config
	serves  map[string]Forwarding
	held    *Exit
	others  map[string][]netip.Prefix // what else the host has: ranges by interface
	addrs   []candidate
	faults  map[string]error
	waiters map[chan struct{}]struct{}
	beds    map[chan time.Duration]struct{}
	ping    func(ctx context.Context, iface string, to netip.Addr, payload int) (time.Duration, error)
}

var _ Host = (*Memory)(nil)

// NewMemory returns a host without a network.
func NewMemory() *Memory {
	return &Memory{up: map[string]Config{}, serves: map[string]Forwarding{}, others: map[string][]netip.Prefix{}, faults: map[string]error{}, waiters: map[chan struct{}]struct{}{}, beds: map[chan time.Duration]struct{}{}}
}

// SetLocalAddrs replaces what the host has on an interface and tells the watchers. No address removes the interface.
func (m *Memory) SetLocalAddrs(iface string, addrs ...netip.Prefix) {
	m.mu.Lock()
	m.addrs = slices.DeleteFunc(m.addrs, func(c candidate) bool { return c.iface == iface })
	for _, a := range addrs {
		m.addrs = append(m.addrs, candidate{addr: a.Addr(), bits: a.Bits(), iface: iface, onDefault: true})
	}
	m.others[iface] = addrs
	m.mu.Unlock()
	m.Change()
}

// SetPing says how echo requests are answered; without it nothing answers.
func (m *Memory) SetPing(answer func(ctx context.Context, iface string, to netip.Addr, payload int) (time.Duration, error)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ping = answer
}

// Fail makes Up of an interface fail with that error; nil heals it.
func (m *Memory) Fail(iface string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults[iface] = err
}

// Config tells what was set up for an interface.
func (m *Memory) Config(iface string) (Config, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.up[iface]
	return c, ok
}

// Change tells all watchers that something has changed.
func (m *Memory) Change() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for c := range m.waiters {
		poke(c)
	}
}

// Sleep tells all watchers that the machine slept.
func (m *Memory) Sleep(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for c := range m.beds {
		addUp(c, d)
	}
}

// Up implements Host.
func (m *Memory) Up(c Config) error {
	if err := c.check(); err != nil {
		return fmt.Errorf("set up the network: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.faults[c.Interface]; err != nil {
		return fmt.Errorf("set up the interface %s: %w", c.Interface, err)
	}
	c.Addresses, c.Routes = slices.Clone(c.Addresses), slices.Clone(c.Routes)
	if c.Exit != nil {
		x := *c.Exit
		c.Exit = &x
	}
	m.up[c.Interface] = c
	return nil
}

// Down implements Host.
func (m *Memory) Down(iface string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.up, iface)
	delete(m.serves, iface)
	return nil
}

// Hold implements Host.
func (m *Memory) Hold(want *Exit) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held = want
	return nil
}

// Held tells what is to be held; nil: nothing.
func (m *Memory) Held() *Exit {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.held
}

// Uplinks implements Host: a machine with an address of a family has a way to the internet in it.
func (m *Memory) Uplinks() (four, six bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.addrs {
		four, six = four || c.addr.Is4(), six || c.addr.Is6()
	}
	return four, six, nil
}

// Forward implements Host.
func (m *Memory) Forward(f Forwarding) error {
	if err := f.check(); err != nil {
		return fmt.Errorf("forward packets: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, up := m.up[f.Interface]; !up && len(f.To) > 0 {
		return fmt.Errorf("forward packets of %s: it is not up", f.Interface)
	}
	f.To = slices.Clone(f.To)
	if m.serves[f.Interface] = f; len(f.To) == 0 {
		delete(m.serves, f.Interface)
	}
	return nil
}

// Forwarding tells what is passed on for an interface.
func (m *Memory) Forwarding(iface string) Forwarding {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.serves[iface]
}

// Clashes implements Host.
func (m *Memory) Clashes(ranges []netip.Prefix, except ...string) ([]Clash, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := newClashFinder(ranges, except)
	offer := func(ranges []netip.Prefix, on string) {
		for _, r := range ranges {
			f.offer(r, on)
		}
	}
	for on, ranges := range m.others {
		offer(ranges, on)
	}
	for on, c := range m.up {
		offer(c.Addresses, on)
		offer(c.Routes, on)
	}
	return f.sorted(), nil
}

// LocalAddrs implements Host.
func (m *Memory) LocalAddrs(except ...string) ([]netip.Addr, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return rank(m.addrs, except), nil
}

// LocalNetworks implements Host.
func (m *Memory) LocalNetworks(except ...string) ([]netip.Prefix, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return networks(m.addrs, except), nil
}

// Changes implements Host. It tells without delay.
func (m *Memory) Changes(ctx context.Context) (<-chan struct{}, error) {
	c := make(chan struct{}, 1)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waiters[c] = struct{}{}
	context.AfterFunc(ctx, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.waiters, c)
		close(c)
	})
	return c, nil
}

// Sleeps implements Host. It tells without delay.
func (m *Memory) Sleeps(ctx context.Context) <-chan time.Duration {
	c := make(chan time.Duration, 1)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.beds[c] = struct{}{}
	context.AfterFunc(ctx, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.beds, c)
		close(c)
	})
	return c
}

// Ping implements Host.
func (m *Memory) Ping(ctx context.Context, iface string, to netip.Addr, payload int) (time.Duration, error) {
	m.mu.Lock()
	answer := m.ping
	_, up := m.up[iface]
	m.mu.Unlock()
	switch {
	case !up:
		return 0, fmt.Errorf("ping %v through %s: the interface is not up", to, iface)
	case answer == nil:
		return 0, fmt.Errorf("ping %v through %s: %w", to, iface, ErrNoReply)
	}
	ctx, cancel := context.WithTimeout(ctx, MaxPing)
	defer cancel()
	return answer(ctx, iface, to, payload)
}
