package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/node/guide"
	"github.com/cvlan/cvlan/internal/node/session"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/sys/osnet"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/internal/sys/tun"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// other is another node of the network.
type other struct {
	id   key.Identity
	wg   key.WGPublic
	node ident.Node
	addr netip.Addr
	name string
}

// stage is an engine with everything around it in memory.
type stage struct {
	*testing.T
	cfg    Config
	host   *host
	disk   *disk
	engine *Engine
	stop   func()

	mu     sync.Mutex
	away   error         // why the controller cannot be reached
	line   stream.Stream // the controller's end of the newest connection
	heard  chan *pb.Frame
	tunnel *tube
	noTUN  error
	busy   uint16 // a UDP port that somebody else has
}

func newStage(t *testing.T) *stage {
	time.Sleep(30 * 365 * 24 * time.Hour) // a bubble begins in 2000, before any build
	id, err := key.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{T: t, host: newHost(), disk: &disk{}, away: errors.New("no route to host"), heard: make(chan *pb.Frame, 1000)}
	s.cfg = Config{
		Membership: session.Membership{Tenant: 1, Network: ident.New[ident.Network](), Node: 100, Addrs: []string{"c:1"}},
		Identity:   id, WG: key.NewWGPrivate(), Keep: s.disk, Ledger: &Ledger{}, Log: slog.New(slog.DiscardHandler),
		Outside: Outside{Host: s.host, TUN: s.openTUN, Tunnel: s.openTunnel, Dial: s.dial},
	}
	return s
}

func (s *stage) openTUN(name string, mtu int) (tun.Device, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.noTUN != nil {
		return nil, s.noTUN
	}
	if name == "" {
		name = "cvlan0"
	}
	return tun.NewTwin(tun.Config{Name: name, MTU: mtu}), nil
}

func (s *stage) openTunnel(c TunnelConfig) (Tunnel, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.Port != 0 && c.Port == s.busy {
		c.TUN.Close()
		return nil, errors.New("UDP port: address already in use")
	}
	if c.Port == 0 {
		c.Port = 41641
	}
	s.tunnel = &tube{port: c.Port, dev: c.TUN, home: c.Home, gone: make(chan struct{}), peers: map[key.WGPublic]tunnel.PeerConfig{}, flows: map[key.WGPublic][2]uint64{}}
	return s.tunnel, nil
}

func (s *stage) dial(ctx context.Context, _ session.Target) (stream.Stream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away != nil {
		return nil, s.away
	}
	mine, theirs := stream.Pipe(stream.Info{Transport: stream.TCP}, stream.Info{})
	s.line = theirs
	go func() {
		for {
			f, err := theirs.Recv()
			if err != nil {
				theirs.Close()
				return
			}
			s.heard <- f
		}
	}()
	b, _ := control.AppendFrame(nil, &pb.Frame{Body: &pb.Frame_Welcome{Welcome: &pb.Welcome{Version: 1, TimeMs: time.Now().UnixMilli()}}})
	return mine, theirs.Send(ctx, b)
}

func (s *stage) run() {
	s.engine = New(s.cfg)
	ctx, cancel := context.WithCancel(s.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.engine.Run(ctx); err != nil {
			s.Error(err)
		}
	}()
	s.stop = func() { cancel(); <-done }
	synctest.Wait()
}

// settle lets everything that is under way come to rest, the coalesced snapshot included.
func (s *stage) settle() Status {
	time.Sleep(2 * publishEvery)
	synctest.Wait()
	return *s.engine.Status()
}

// tell has the controller say something.
func (s *stage) tell(f *pb.Frame) {
	b, err := control.AppendFrame(nil, f)
	if err != nil {
		s.Fatal(err)
	}
	s.mu.Lock()
	w := s.line
	s.mu.Unlock()
	if err := w.Send(s.Context(), b); err != nil {
		s.Fatal(err)
	}
	synctest.Wait()
}

