package engine

import (
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/node/wg"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// realTunnel makes tunnels as a daemon does, on a socket in memory.
func realTunnel(c TunnelConfig) (Tunnel, error) {
	net := sock.NewNetwork(func(_, _ netip.AddrPort) []time.Duration { return nil })
	s, err := net.Open(sock.Config{Port: c.Port}, netip.MustParseAddr("192.0.2.10"))
	if err != nil {
		return nil, err
	}
	return Guided(c, tunnel.Config{
		Self: c.Private.Public(), TUN: c.TUN, Sockets: []sock.Socket{s}, Log: slog.New(slog.DiscardHandler),
		Transports: map[tunnel.Class]tunnel.Build{tunnel.WireGuard: wg.New(wg.Config{Private: c.Private, Now: c.Now})},
	}, Helpers{})
}

// crowd makes a piece of a map with n peers: signed records, two addresses and two endpoints each.
func (s *stage) crowd(from, n int) *pb.Map {
	s.Helper()
	m := &pb.Map{}
	for i := from; i < from+n; i++ {
		id, err := key.NewIdentity()
		if err != nil {
			s.Fatal(err)
		}
		node := ident.Node(1000 + i)
		r := control.Record{
			Node: node, Identity: id.Public(), WG: key.WGPublic{byte(i), byte(i >> 8), 1}, Name: fmt.Sprintf("machine-%d", i), Revision: 1,
			Address4: netip.AddrFrom4([4]byte{10, 9, byte(i>>8) + 1, byte(i)}), Address6: netip.AddrFrom16([16]byte{0: 0xfd, 3: 9, 13: 1, 14: byte(i >> 8), 15: byte(i)}),
		}.Encode()
		signature, err := id.Sign(control.Transcript(s.cfg.Membership.Tenant, s.cfg.Membership.Network, r))
		if err != nil {
			s.Fatal(err)
		}
		m.Upsert = append(m.Upsert, &pb.Peer{Record: r, Signature: signature})
		home := netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)})
		m.Soft = append(m.Soft, soft(&other{node: node}, true, netip.AddrPortFrom(home, 41641).String(), fmt.Sprintf("[2001:db8::%x]:41641", i)))
	}
	return m
}

func TestFigureMegabytesOfTenThousandPeers(t *testing.T) {
	if testing.Short() {
		t.Skip("it signs and verifies ten thousand records")
	}
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.cfg.Outside.Tunnel = realTunnel
		s.reachable()
		s.run()
		defer s.stop()
		first := s.snapshot()
		first.Network = network("10.9.0.0/16")
		s.tell(frame(first))
		s.settle()
		before := heap(s)
		const n, piece, goal = 10_000, 100, 20.5
		for at := 0; at < n; at += piece {
			m := s.crowd(at, piece)
			m.From, m.To, m.More = &pb.Cursor{Epoch: 1, Hard: 1, Boot: 1, Soft: 1}, &pb.Cursor{Epoch: 1, Hard: 2, Boot: 1, Soft: 2}, at+piece < n
			s.tell(frame(m))
		}
		time.Sleep(2 * saveEvery)
		st := s.settle()
		all := len(st.tunnel.Peers())
		st = Status{}
		if all != n {
			t.Fatalf("%d peers in the tunnel", all)
		}
		mb := float64(heap(s)-before) / (1 << 20)
		t.Logf("FIGURE engine_10k_peers_mb %.2f MB", mb)
		if mb > goal {
			t.Errorf("%.1f MB for ten thousand peers, the goal is %.1f", mb, goal)
		}
	})
}

// heap is how much the engine has in use, in bytes: what the stage keeps of it is let go.
func heap(s *stage) int64 {
	s.said()
	s.disk.mu.Lock()
	s.disk.cache = nil
	s.disk.mu.Unlock()
	synctest.Wait()
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
