package daemon

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/base/ticket"
	"github.com/cvlan/cvlan/internal/node/engine"
	"github.com/cvlan/cvlan/internal/node/session"
	"github.com/cvlan/cvlan/internal/node/session/sessiontest"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/sys/osnet"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/internal/sys/tun"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// controller is one of one network: it admits whoever comes with a key, and shows each member the same peer.
type controller struct {
	*sessiontest.Authority
	network *pb.Network
	address string // host and port of its join keys
	id      ident.Network

	mu     sync.Mutex
	nodes  map[string]uint64 // by join key and identity
	record map[uint64][]byte
	joins  int
	mute   int // so many answers to joins get lost
	muted  func()
	away   bool   // cannot be reached
	missed func() // is called, if there is one, when somebody has tried that
	refuse *pb.Refused
	single bool // a machine that is a node already is told so
	expel  bool // every session ends with REMOVED
	peer   *pb.Peer
	relays *pb.Relays
	wg     sync.WaitGroup
}

func newController(t *testing.T, name, range4 string) *controller {
	c := &controller{Authority: sessiontest.New(), id: ident.New[ident.Network](), address: name + ":443", nodes: map[string]uint64{}, record: map[uint64][]byte{}}
	c.network = &pb.Network{Name: name, Tenant: "acme", Domain: name + ".acme.cvlan.internal", Range4: control.AppendRange(nil, netip.MustParsePrefix(range4))}
	id, err := key.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	r := control.Record{Node: 999, Identity: id.Public(), WG: key.NewWGPrivate().Public(), Address4: c.addr(9), Name: "peer", Revision: 1}.Encode()
	signature, err := id.Sign(control.Transcript(c.Tenant, c.id, r))
	if err != nil {
		t.Fatal(err)
	}
	c.peer = &pb.Peer{Record: r, Signature: signature}
	t.Cleanup(c.wg.Wait)
	return c
}

func (c *controller) addr(last byte) netip.Addr {
	r, _ := control.ParseRange(c.network.Range4)
	b := r.Addr().As4()
	b[3] = last
	return netip.AddrFrom4(b)
}

// key returns a join key for it, as people paste it.
func (c *controller) key(id uint64) string {
	s, err := ticket.Ticket{Kind: ticket.Join, Addrs: []string{c.address}, Pin: c.Pin(), ID: id, Secret: key.NewSecret()}.Encode()
	if err != nil {
		panic(err)
	}
	return s
}

