package guide

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/base/trust"
	"github.com/cvlan/cvlan/internal/base/trust/trusttest"
	"github.com/cvlan/cvlan/internal/core/offload"
	"github.com/cvlan/cvlan/internal/core/relayed"
	"github.com/cvlan/cvlan/internal/node/relays"
	"github.com/cvlan/cvlan/internal/node/session"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/node/wg"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/internal/sys/tun"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/relay/server/servertest"
)

// delay is what UDP takes each way; TCP takes no time.
const delay = 20 * time.Millisecond

// realm is a network with real relays and nodes that are real tunnels with a guide, in a bubble.
type realm struct {
	*testing.T
	twin    stream.Twin
	net     *sock.Network
	root    *trusttest.Party
	tenant  *trusttest.Party
	relays  []control.Relay
	stops   map[ident.Relay]func()
	nodes   []*node
	sockets []*sock.Memory // spare ones that were ever opened

	mu    sync.Mutex
	cut   map[[2]netip.Addr]bool // no UDP passes from the first to the second
	flown map[[2]netip.Addr]int  // datagrams so far
}

func tell(t *testing.T, story func(r *realm)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &realm{T: t, stops: map[ident.Relay]func(){}, cut: map[[2]netip.Addr]bool{}, flown: map[[2]netip.Addr]int{}}
		r.root = trusttest.Root()
		r.tenant = r.root.Mint(trust.TenantName(trusttest.Domain, 7))
		r.net = sock.NewNetwork(r.carry)
		defer func() {
			for _, n := range r.nodes {
				n.close()
			}
			for _, stop := range r.stops {
				stop()
			}
		}()
		story(r)
	})
}

func (r *realm) carry(from, to netip.AddrPort) []time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	way := [2]netip.Addr{from.Addr(), to.Addr()}
	r.flown[way]++
	if r.cut[way] {
		return nil
	}
	return []time.Duration{delay}
}

// block has no UDP pass between two addresses, or lets it again.
func (r *realm) block(a, b netip.Addr, yes bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut[[2]netip.Addr{a, b}], r.cut[[2]netip.Addr{b, a}] = yes, yes
}

// between is how many datagrams have left for each other at two addresses.
func (r *realm) between(a, b netip.Addr) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.flown[[2]netip.Addr{a, b}] + r.flown[[2]netip.Addr{b, a}]
}

func relayAt(id ident.Relay) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, 9, byte(id)}), 443)
}

// serve starts a relay, again if it ran before.
func (r *realm) serve(id ident.Relay) { r.Helper(); r.serveBehind(id, nil) }

// serveBehind starts a relay with something between it and its socket.
func (r *realm) serveBehind(id ident.Relay, between func(sock.Socket) sock.Socket) {
	r.Helper()
	at := relayAt(id)
	x := servertest.Net{UDP: r.net, TCP: &r.twin, Root: r.root, Tenants: []*trusttest.Party{r.tenant}, Between: between}.Serve(r.T, id, at)
	if r.stops[id] == nil {
		r.relays = append(r.relays, control.Relay{ID: id, Addresses: []string{at.String()}})
	}
	r.stops[id] = x.Stop
}

// node is a tunnel with a guide.
type node struct {
	*tunnel.Tunnel
	r       *realm
	id      ident.Node
	private key.WGPrivate
	addr    netip.Addr // outside
	inner   netip.Addr
	twin    *tun.Twin
	main    *sock.Memory
	g       *Guide
	host    tunnel.GuideHost // of the guide; for its owner

	mu      sync.Mutex
	reaches []Reach
	asked   []ident.Node
}

// node starts one that knows the relays and nobody else.
func (r *realm) node(id ident.Node) *node {
	r.Helper()
	private := key.NewWGPrivate()
	n := &node{r: r, id: id, private: private, addr: netip.AddrFrom4([4]byte{198, 18, 1, byte(id)}), inner: netip.AddrFrom4([4]byte{100, 90, 0, byte(id)})}
	n.start()
	r.nodes = append(r.nodes, n)
	return n
}

