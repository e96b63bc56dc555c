package wg

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/sys/tun"
)

// outside is a network of 10 ms in which addresses can be out of reach.
type outside struct {
	mu   sync.Mutex
	cut  map[netip.Addr]bool
	loss float64
	rnd  *rand.Rand
	seen map[netip.AddrPort]int // packets, by destination
}

func (o *outside) carry(from, to netip.AddrPort) (time.Duration, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seen[to]++
	return 10 * time.Millisecond, !o.cut[from.Addr()] && !o.cut[to.Addr()] && o.rnd.Float64() >= o.loss
}

func (o *outside) cuts(cut bool, a netip.Addr) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cut[a] = cut
}

// forget counts the addresses that packets went to since the last time.
func (o *outside) forget() (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n = len(o.seen)
	clear(o.seen)
	return n
}

// twin is a node in a story: inside 10.77.0.N, outside 192.0.2.N.
type twin struct {
	t      *testing.T
	key    key.WGPrivate
	inside netip.Addr
	tun    *tun.Memory
	*Memory
}

func story(t *testing.T, tell func(t *testing.T, o *outside, f *Fabric)) {
	synctest.Test(t, func(t *testing.T) {
		o := &outside{cut: map[netip.Addr]bool{}, rnd: rand.New(rand.NewPCG(1, 2)), seen: map[netip.AddrPort]int{}}
		tell(t, o, NewFabric(o.carry))
	})
}

func out(n int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}) }

func newTwin(t *testing.T, f *Fabric, n int, k key.WGPrivate) *twin {
	t.Helper()
	dev := tun.NewMemory("cvlan0", tun.DefaultMTU)
	m, err := f.Tunnel(Config{Private: k, TUN: dev}, out(n))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	w := &twin{t, k, netip.AddrFrom4([4]byte{10, 77, 0, byte(n)}), dev, m}
	w.SetSources([]netip.Addr{w.inside})
	return w
}

func (w *twin) knows(other *twin, at ...netip.AddrPort) {
	w.t.Helper()
	if err := w.SetPeer(Peer{other.key.Public(), []netip.Prefix{netip.PrefixFrom(other.inside, 32)}, at}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *twin) where() netip.AddrPort { return netip.AddrPortFrom(w.at[0], w.Port()) }

func (w *twin) pings(to *twin, limit time.Duration) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(w.t.Context(), limit)
	defer cancel()
	return w.Ping(ctx, w.inside, to.inside, 56)
}

// reaches pings until there is an answer.
func (w *twin) reaches(to *twin, limit time.Duration) {
	w.t.Helper()
	for end := time.Now().Add(limit); ; {
		if _, err := w.pings(to, time.Second); err == nil {
			return
		} else if time.Now().After(end) {
			w.t.Fatalf("%v to %v: %v for %v", w.inside, to.inside, err, limit)
		}
	}
}

func meet(t *testing.T, f *Fabric) (a, b *twin) {
	a, b = newTwin(t, f, 1, key.NewWGPrivate()), newTwin(t, f, 2, key.NewWGPrivate())
	a.knows(b, nobody(2)[0], b.where())
	b.knows(a, a.where())
	return a, b
}

func TestTwinsMeetAndAnswer(t *testing.T) {
	story(t, func(t *testing.T, o *outside, f *Fabric) {
		a, b := meet(t, f)
		if rtt, err := a.pings(b, time.Second); err != nil || rtt != 40*time.Millisecond {
			t.Errorf("first ping: %v, %v; want the handshake's 20 ms and its own", rtt, err)
		}
		if rtt, err := b.pings(a, time.Second); err != nil || rtt != 20*time.Millisecond {
			t.Errorf("second ping: %v, %v", rtt, err)
		}
		if s := a.Peers()[0]; s.Endpoint != b.where() || s.LastHandshake.IsZero() || s.RxBytes == 0 {
			t.Errorf("a of b: %+v", s)
		}
	})
}