func (s *stage) reachable() {
	s.mu.Lock()
	s.away = nil
	s.mu.Unlock()
}

// begins runs the engine, until the test ends, where the controller is reachable and says something first.
func (s *stage) begins(f *pb.Frame) {
	s.reachable()
	s.run()
	s.Cleanup(s.stop)
	s.tell(f)
}

// said returns the frames that the node has sent since the last call.
func (s *stage) said() (all []*pb.Frame) {
	synctest.Wait()
	for len(s.heard) > 0 {
		all = append(all, <-s.heard)
	}
	return all
}

func (s *stage) self(pending bool) *pb.Self {
	r := control.Record{Node: s.cfg.Membership.Node, Identity: s.cfg.Identity.Public(), WG: s.cfg.WG.Public(),
		Address4: netip.MustParseAddr("10.9.0.1"), Address6: netip.MustParseAddr("fd00:9::1"), Name: "me", Revision: 1}
	return &pb.Self{Record: r.Encode(), Pending: pending}
}

func network(range4 string) *pb.Network {
	return &pb.Network{Name: "office", Tenant: "acme", Domain: "office.acme.cvlan.internal",
		Range4: control.AppendRange(nil, netip.MustParsePrefix(range4)), Range6: control.AppendRange(nil, netip.MustParsePrefix("fd00:9::/64"))}
}

func (s *stage) other(node ident.Node, addr, name string) *other {
	id, err := key.NewIdentity()
	if err != nil {
		s.Fatal(err)
	}
	return &other{id, key.NewWGPrivate().Public(), node, netip.MustParseAddr(addr), name}
}

func (s *stage) peer(o *other) *pb.Peer {
	r := control.Record{Node: o.node, Identity: o.id.Public(), WG: o.wg, Address4: o.addr, Name: o.name, Revision: 1}.Encode()
	signature, err := o.id.Sign(control.Transcript(s.cfg.Membership.Tenant, s.cfg.Membership.Network, r))
	if err != nil {
		s.Fatal(err)
	}
	return &pb.Peer{Record: r, Signature: signature}
}

func soft(o *other, online bool, endpoints ...string) *pb.Soft {
	m := &pb.Soft{Node: uint64(o.node), Online: online}
	for _, e := range endpoints {
		m.Endpoints = append(m.Endpoints, control.AppendEndpoint(nil, netip.MustParseAddrPort(e)))
	}
	return m
}

func frame(m *pb.Map) *pb.Frame { return &pb.Frame{Body: &pb.Frame_Map{Map: m}} }

func at(hard, soft uint64) *pb.Cursor { return &pb.Cursor{Epoch: 1, Hard: hard, Boot: 1, Soft: soft} }

// snapshot is a map with the peers given, at version 1.
func (s *stage) snapshot(peers ...*other) *pb.Map {
	m := &pb.Map{To: at(1, 1), Snapshot: true, Network: network("10.9.0.0/24"), Self: s.self(false)}
	for _, o := range peers {
		m.Upsert = append(m.Upsert, s.peer(o))
		m.Soft = append(m.Soft, soft(o, true, "198.51.100.7:41641"))
	}
	return m
}

func TestEngineComesUpFromItsMapWhileTheControllerIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		a := s.other(200, "10.9.0.2", "a")
		s.reachable()
		s.run()
		s.tell(frame(s.snapshot(a)))
		s.stop()
		if s.disk.writes() != 1 || len(s.host.interfaces()) != 0 || !s.tunnel.closed {
			t.Fatalf("after the stop: %d writes, interfaces %v", s.disk.writes(), s.host.interfaces())
		}
		s.away = errors.New("no route to host")
		s.cfg.Cache, s.cfg.Heard, s.cfg.LastPort = s.disk.cache, s.disk.heard, s.disk.port
		s.run()
		defer s.stop()
		st := s.settle()
		if st.State != Offline || st.Interface != "cvlan0" || len(st.Peers) != 1 || st.Problem == nil {
			t.Fatalf("%+v", st)
		}
		p, ok := s.tunnel.peer(a.wg)
		if !ok || len(p.Candidates) != 1 || p.Allowed[0].String() != "10.9.0.2/32" {
			t.Fatalf("peer %+v", p)
		}
		if c := s.host.up["cvlan0"]; len(c.Addresses) != 2 || c.Addresses[0].String() != "10.9.0.1/24" || c.MTU != tun.DefaultMTU {
			t.Fatalf("host %+v", c)
		}
	})
}

