package wg_test

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/node/wg"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/internal/sys/tun"
)

// end is one end of tunnels: the nth machine of a world.
type end struct {
	*tunnel.Tunnel
	w    *world
	n    byte
	key  key.WGPrivate
	name key.WGPublic // its public half
	addr netip.Addr   // inside
	home netip.Addr   // outside
	twin *tun.Twin
	sock *sock.Memory

	// What it is made of, also in the next life.
	config tunnel.Config
	speaks wg.Config
	device tun.Config
	wrap   func(*sock.Memory) []sock.Socket // nil: the socket as it is
}

// end makes the nth end. change may alter what it is made of.
func (w *world) end(n byte, change ...func(*end)) *end {
	w.Helper()
	e := w.plan(n, change...)
	if err := e.boot(); err != nil {
		w.Fatal(err)
	}
	w.ends = append(w.ends, e)
	return e
}

// plan is an end that has not been started.
func (w *world) plan(n byte, change ...func(*end)) *end {
	e := &end{w: w, n: n, key: key.NewWGPrivate(), addr: netip.AddrFrom4([4]byte{10, 77, 0, n}), home: place(n)}
	e.speaks.Private, e.name = e.key, e.key.Public()
	for _, f := range change {
		f(e)
	}
	return e
}

// place is an address on the outside: the nth of a network where everything is reachable.
func place(n byte) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, n}) }

// boot starts the end, or starts it anew with nothing but its key.
func (e *end) boot() error {
	s, err := e.w.Network.Open(sock.Config{}, e.home)
	if err != nil {
		return err
	}
	e.sock, e.twin = s, tun.NewTwin(e.device)
	c := e.config
	c.Self, c.TUN, c.Sockets = e.name, e.twin, []sock.Socket{s}
	if e.wrap != nil {
		c.Sockets = e.wrap(s)
	}
	if c.Transports == nil {
		c.Transports = map[tunnel.Class]tunnel.Build{tunnel.WireGuard: wg.New(e.speaks)}
	}
	e.Tunnel, err = tunnel.New(c)
	return err
}

// reboots ends the end and starts it anew, without peers.
func (e *end) reboots() {
	e.w.Helper()
	e.Close()
	if err := e.boot(); err != nil {
		e.w.Fatal(err)
	}
}

// at is where the end is.
func (e *end) at() netip.AddrPort { return netip.AddrPortFrom(e.home, e.Port()) }

// peer is what others are told of the end.
func (e *end) peer() tunnel.PeerConfig {
	return tunnel.PeerConfig{
		Key: e.name, Allowed: []netip.Prefix{netip.PrefixFrom(e.addr, e.addr.BitLen())}, Candidates: []netip.AddrPort{e.at()},
	}
}

// knows makes another end a peer. change may alter what is told of it.
func (e *end) knows(other *end, change ...func(*tunnel.PeerConfig)) {
	e.w.Helper()
	c := other.peer()
	for _, f := range change {
		f(&c)
	}
	if err := e.SetPeer(c); err != nil {
		e.w.Fatal(err)
	}
}

// at says where a peer may be, nowhere else.
func at(all ...netip.AddrPort) func(*tunnel.PeerConfig) {
	return func(c *tunnel.PeerConfig) { c.Candidates = all }
}

// every is a keepalive.
func every(d time.Duration) func(*tunnel.PeerConfig) {
	return func(c *tunnel.PeerConfig) { c.Keepalive = d }
}

// preshared is a symmetric key, told by its first byte.
func preshared(b byte) func(*tunnel.PeerConfig) {
	return func(c *tunnel.PeerConfig) { c.Preshared = [32]byte{b} }
}

// says sends one packet to another end.
func (e *end) says(to *end, text string) { e.twin.Send(packet(e.addr, to.addr, text)) }

// hears waits for a packet with that text, and passes over others. One that comes at the last moment counts.
func (e *end) hears(text string, within time.Duration) bool {
	for end := time.After(within + time.Microsecond); ; {
		select {
		case p := <-e.twin.Arrived():
			if textOf(p) == text {
				return true
			}
		case <-end:
			return false
		}
	}
}

// heard returns the texts of all that has arrived since the last look.
func (e *end) heard() (all []string) {
	for len(e.twin.Arrived()) > 0 {
		all = append(all, textOf(<-e.twin.Arrived()))
	}
	return all
}

// of is what the end knows of another.
func (e *end) of(other *end) tunnel.PeerState {
	for _, p := range e.Peers() {
		if p.Key == other.name {
			return p
		}
	}
	return tunnel.PeerState{}
}

// dropped is how many packets and messages the end has dropped for a reason.
func (e *end) dropped(r tunnel.Reason) uint64 { return e.State().Drops[r.String()] }

// wantDrops fails if the end has dropped anything else than this.
func (e *end) wantDrops(want map[tunnel.Reason]uint64) {
	e.w.Helper()
	named := map[string]uint64{}
	for r, n := range want {
		if n > 0 {
			named[r.String()] = n
		}
	}
	if got := e.State().Drops; fmt.Sprint(got) != fmt.Sprint(named) {
		e.w.Errorf("%d has dropped %v, want %v", e.n, got, named)
	}
}

// datagrams has f see each datagram that the end sends from now on, one at a time, before it is on its way. nil: no longer.
func (e *end) datagrams(f func([]byte)) {
	e.sock.Fail(func(t sock.Train) error {
		for rest := t.Data; f != nil && len(rest) > 0; {
			n := len(rest)
			if t.Segment > 0 {
				n = min(n, t.Segment)
			}
			e.w.Change(func() { f(rest[:n]) })
			rest = rest[n:]
		}
		return nil
	})
}