func TestHostsPacketsCross(t *testing.T) {
	story(t, func(t *testing.T, o *outside, f *Fabric) {
		a, b := meet(t, f)
		a.tun.Send(packet(a.inside, b.inside, "hello"))
		if p, err := b.tun.Receive(); err != nil || string(p[20:]) != "hello" {
			t.Fatalf("received %q, %v", p, err)
		}
		a.tun.Send(packet(b.inside, b.inside, "foreign"))
		synctest.Wait()
		if a.ForeignSources() != 1 {
			t.Error("a foreign source was let out")
		}
		a.SetSources(nil) // a hostile a
		a.tun.Send(packet(netip.MustParseAddr("10.77.0.9"), b.inside, "foreign"))
		a.tun.Send(packet(a.inside, b.inside, "own"))
		if p, _ := b.tun.Receive(); string(p[20:]) != "own" {
			t.Errorf("received %q", p)
		}
	})
}

func TestTwinThatMovesIsFound(t *testing.T) {
	story(t, func(t *testing.T, o *outside, f *Fabric) {
		a, b := meet(t, f)
		a.reaches(b, time.Second)
		if err := b.Move(out(7)); err != nil {
			t.Fatal(err)
		}
		b.reaches(a, time.Second) // b speaks first: a follows
		if s := a.Peers()[0]; s.Endpoint != b.where() {
			t.Errorf("a thinks that b is at %v", s.Endpoint)
		}
		time.Sleep(15 * time.Second) // until neither owes the other a sign of life
		if err := b.Move(out(8)); err != nil {
			t.Fatal(err)
		}
		a.knows(b, b.where())
		start := time.Now()
		a.reaches(b, 30*time.Second) // a speaks first: it finds out
		if took := time.Since(start); took < 15*time.Second || took > 18*time.Second {
			t.Errorf("silence was seen after %v", took)
		}
		if err := b.Move(out(9)); err != nil {
			t.Fatal(err)
		}
		a.knows(b, b.where())
		a.Wake()
		a.reaches(b, time.Second)
	})
}

func TestCutAndHealed(t *testing.T) {
	story(t, func(t *testing.T, o *outside, f *Fabric) {
		a, b := meet(t, f)
		a.reaches(b, time.Second)
		o.cuts(true, out(2))
		if _, err := a.pings(b, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("through a cut: %v", err)
		}
		time.Sleep(10 * time.Minute)
		o.forget()
		time.Sleep(24 * time.Hour)
		if n := o.forget(); n != 0 {
			t.Errorf("idle tunnels sent to %d addresses", n)
		}
		o.cuts(false, out(2))
		a.reaches(b, 10*time.Second)
	})
}

func TestRestartedTwinIsReachedAgain(t *testing.T) {
	story(t, func(t *testing.T, o *outside, f *Fabric) {
		a, b := meet(t, f)
		a.reaches(b, time.Second)
		b.Close()
		b = newTwin(t, f, 2, b.key)
		b.knows(a, a.where())
		a.reaches(b, 30*time.Second)
	})
}

func TestBothBeginAtOnceUnderLossForADay(t *testing.T) {
	story(t, func(t *testing.T, o *outside, f *Fabric) {
		o.loss = 0.2
		a, b := meet(t, f)
		for range 24 * 60 {
			go b.pings(a, time.Second)
			a.reaches(b, time.Minute)
			time.Sleep(time.Minute)
		}
	})
}

func TestPortsOnOneMachineDiffer(t *testing.T) {
	story(t, func(t *testing.T, o *outside, f *Fabric) {
		a := newTwin(t, f, 1, key.NewWGPrivate())
		b := newTwin(t, f, 1, key.NewWGPrivate())
		if a.Port() != DefaultPort || b.Port() == a.Port() {
			t.Errorf("ports %d and %d", a.Port(), b.Port())
		}
		m := tun.NewMemory("cvlan1", tun.DefaultMTU)
		if _, err := f.Tunnel(Config{Private: key.NewWGPrivate(), Port: b.Port(), TUN: m}, out(1)); err == nil || m.Send(nil) {
			t.Errorf("taken port: %v", err)
		}
	})
}

func TestTwinTellsTheLossOfItsDevice(t *testing.T) {
	story(t, func(t *testing.T, o *outside, f *Fabric) {
		a, b := meet(t, f)
		a.tun.Close()
		<-a.Done()
		b.Close()
		select {
		case <-b.Done():
			t.Error("an end that was asked for is told as a failure")
		default:
		}
		b.RemovePeer(a.key.Public())
		if n := len(b.Peers()); n != 0 {
			t.Error(fmt.Sprint(n, " peers"))
		}
	})
}