func (n *node) start() {
	r := n.r
	r.Helper()
	cert := r.tenant.Mint(trust.NodeName(trusttest.Domain, 7, n.id))
	ferry := relays.New(relays.Config{
		Credentials: func() session.Credentials {
			return session.Credentials{Certificate: cert.TLS(), Pin: r.root.Pin()}
		},
		DialTCP:   r.twin.DialTCP,
		ListenUDP: func(context.Context, netip.AddrPort) (net.PacketConn, error) { return nil, errors.New("no QUIC here") },
		Proxy:     func(*url.URL) (*url.URL, error) { return nil, nil },
	})
	n.g = New(Config{
		Private: n.private, Self: n.id, Ferry: ferry, Overlay: []netip.Prefix{netip.MustParsePrefix("100.90.0.0/16")},
		Report: func(x Reach) { n.mu.Lock(); defer n.mu.Unlock(); n.reaches = append(n.reaches, x) },
		Punch:  func(p ident.Node) { n.mu.Lock(); defer n.mu.Unlock(); n.asked = append(n.asked, p) },
	})
	var err error
	if n.main, err = r.net.Open(sock.Config{}, n.addr); err != nil {
		r.Fatal(err)
	}
	n.twin = tun.NewTwin(tun.Config{})
	n.Tunnel, err = tunnel.New(tunnel.Config{
		Self: n.private.Public(), TUN: n.twin, Sockets: []sock.Socket{n.main},
		Transports: map[tunnel.Class]tunnel.Build{tunnel.WireGuard: wg.New(wg.Config{Private: n.private})},
		Guide: func(h tunnel.GuideHost) (tunnel.Guide, error) {
			n.host = h
			return n.g.Build(h)
		},
		Spare: func() (sock.Socket, error) {
			s, err := r.net.Open(sock.Config{}, n.addr)
			if err == nil {
				r.sockets = append(r.sockets, s)
			}
			return s, err
		},
	})
	if err != nil {
		r.Fatal(err)
	}
	n.g.SetOwn([]netip.Addr{n.addr}, nil)
	n.setRelays()
}

func (n *node) setRelays() {
	var all []relayed.Relay
	var servers []netip.AddrPort
	for _, x := range n.r.relays {
		at := relayAt(x.ID)
		all, servers = append(all, relayed.Relay{ID: x.ID, Addrs: []netip.AddrPort{at}}), append(servers, at)
	}
	n.g.SetRelays(n.r.relays, all, servers)
}

func (n *node) close() {
	if n.Tunnel != nil {
		_ = n.Tunnel.Close()
		n.g.Close()
		n.Tunnel = nil
	}
}

// restart ends the node's process and starts another with the same key, which knows the same peers.
func (n *node) restart(peers ...*node) {
	n.close()
	n.start()
	time.Sleep(2 * time.Second)
	for _, p := range peers {
		n.knows(p)
	}
}

// inside has the owner call f.
func (n *node) inside(f func(now mono.Time)) { n.g.do(f) }

// reach is what the guide reported last.
func (n *node) reach() Reach {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.reaches) == 0 {
		return Reach{}
	}
	return n.reaches[len(n.reaches)-1]
}

// knows has the map tell a node of another, as that one has reported.
func (n *node) knows(other *node) {
	n.r.Helper()
	c := tunnel.PeerConfig{Key: other.private.Public(), Allowed: []netip.Prefix{netip.PrefixFrom(other.inner, 32)}, Guided: true}
	if err := n.SetPeer(c); err != nil {
		n.r.Fatal(err)
	}
	at := other.reach()
	n.g.SetPeer(Peer{Key: other.private.Public(), Node: other.id, Home: at.Home, Candidates: at.Candidates})
}

// pair starts two nodes that know each other, with relays there.
func (r *realm) pair() (a, b *node) {
	a, b = r.node(1), r.node(2)
	time.Sleep(2 * time.Second)
	a.knows(b)
	b.knows(a)
	return a, b
}

// says sends a packet inside.
func (n *node) says(to *node, number int) {
	p := append([]byte{0x45, 0, 0, 24, 0, 0, 0x40, 0, 64, 253, 0, 0}, append(n.inner.AsSlice(), to.inner.AsSlice()...)...)
	binary.BigEndian.PutUint16(p[10:], offload.Sum(0).Bytes(p).Checksum())
	n.twin.Send(binary.BigEndian.AppendUint32(p, uint32(number)))
}

// heard is how many packets have come since it was asked last.
func (n *node) heard() (count int) {
	for len(n.twin.Arrived()) > 0 {
		<-n.twin.Arrived()
		count++
	}
	return count
}

// chat has two write to each other every 50 ms, and returns the longest time without a packet, in either direction.
func chat(a, b *node, d time.Duration) (gap time.Duration) {
	quiet := map[*node]time.Duration{}
	for i := range int(d / (50 * time.Millisecond)) {
		a.says(b, i)
		b.says(a, i)
		time.Sleep(50 * time.Millisecond)
		for _, n := range []*node{a, b} {
			if quiet[n] += 50 * time.Millisecond; n.heard() > 0 {
				quiet[n] = 0
			}
			gap = max(gap, quiet[n])
		}
	}
	return gap
}

// direct reports whether a node's datagrams to another pass no relay.
func (n *node) direct(to *node) bool {
	w, _ := n.g.Ways(to.private.Public())
	return w.Chosen.Direct()
}

// drops is how many messages were dropped for a reason.
func (n *node) drops(reason string) uint64 { return n.State().Drops[reason] }