func TestTunnelFollowsTheMap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		a, b := s.other(200, "10.9.0.2", "a"), s.other(201, "10.9.0.3", "b")
		s.begins(frame(s.snapshot(a)))
		if st := s.settle(); st.State != Up {
			t.Fatalf("%+v %+v", st, st.Problem)
		}
		s.tell(frame(&pb.Map{From: at(1, 1), To: at(2, 2), Upsert: []*pb.Peer{s.peer(b)}, Soft: []*pb.Soft{soft(b, true, "10.9.0.77:1", "203.0.113.9:5")}}))
		if p, _ := s.tunnel.peer(b.wg); len(p.Candidates) != 1 || p.Candidates[0].String() != "203.0.113.9:5" {
			t.Fatalf("candidates %v: one inside the network must not be tried", p.Candidates)
		}
		s.tell(frame(&pb.Map{From: at(2, 2), To: at(2, 3), Soft: []*pb.Soft{soft(b, false)}}))
		if p, _ := s.tunnel.peer(b.wg); len(p.Candidates) != 1 {
			t.Fatalf("candidates %v of a node that went offline are not kept", p.Candidates)
		}
		old := a.wg
		a.wg = key.NewWGPrivate().Public()
		s.tell(frame(&pb.Map{From: at(2, 3), To: at(3, 3), Upsert: []*pb.Peer{s.peer(a)}, Remove: []uint64{uint64(b.node)}}))
		_, hasOld := s.tunnel.peer(old)
		_, hasNew := s.tunnel.peer(a.wg)
		_, hasB := s.tunnel.peer(b.wg)
		if hasOld || !hasNew || hasB {
			t.Fatalf("old key %v, new key %v, removed node %v", hasOld, hasNew, hasB)
		}
		if st := s.settle(); len(st.Peers) != 1 || st.MapVersion != 3 {
			t.Fatalf("%+v", st)
		}
	})
}

func TestPendingNodeTouchesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.begins(frame(&pb.Map{To: at(1, 1), Snapshot: true, Network: network("10.9.0.0/24"), Self: s.self(true)}))
		if st := s.settle(); st.State != Pending || st.Interface != "" || s.tunnel != nil {
			t.Fatalf("%+v", st)
		}
		s.tell(frame(&pb.Map{From: at(1, 1), To: at(2, 1), Self: s.self(false)}))
		if st := s.settle(); st.State != Up {
			t.Fatalf("after approval: %+v", st)
		}
	})
}

func TestEndpointsAreReportedWhenTheyExistAndWhenTheyChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.begins(frame(s.snapshot()))
		reported := func() (last string) {
			for _, f := range s.said() {
				for _, e := range f.GetReport().GetEndpoints() {
					a, _ := control.ParseEndpoint(e)
					last = a.String()
				}
			}
			return last
		}
		if r := reported(); r != "192.0.2.10:41641" {
			t.Fatalf("reported %q", r)
		}
		s.host.lan(nil, netip.MustParseAddr("192.0.2.99"))
		time.Sleep(2 * time.Second)
		if r := reported(); r != "192.0.2.99:41641" || s.tunnel.wakes != 1 {
			t.Fatalf("after roaming: reported %q, %d wakes", r, s.tunnel.wakes)
		}
	})
}