func (c *controller) set(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

func (c *controller) serve(s stream.Stream) {
	defer s.Close()
	for {
		f, err := s.Recv()
		if err != nil || f.GetGoaway() != nil {
			return
		}
		for _, a := range c.answer(f) {
			b, err := control.AppendFrame(nil, a)
			if err != nil || s.Send(context.Background(), b) != nil || f.GetJoin() != nil {
				return
			}
		}
	}
}

func (c *controller) answer(f *pb.Frame) []*pb.Frame {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch b := f.Body.(type) {
	case *pb.Frame_Join:
		return c.join(b.Join)
	case *pb.Frame_Hello:
		if c.expel {
			return []*pb.Frame{{Body: &pb.Frame_Goaway{Goaway: &pb.Goaway{Reason: pb.GoawayReason_GOAWAY_REASON_REMOVED}}}}
		}
		m := &pb.Map{To: &pb.Cursor{Epoch: 1, Hard: 5}, Snapshot: true, Network: c.network, Upsert: []*pb.Peer{c.peer}, Relays: c.relays,
			Self: &pb.Self{Record: c.record[0]}, Soft: []*pb.Soft{{Node: 999, Online: true, Endpoints: [][]byte{control.AppendEndpoint(nil, netip.MustParseAddrPort("203.0.113.9:7"))}}}}
		return []*pb.Frame{{Body: &pb.Frame_Welcome{Welcome: &pb.Welcome{Version: 1, TimeMs: time.Now().UnixMilli()}}}, {Body: &pb.Frame_Map{Map: m}}}
	case *pb.Frame_Ping:
		return []*pb.Frame{{Body: &pb.Frame_Pong{Pong: &pb.Pong{Nonce: b.Ping.Nonce}}}}
	}
	return nil
}

func (c *controller) join(j *pb.Join) []*pb.Frame {
	c.joins++
	if c.refuse != nil {
		return []*pb.Frame{{Body: &pb.Frame_Refused{Refused: c.refuse}}}
	}
	csr, err := x509.ParseCertificateRequest(j.Csr)
	if err != nil {
		panic(err)
	}
	if len(j.Nodes) > 0 && c.single {
		return []*pb.Frame{{Body: &pb.Frame_Refused{Refused: &pb.Refused{Reason: pb.RefusedReason_REFUSED_REASON_MEMBER, Node: j.Nodes[0]}}}}
	}
	id, _ := key.PublicOf(csr.PublicKey)
	k := fmt.Sprint(j.KeyId, id)
	if c.nodes[k] == 0 {
		c.nodes[k] = uint64(len(c.nodes) + 1)
	}
	node := c.nodes[k]
	r := control.Record{Node: ident.Node(node), Identity: id, WG: key.WGPublic(j.WgKey), Address4: c.addr(byte(node)), Name: j.Hostname, Revision: 1}.Encode()
	c.record[0] = r // of the newest; the tests have one member at a time
	if c.mute > 0 {
		c.mute--
		c.muted()
		return nil
	}
	return []*pb.Frame{{Body: &pb.Frame_Joined{Joined: &pb.Joined{Tenant: uint64(c.Tenant), Network: uint64(c.id), Node: node,
		Chain: c.Node(ident.Node(node), csr.PublicKey), Root: c.Root.Raw, Record: r, TimeMs: time.Now().UnixMilli()}}}}
}

// machine is a host with a daemon on it.
type machine struct {
	*testing.T
	folder string
	host   *osnet.Memory
	world  []*controller
	cfg    Config

	daemon *Daemon
	stop   func()
}

func newMachine(t *testing.T, world ...*controller) *machine {
	folder, err := os.MkdirTemp("", "cvd") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	m := &machine{T: t, folder: folder, host: osnet.NewMemory(), world: world}
	m.host.SetLocalAddrs("eth0", netip.MustParsePrefix("192.0.2.10/24"))
	var devices, tunnels atomic.Int32 // made so far
	m.cfg = Config{State: filepath.Join(folder, "state"), Socket: filepath.Join(folder, "s"), Log: slog.New(slog.DiscardHandler), Outside: engine.Outside{
		Host: m.host, Dial: m.dial,
		TUN: func(name string, mtu int) (tun.Device, error) {
			if name == "" {
				name = fmt.Sprint("cvlan", devices.Add(1)-1)
			}
			return tun.NewTwin(tun.Config{Name: name, MTU: mtu}), nil
		},
		Tunnel: func(c engine.TunnelConfig) (engine.Tunnel, error) {
			if n := tunnels.Add(1); c.Port == 0 { // another one each time
				c.Port = uint16(41640 + n)
			}
			return &tube{c: c, done: make(chan struct{}), peers: map[key.WGPublic]tunnel.PeerState{}}, nil
		},
	}}
	return m
}

func (m *machine) dial(_ context.Context, t session.Target) (stream.Stream, error) {
	i := slices.IndexFunc(m.world, func(c *controller) bool { return c.address == t.Addrs[0] })
	if i < 0 {
		return nil, errors.New("no such host")
	}
	c := m.world[i]
	c.mu.Lock()
	away, missed := c.away, c.missed
	c.mu.Unlock()
	if away {
		if missed != nil {
			missed()
		}
		return nil, errors.New("connection refused")
	}
	mine, theirs := stream.Pipe(stream.Info{Transport: stream.TCP}, stream.Info{})
	c.wg.Go(func() { c.serve(theirs) })
	return mine, nil
}

// start starts the daemon; stop ends it, and it may be started again.
func (m *machine) start() *local.Client {
	m.Helper()
	d, err := New(m.cfg)
	if err != nil {
		m.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	c := local.NewClient(m.cfg.Socket)
	var once sync.Once
	m.daemon, m.stop = d, func() {
		once.Do(func() {
			c.Close()
			cancel()
			if err := <-done; err != nil {
				m.Error(err)
			}
		})
	}
	m.Cleanup(m.stop)
	return c
}

// until watches the status until it is as wanted.
func (m *machine) until(c *local.Client, what string, ok func(local.Status) bool) local.Status {
	m.Helper()
	ctx, cancel := context.WithTimeout(m.Context(), time.Minute)
	defer cancel()
	var last local.Status
	for s, err := range c.Watch(ctx) {
		if err != nil {
			break
		}
		if last = s; ok(s) {
			return s
		}
	}
	m.Fatalf("never %s; last %+v", what, last)
	return last
}

func (m *machine) untilState(c *local.Client, want local.State) local.Network {
	m.Helper()
	s := m.until(c, string(want), func(s local.Status) bool { return len(s.Networks) == 1 && s.Networks[0].State == want })
	return s.Networks[0]
}

// tube is a tunnel that carries nothing.
type tube struct {
	c    engine.TunnelConfig
	done chan struct{}

	mu    sync.Mutex
	peers map[key.WGPublic]tunnel.PeerState
}

func (t *tube) SetPeer(p tunnel.PeerConfig) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.peers[p.Key] = tunnel.PeerState{Key: p.Key, Endpoint: p.Candidates[0], LastHandshake: time.Now()}
	return nil
}

func (t *tube) RemovePeer(k key.WGPublic) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.peers, k)
}

func (t *tube) Consult(tunnel.Class, func(mono.Time, tunnel.Transport, func(key.WGPublic) *tunnel.Peer, *tunnel.Out)) bool {
	return false
}

func (t *tube) Peers() (all []tunnel.PeerState) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range t.peers {
		all = append(all, p)
	}
	return all
}

func (t *tube) State() tunnel.State {
	return tunnel.State{Key: t.c.Private.Public(), Port: t.c.Port, MTU: t.c.TUN.MTU(), Workers: 1, Drops: map[string]uint64{}}
}
func (t *tube) SetSources([]netip.Addr, ...netip.Prefix) {}
func (t *tube) Review()                                  {}
func (t *tube) SetKernel(bool)                           {}
func (t *tube) Kernel() (bool, error)                    { return false, nil }
func (t *tube) SetMTU(int)                               {}
func (t *tube) SetPort(p uint16) error                   { t.c.Port = p; return nil }
func (t *tube) Guide() engine.Guide                      { return nil }
func (t *tube) Wake()                                    {}
func (t *tube) Resume(time.Duration)                     {}
func (t *tube) Port() uint16                             { return t.c.Port }
func (t *tube) Done() <-chan struct{}                    { return t.done }
func (t *tube) Close() error                             { return t.c.TUN.Close() }

func (t *tube) Traffic(key.WGPublic) (sent, received uint64) { return 0, 0 }
