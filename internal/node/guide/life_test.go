package guide

import (
	"crypto/rand"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/proto/disco"
)

func TestRelayDiesAndDirectTrafficNoticesNothing(t *testing.T) {
	tell(t, func(r *realm) {
		r.serve(1)
		a, b := r.pair()
		chat(a, b, 5*time.Second)
		r.stops[1]()
		if gap := chat(a, b, 20*time.Second); gap > 100*time.Millisecond {
			t.Errorf("nothing came for %v", gap)
		}
	})
}

func TestRelayDiesAndTrafficTakesAnother(t *testing.T) {
	tell(t, func(r *realm) {
		r.serve(1)
		r.serve(2)
		a, b := r.pair()
		r.block(a.addr, b.addr, true)
		chat(a, b, 10*time.Second)
		used := a.g.Using()[b.private.Public()]
		if used == 0 {
			t.Fatal("no relay is used")
		}
		r.stops[used]()
		if gap := chat(a, b, 20*time.Second); gap > 3*time.Second {
			t.Errorf("nothing came for %v", gap)
		}
	})
}

func TestLanesMoveToTheNewConnectionWhereNoUDPPasses(t *testing.T) {
	tell(t, func(r *realm) {
		r.serve(1)
		a, b := r.node(1), r.node(2)
		r.block(a.addr, b.addr, true)
		for _, n := range []*node{a, b} {
			r.block(n.addr, relayAt(1).Addr(), true)
		}
		time.Sleep(15 * time.Second)
		a.knows(b)
		b.knows(a)
		chat(a, b, 5*time.Second)
		if gap := chat(a, b, 5*time.Second); gap > 100*time.Millisecond {
			t.Fatalf("nothing came for %v", gap)
		}
		r.stops[1]()
		r.serve(1) // every connection is another now, and every channel too
		chat(a, b, 20*time.Second)
		if gap := chat(a, b, 5*time.Second); gap > 100*time.Millisecond {
			t.Errorf("nothing came for %v", gap)
		}
	})
}

func TestRestartedPeerIsGreeted(t *testing.T) {
	tell(t, func(r *realm) {
		r.serve(1)
		a, b := r.pair()
		chat(a, b, 5*time.Second)
		b.restart(a)
		a.knows(b)
		gap := time.Duration(0)
		for n := 0; n == 0 && gap < 20*time.Second; gap += 50 * time.Millisecond { // only a speaks
			a.says(b, 1)
			time.Sleep(50 * time.Millisecond)
			n = b.heard()
		}
		if gap > 5*time.Second {
			t.Errorf("nothing came for %v", gap)
		}
	})
}

// A stranger who knows both public keys, but neither private one, can name the peer as the sender of nonsense.
func TestNonsenseInAPeersNameDoesNotKeepItFromBeingGreeted(t *testing.T) {
	tell(t, func(r *realm) {
		r.serve(1)
		a, b := r.pair()
		x := r.stranger(9)
		_ = x.Send([]sock.Train{{Data: forged(t, b, a), Remote: a.outside()}})
		time.Sleep(time.Second)
		if a.drops("forged") != 1 {
			t.Fatalf("%v", a.State().Drops)
		}
		a.inside(func(mono.Time) {
			if len(a.g.greetings) != 0 {
				t.Error("a forgery was taken for a greeting")
			}
		})
		_ = b.main.Send([]sock.Train{{Data: sealed(t, b, a, &disco.Message{Kind: disco.Ping, ID: 1, Size: disco.MinPing}), Remote: a.outside()}})
		time.Sleep(100 * time.Millisecond)
		a.inside(func(mono.Time) {
			if len(a.g.greetings) != 1 {
				t.Error("the peer's first word was not taken for one")
			}
		})
	})
}

func TestMessagesThatAreNoPeersAreCounted(t *testing.T) {
	tell(t, func(r *realm) {
		r.serve(1)
		a, b := r.pair()
		x := r.stranger(9)
		ping := &disco.Message{Kind: disco.Ping, ID: 1, Size: disco.MinPing}
		unknown := &node{r: r, private: key.NewWGPrivate()}
		for _, c := range []struct {
			why  string
			data []byte
		}{{"unknown_peer", sealed(t, unknown, a, ping)}, {"forged", forged(t, b, a)}} {
			before := a.drops(c.why)
			_ = x.Send([]sock.Train{{Data: c.data, Remote: a.outside()}})
			time.Sleep(time.Second)
			if n := a.drops(c.why) - before; n != 1 {
				t.Errorf("%s: %d, want 1; %v", c.why, n, a.State().Drops)
			}
		}
	})
}

func TestReplayedMessagesMoveNothing(t *testing.T) {
	tell(t, func(r *realm) {
		r.serve(1)
		a, b := r.pair()
		x := r.stranger(9)
		chat(a, b, 5*time.Second)
		before, _ := a.g.Ways(b.private.Public())
		ping := sealed(t, b, a, &disco.Message{Kind: disco.Ping, ID: 1, Size: disco.MinPing})
		sent := r.between(a.addr, x.Addr)
		for range 1000 {
			_ = x.Send([]sock.Train{{Data: ping, Remote: a.outside()}})
			time.Sleep(time.Millisecond)
		}
		chat(a, b, 5*time.Second)
		after, _ := a.g.Ways(b.private.Public())
		if before.Chosen != after.Chosen || a.direct(b) != true {
			t.Errorf("was %v, is %v", before.Chosen, after.Chosen)
		}
		if n := r.between(a.addr, x.Addr) - sent - 1000; n > 1000 {
			t.Errorf("%d datagrams in answer to 1000", n)
		}
	})
}

