package world

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/daemon"
	"github.com/cvlan/cvlan/internal/node/engine"
	"github.com/cvlan/cvlan/internal/node/relays"
	"github.com/cvlan/cvlan/internal/node/session"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/sim/netsim"
	"github.com/cvlan/cvlan/internal/sys/osnet"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/internal/sys/tun"
	"github.com/cvlan/cvlan/proto/control"
)

// Node is a machine with a daemon.
type Node struct {
	Name string
	Addr netip.Addr
	Skew time.Duration // how wrong its clock is; read at every use
	// Transport is what it joins with; zero: auto.
	Transport stream.Transport
	// Can are the tunnel protocols that it speaks; zero: all.
	Can control.Tunnels

	w    *World
	dir  string
	host *osnet.Memory
	net  *netsim.Host

	devices atomic.Uint32

	live *daemon.Daemon // nil: not running
	stop context.CancelFunc
	done chan struct{}
}

// Node makes a machine and starts its daemon. change may alter what it is made of.
func (w *World) Node(name string, change ...func(*Node)) *Node {
	w.T.Helper()
	a := nodeBase
	for range len(w.nodes) + 1 {
		a = a.Next()
	}
	n := w.machine(name, a, filepath.Join(w.T.TempDir(), name))
	for _, f := range change {
		f(n)
	}
	n.Start()
	return n
}

func (w *World) machine(name string, a netip.Addr, dir string) *Node {
	n := &Node{Name: name, Addr: a, w: w, dir: dir, host: osnet.NewMemory(), net: w.Net.Host(a)}
	n.host.SetLocalAddrs("eth0", netip.PrefixFrom(a, 16))
	w.nodes = append(w.nodes, n)
	return n
}

// Clone makes another machine with a copy of this one's state, and starts its daemon.
func (n *Node) Clone(name string) *Node {
	n.w.T.Helper()
	a := nodeBase
	for range len(n.w.nodes) + 1 {
		a = a.Next()
	}
	c := n.w.machine(name, a, filepath.Join(n.w.T.TempDir(), name))
	if err := copyFolder(c.dir, n.dir); err != nil {
		n.w.T.Fatal(err)
	}
	c.Start()
	return c
}

