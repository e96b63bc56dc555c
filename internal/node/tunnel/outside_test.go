package tunnel_test

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/node/wg"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/internal/sys/tun"
)

// node is one end of a tunnel that speaks WireGuard.
type node struct {
	*tunnel.Tunnel
	key  key.WGPrivate
	twin *tun.Twin
	addr netip.Addr // inside
	at   netip.AddrPort
}

// pair returns two that know each other. change may alter what they are made of.
func pair(tb testing.TB, change ...func(*tunnel.Config)) (a, b *node) {
	tb.Helper()
	net := sock.NewNetwork(func(_, _ netip.AddrPort) []time.Duration { return []time.Duration{time.Millisecond} })
	a, b = newNode(tb, net, 1, change...), newNode(tb, net, 2, change...)
	a.knows(tb, b)
	b.knows(tb, a)
	return a, b
}

func newNode(tb testing.TB, net *sock.Network, n byte, change ...func(*tunnel.Config)) *node {
	tb.Helper()
	home := netip.AddrFrom4([4]byte{192, 0, 2, n})
	s, err := net.Open(sock.Config{}, home)
	if err != nil {
		tb.Fatal(err)
	}
	e := &node{key: key.NewWGPrivate(), twin: tun.NewTwin(tun.Config{}), addr: netip.AddrFrom4([4]byte{10, 77, 0, n}), at: netip.AddrPortFrom(home, s.Port())}
	c := tunnel.Config{Self: e.key.Public(), TUN: e.twin, Sockets: []sock.Socket{s}}
	c.Transports = map[tunnel.Class]tunnel.Build{tunnel.WireGuard: wg.New(wg.Config{Private: e.key, HandshakesPerSecond: 1e9})}
	for _, f := range change {
		f(&c)
	}
	if e.Tunnel, err = tunnel.New(c); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { e.Close() })
	return e
}

func (e *node) knows(tb testing.TB, other *node) {
	tb.Helper()
	c := tunnel.PeerConfig{Key: other.key.Public(), Allowed: []netip.Prefix{netip.PrefixFrom(other.addr, 32)}, Candidates: []netip.AddrPort{other.at}}
	if err := e.SetPeer(c); err != nil {
		tb.Fatal(err)
	}
}

// reaches sends packets, one a second, until one has arrived, and tells how long that took.
func (e *node) reaches(t *testing.T, other *node, within time.Duration) time.Duration {
	t.Helper()
	start := time.Now()
	for i := 0; ; i++ {
		text := fmt.Sprint(start.UnixNano(), i)
		e.twin.Send(packet(e.addr, other.addr, text))
		select {
		case p := <-other.twin.Arrived():
			if string(p[20:]) == text {
				return time.Since(start)
			}
		case <-time.After(time.Second):
		}
		if time.Since(start) > within {
			t.Fatalf("not reached within %v", within)
		}
	}
}

// packet is an IPv4 packet with a text. Nobody here looks at its checksum.
func packet(from, to netip.Addr, text string) []byte {
	p := append([]byte{0x45, 0, 0, byte(20 + len(text)), 0, 0, 0x40, 0, 64, 253, 0, 0}, append(from.AsSlice(), to.AsSlice()...)...)
	return append(p, text...)
}

// nap is longer than any session lives.
const nap = time.Hour

func TestMachineThatSleptIsReachedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		stood bool          // its clock stood still
		woken bool          // and somebody tells the tunnel
		takes time.Duration // until it reaches others itself
	}{
		"its clock went on":                     {false, false, 100 * time.Millisecond},
		"its clock stood still":                 {true, false, 22 * time.Second},
		"its clock stood still, and it is told": {true, true, 100 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start, went := time.Now(), mono.NewClock()
				a, b := pair(t, func(c *tunnel.Config) { c.Clock = went })
				a.reaches(t, b, time.Second)
				b.reaches(t, a, time.Second)
				time.Sleep(20 * time.Second) // nothing is under way
				awake := time.Since(start)
				wake := b.Suspend()
				time.Sleep(nap - awake)
				clock := mono.NewClock() // started a nap later, it will tell what the other told when sleep began
				time.Sleep(awake)
				if !c.stood {
					clock = went
				}
				wake(clock)
				synctest.Wait()
				if c.woken {
					b.Wake()
					time.Sleep(50 * time.Millisecond)
				}
				if took := b.reaches(t, a, time.Minute); took > c.takes {
					t.Errorf("it took %v", took)
				}
				if took := a.reaches(t, b, time.Minute); took > 100*time.Millisecond {
					t.Errorf("it took the other %v", took)
				}
			})
		})
	}
}