func TestHomeIsKeptAndKnownToTheNextTunnel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.cfg.LastHome = 4
		s.run()
		s.engine.reached(guide.Reach{Home: 5})
		s.engine.reached(guide.Reach{})
		synctest.Wait()
		if s.disk.home != 5 {
			t.Errorf("kept %v", s.disk.home)
		}
		s.reachable()
		time.Sleep(2 * time.Minute)
		s.tell(frame(s.snapshot()))
		synctest.Wait()
		if s.tunnel == nil || s.tunnel.home != 5 {
			t.Errorf("the tunnel is told %+v", s.tunnel)
		}
		s.stop()
	})
}

// A laptop that is opened again is on the same network as before, as far as its addresses tell.
func TestMachineThatSleptTellsItsTunnelAndItsSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.run()
		defer s.stop()
		time.Sleep(10 * time.Minute) // the session waits longer and longer
		s.reachable()
		s.host.slept <- 8 * time.Hour
		time.Sleep(time.Second)
		if s.engine.Status().Session.Phase != session.Connected {
			t.Error("the session goes on waiting")
		}
		s.tell(frame(s.snapshot()))
		s.host.slept <- time.Hour
		synctest.Wait()
		if s.tunnel.slept != time.Hour {
			t.Errorf("the tunnel slept %v", s.tunnel.slept)
		}
	})
}

func TestClashWithTheLANIsRefusedAndBothAreNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		lan := []osnet.Clash{{Range: netip.MustParsePrefix("10.9.0.0/16"), On: "eth0"}}
		s.host.routes = lan
		s.begins(frame(s.snapshot()))
		st := s.settle()
		if st.State != Failed || st.Problem.Code != "range-clash" || !strings.Contains(st.Problem.What, "10.9.0.0/24") || !strings.Contains(st.Problem.What, "10.9.0.0/16") || !strings.Contains(st.Problem.What, "eth0") {
			t.Fatalf("%+v %+v", st, st.Problem)
		}
		s.host.lan(nil)
		if st := s.settle(); st.State != Up {
			t.Fatalf("after the LAN was left: %+v %+v", st, st.Problem)
		}
		s.host.lan(lan)
		if st := s.settle(); st.State != Failed || len(s.host.interfaces()) != 0 {
			t.Fatalf("back in the LAN: %+v", st)
		}
	})
}

func TestClashWithAnotherMembershipIsRefusedAndBothAreNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		if err := s.cfg.Ledger.take(7, "home", []netip.Prefix{netip.MustParsePrefix("10.9.0.128/25")}); err != nil {
			t.Fatal(err)
		}
		s.begins(frame(s.snapshot()))
		st := s.settle()
		if st.State != Failed || !strings.Contains(st.Problem.What, `"office"`) || !strings.Contains(st.Problem.What, `"home"`) || st.Problem.Hint == "" {
			t.Fatalf("%+v %+v", st, st.Problem)
		}
		s.cfg.Ledger.release(7)
		time.Sleep(retryMost)
		if st := s.settle(); st.State != Up {
			t.Fatalf("after the other has gone: %+v", st)
		}
	})
}

func TestNoTUNIsAProblemThatHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.noTUN = errors.New("make the TUN device: no permission; run as root")
		s.begins(frame(s.snapshot()))
		if st := s.settle(); st.State != Failed || st.Problem.Hint != "run as root" {
			t.Fatalf("%+v %+v", st, st.Problem)
		}
		s.mu.Lock()
		s.noTUN = nil
		s.mu.Unlock()
		time.Sleep(2 * retryMost)
		if st := s.settle(); st.State != Up {
			t.Fatalf("%+v", st)
		}
	})
}

func TestTUNThatIsTakenAwayComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		a := s.other(200, "10.9.0.2", "a")
		s.begins(frame(s.snapshot(a)))
		s.settle()
		lost := s.tunnel
		close(lost.gone)
		time.Sleep(2 * time.Second)
		if st := s.settle(); st.State != Up || s.tunnel == lost || !lost.closed {
			t.Fatalf("%+v", st)
		}
		if _, ok := s.tunnel.peer(a.wg); !ok {
			t.Fatal("the new tunnel does not know the peer")
		}
	})
}