// Start starts the daemon on the machine's state folder.
func (n *Node) Start() {
	n.w.T.Helper()
	d, err := daemon.New(daemon.Config{State: n.dir, Speaks: n.Can, Log: n.w.log.With("who", n.Name), Outside: n.outside()})
	if err != nil {
		n.w.T.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	n.live, n.stop, n.done = d, stop, make(chan struct{})
	go func() {
		defer close(n.done)
		if err := d.Run(ctx); err != nil {
			n.w.T.Errorf("%s: %v", n.Name, err)
		}
	}()
}

// outside is the world as this machine's daemon sees it.
func (n *Node) outside() engine.Outside {
	memory := new(stream.Recent)
	return engine.Outside{
		Host:   n.host,
		TUN:    func(name string, mtu int) (tun.Device, error) { return n.device(name, mtu), nil },
		Tunnel: n.tunnel,
		Local:  func() time.Time { return n.w.Now().Add(n.Skew) },
		Dial: func(ctx context.Context, t session.Target) (stream.Stream, error) {
			c := stream.DialConfig{Addrs: t.Addrs, TLS: t.TLS, Transport: t.Transport, Afresh: t.Afresh, Silent: t.Silent,
				DialTCP:   n.net.Dial,
				ListenUDP: func(context.Context, netip.AddrPort) (net.PacketConn, error) { return n.net.ListenPacket(0) },
			}
			if t.Remember != "" {
				c.Memory, c.Attachment = memory, t.Remember
			}
			return stream.Dial(ctx, c)
		},
	}
}

// Stop ends the daemon in an orderly way. It may be stopped already.
func (n *Node) Stop() {
	if n.live == nil {
		return
	}
	n.stop()
	<-n.done
	n.live = nil
}

// Kill ends the daemon without a word to anybody, and leaves its state folder as it was at that moment.
func (n *Node) Kill() {
	n.w.T.Helper()
	n.net.PowerCut()
	kept := n.dir + ".killed"
	if err := copyFolder(kept, n.dir); err != nil {
		n.w.T.Fatal(err)
	}
	n.Stop()
	if err := copyFolder(n.dir, kept); err != nil {
		n.w.T.Fatal(err)
	}
}

// Join joins a network and fails the story if that fails.
func (n *Node) Join(key string) {
	n.w.T.Helper()
	if err := n.TryJoin(key); err != nil {
		n.w.T.Fatalf("%s joins: %v", n.Name, err)
	}
}

// TryJoin joins a network.
func (n *Node) TryJoin(key string) error {
	_, err := n.live.Up(n.w.Background(), local.UpRequest{JoinKey: key, Hostname: n.Name, Transport: string(n.Transport)})
	return err
}

// Network returns the first membership as the daemon shows it; the zero Network if there is none.
func (n *Node) Network() local.Network {
	if all := n.live.Status().Networks; len(all) > 0 {
		return all[0]
	}
	return local.Network{}
}

// Prefers says which tunnel protocol the machine would rather speak; "": none.
func (n *Node) Prefers(protocol string) {
	n.w.T.Helper()
	if protocol == "" {
		protocol = local.DefaultValue
	}
	n.Sets(map[string]string{"protocol": protocol})
}

// Sets changes settings of the network.
func (n *Node) Sets(values map[string]string) {
	n.w.T.Helper()
	if _, err := n.live.Set(n.w.Background(), local.SetRequest{Values: values}); err != nil {
		n.w.T.Fatal(err)
	}
}

// Speaks returns the protocol by which packets for a peer leave.
func (n *Node) Speaks(peer string) string {
	for _, p := range n.Network().Peers {
		if p.Name == peer {
			return p.Protocol
		}
	}
	return ""
}

// Up waits until the first membership is up and connected.
func (n *Node) Up() {
	n.w.T.Helper()
	n.w.Until(time.Minute, n.Name+" is up", func() bool { return n.Network().State == local.Up })
}

// Sees reports whether a peer is in the node's map.
func (n *Node) Sees(peer string) bool {
	for _, p := range n.Network().Peers {
		if p.Name == peer {
			return true
		}
	}
	return false
}

// Ping sends one echo to a peer.
func (n *Node) Ping(peer string) error {
	if _, err := n.live.Ping(n.w.Background(), local.PingRequest{Peer: peer}); err != nil {
		return fmt.Errorf("%s pings %s: %w", n.Name, peer, err)
	}
	return nil
}

// Reaches waits until a peer answers.
func (n *Node) Reaches(limit time.Duration, peer string) {
	n.w.T.Helper()
	var err error
	for end := time.Now().Add(limit); ; time.Sleep(100 * time.Millisecond) {
		if err = n.Ping(peer); err == nil {
			return
		}
		if time.Now().After(end) {
			n.w.T.Fatalf("%v (for %v); %+v", err, limit, n.Network())
		}
	}
}

// ReachesBy waits until echoes take a kind of path (local.PathDirect, local.PathRelay), and returns the name of the relay that it leads
// through.
func (n *Node) ReachesBy(limit time.Duration, peer, path string) (relay string) {
	n.w.T.Helper()
	var last local.Pong
	n.w.Until(limit, fmt.Sprintf("%s reaches %s by %s", n.Name, peer, path), func() bool {
		var err error
		last, err = n.live.Ping(n.w.Background(), local.PingRequest{Peer: peer, TimeoutMS: 200})
		return err == nil && last.Path == path
	})
	return last.Relay
}

// Path is what the node says of the way to a peer.
func (n *Node) Path(peer string) local.PeerPath {
	n.w.T.Helper()
	p, err := n.live.Path(n.w.Background(), local.PathRequest{Peer: peer})
	if err != nil {
		n.w.T.Fatalf("%s tells of the path to %s: %v", n.Name, peer, err)
	}
	return p
}

// device makes a TUN device with a name of this machine's, and the host behind it.
func (n *Node) device(name string, mtu int) tun.Device {
	if name == "" {
		name = fmt.Sprintf("cvlan%d", n.devices.Add(1)-1)
	}
	t := tun.NewTwin(tun.Config{Name: name, MTU: mtu})
	h := newInside(t, func(format string, a ...any) { n.w.T.Errorf(n.Name+": "+format, a...) })
	n.host.SetPing(func(ctx context.Context, iface string, to netip.Addr, payload int) (time.Duration, error) {
		up, _ := n.host.Config(iface)
		for _, own := range up.Addresses {
			if own.Addr().Is4() == to.Is4() {
				return h.ping(ctx, own.Addr(), to, payload)
			}
		}
		return 0, fmt.Errorf("%s has no address of the family of %v", iface, to)
	})
	return t
}

// tunnel makes a tunnel on a socket in memory.
func (n *Node) tunnel(c engine.TunnelConfig) (engine.Tunnel, error) {
	s, err := n.w.udp.Open(sock.Config{Port: c.Port}, n.Addr)
	if err != nil {
		c.TUN.Close()
		return nil, err
	}
	protocols, err := engine.Protocols(c)
	if err != nil {
		return nil, err
	}
	return engine.Guided(c, tunnel.Config{
		Self: c.Private.Public(), TUN: c.TUN, Sockets: []sock.Socket{s}, Log: c.Log,
		Spare:      func() (sock.Socket, error) { return n.w.udp.Open(sock.Config{}, n.Addr) },
		Transports: protocols,
	}, engine.Helpers{Ferry: relays.New(relays.Config{
		Credentials: c.Credentials, Log: c.Log, DialTCP: n.net.Dial,
		ListenUDP: func(context.Context, netip.AddrPort) (net.PacketConn, error) { return n.net.ListenPacket(0) },
		Proxy:     func(*url.URL) (*url.URL, error) { return nil, nil },
	}), Sockets: func(port uint16) ([]sock.Socket, error) {
		s, err := n.w.udp.Open(sock.Config{Port: port}, n.Addr)
		return []sock.Socket{s}, err
	}})
}