func TestAnswersOfStrangersToNoQuestionAreIgnored(t *testing.T) {
	tell(t, func(r *realm) {
		r.serve(1)
		a, _ := r.pair()
		x := r.stranger(9)
		before := a.reach()
		answer := []byte{1, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0, 0x20, 0, 8, 0, 1, 0x11, 0x11, 1, 2, 3, 4}
		for range 10 {
			_ = x.Send([]sock.Train{{Data: answer, Remote: a.outside()}})
		}
		time.Sleep(time.Second)
		if !before.equal(a.reach()) {
			t.Errorf("was %v, is %v", before, a.reach())
		}
		if a.drops("unclaimed") != 10 {
			t.Errorf("%v", a.State().Drops)
		}
	})
}

func TestReportedOnlyWhenItChanges(t *testing.T) {
	tell(t, func(r *realm) {
		r.serve(1)
		a, b := r.pair()
		chat(a, b, 5*time.Second)
		was := len(a.reaches)
		for range 10 {
			a.g.SetOwn([]netip.Addr{a.addr}, nil)
			a.setRelays()
			chat(a, b, 10*time.Second)
		}
		if n := len(a.reaches); n != was {
			t.Errorf("reported %d times more: %v", n-was, a.reaches)
		}
		for i := range a.reaches[1:] {
			if a.reaches[i+1].equal(a.reaches[i]) {
				t.Errorf("%v was reported twice", a.reaches[i])
			}
		}
	})
}

func TestRemovedPeerLeavesNothing(t *testing.T) {
	tell(t, func(r *realm) {
		r.serve(1)
		a, b := r.pair()
		host := &counting{GuideHost: a.g.host}
		a.inside(func(mono.Time) { a.g.host = host })
		for range 3 {
			chat(a, b, 5*time.Second)
			a.RemovePeer(b.private.Public())
			chat(a, b, 5*time.Second)
			a.inside(func(mono.Time) {
				g := a.g
				if len(g.byIndex)+len(g.byNode)+len(g.probes)+len(g.asking)+len(g.greetings) != 0 || len(g.talking) != 2 || len(g.free) != 1 {
					t.Errorf("%d %d %d %d %d %d %d", len(g.byIndex), len(g.byNode), len(g.probes), len(g.asking), len(g.greetings), len(g.talking), len(g.free))
				}
			})
			if host.unexpected == 0 {
				t.Error("the tunnel still expects the peer behind the relay")
			}
			host.unexpected = 0
			a.knows(b)
		}
	})
}

func TestSpareSocketsThatNobodyWantsAreClosed(t *testing.T) {
	tell(t, func(r *realm) {
		r.serve(1)
		a, b := r.pair()
		chat(a, b, 5*time.Second)
		m := a.mate(b)
		a.wantClosed(a.opens(m, 3))
	})
}

func TestSpareSocketOfAPeerThatIsRemovedMeanwhileIsClosed(t *testing.T) {
	tell(t, func(r *realm) {
		r.serve(1)
		a, b := r.pair()
		chat(a, b, 5*time.Second)
		m := a.mate(b)
		r.block(a.addr, relayAt(1).Addr(), true) // so that it goes on asking
		spares := a.opens(m, 1)
		if len(a.g.asking) != 1 {
			t.Fatalf("%d sockets ask", len(a.g.asking))
		}
		a.RemovePeer(b.private.Public())
		time.Sleep(time.Minute)
		a.wantClosed(spares)
		if len(a.g.asking) != 0 {
			t.Errorf("%d sockets ask still", len(a.g.asking))
		}
	})
}

// opens has a node open spare sockets for a peer, and returns them. Others, with which it tries the patience of its NAT, come and go.
func (n *node) opens(m *mate, want int) (spares []*sock.Memory) {
	n.inside(func(now mono.Time) {
		before := len(n.r.sockets)
		n.g.open(now, m, want)
		spares = n.r.sockets[before:]
		n.g.act(now)
	})
	if len(spares) != want {
		n.r.Errorf("%d sockets were opened, want %d", len(spares), want)
	}
	return spares
}

func (n *node) wantClosed(spares []*sock.Memory) {
	n.r.Helper()
	for _, s := range spares {
		if !closed(s) {
			n.r.Error("a spare socket is open")
		}
	}
}

func TestSilentPeersCostLittle(t *testing.T) {
	tell(t, func(r *realm) {
		r.serve(1)
		a := r.node(1)
		time.Sleep(2 * time.Second)
		keys := make([]key.WGPublic, 1000)
		for i := range keys {
			_, _ = rand.Read(keys[i][:])
		}
		before := heap()
		for i, k := range keys {
			if err := a.SetPeer(tunnel.PeerConfig{Key: k, Guided: true}); err != nil {
				t.Fatal(err)
			}
			a.g.SetPeer(Peer{Key: k, Node: ident.Node(100 + i), Home: 1, Candidates: a.reach().Candidates})
		}
		if each := (heap() - before) / int64(len(keys)); each > 2048 {
			t.Errorf("a silent peer costs %d bytes", each)
		}
		frames := r.between(a.addr, relayAt(1).Addr())
		time.Sleep(10 * time.Minute)
		if n := r.between(a.addr, relayAt(1).Addr()) - frames; n > 200 {
			t.Errorf("%d datagrams in ten minutes of silence", n)
		}
		if len(a.g.talking) != 1 {
			t.Errorf("%d are spoken with", len(a.g.talking)-1)
		}
	})
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