func TestPortOfLastTimeIsUsedIfItIsFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.cfg.LastPort, s.busy = 5000, 0
		s.reachable()
		s.run()
		s.tell(frame(s.snapshot()))
		if st := s.settle(); st.Port != 5000 {
			t.Fatalf("port %d", st.Port)
		}
		s.stop()
		s.busy = 5000
		s.run()
		defer s.stop()
		s.tell(frame(s.snapshot()))
		if st := s.settle(); st.Port != 41641 || s.disk.port != 41641 {
			t.Fatalf("port %d, kept %d", st.Port, s.disk.port)
		}
	})
}

func TestRemovedNodeLeavesTheHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.begins(frame(s.snapshot()))
		s.settle()
		s.tell(&pb.Frame{Body: &pb.Frame_Goaway{Goaway: &pb.Goaway{Reason: pb.GoawayReason_GOAWAY_REASON_REMOVED}}})
		s.line.Close()
		if st := s.settle(); st.State != NeedsJoin || st.Interface != "" || len(s.host.interfaces()) != 0 || st.Problem == nil {
			t.Fatalf("%+v", st)
		}
	})
}

func TestFullDiskIsAWarningAndNothingIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.disk.refuse(errFull)
		s.begins(frame(s.snapshot()))
		time.Sleep(saveEvery)
		st := s.settle()
		if st.State != Up || len(st.Warnings) != 1 || st.Warnings[0].Code != "state-not-saved" || st.Warnings[0].Hint == "" {
			t.Fatalf("%+v", st)
		}
		s.disk.refuse(nil)
		time.Sleep(retrySave + time.Second)
		if st := s.settle(); len(st.Warnings) != 0 || s.disk.writes() != 1 {
			t.Fatalf("after the disk has room: %+v, %d writes", st.Warnings, s.disk.writes())
		}
	})
}

// churn is 10 s of changes: a new peer every 100 ms.
func (s *stage) churn() {
	for i := range uint64(100) {
		a := s.other(ident.Node(200+i), netip.AddrFrom4([4]byte{10, 9, 0, byte(10 + i)}).String(), fmt.Sprint("n", i))
		s.tell(frame(&pb.Map{From: at(1+i, 1), To: at(2+i, 1), Upsert: []*pb.Peer{s.peer(a)}}))
		time.Sleep(100 * time.Millisecond)
	}
}

func TestDiskIsWrittenAtMostOnceInFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.reachable()
		s.run()
		s.tell(frame(s.snapshot()))
		s.churn()
		if n := s.disk.writes(); n < 2 || n > 3 {
			t.Errorf("%d writes in 10 s", n)
		}
		s.stop()
		s.cfg.Cache = s.disk.cache
		if st := New(s.cfg).Status(); len(st.Peers) != 100 {
			t.Fatalf("the last write has %d peers", len(st.Peers))
		}
	})
}

func TestDiskThatHangsStopsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.disk.stalls = make(chan struct{})
		s.reachable()
		s.run()
		s.tell(frame(s.snapshot()))
		s.churn()
		if st := s.settle(); len(st.Peers) != 100 {
			t.Fatalf("%d peers: the engine waits for the disk", len(st.Peers))
		}
		close(s.disk.stalls)
		s.stop()
		s.cfg.Cache = s.disk.cache
		if st := New(s.cfg).Status(); len(st.Peers) != 100 {
			t.Fatalf("the last write has %d peers", len(st.Peers))
		}
	})
}

func TestDamagedCacheIsAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.cfg.Cache = []byte("torn")
		s.reachable()
		s.run()
		defer s.stop()
		if h := s.said()[0].GetHello(); h == nil || h.Cursor != nil {
			t.Fatalf("hello %v", h)
		}
		s.tell(frame(s.snapshot()))
		if st := s.settle(); st.State != Up {
			t.Fatalf("%+v", st)
		}
	})
}
