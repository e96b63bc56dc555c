package tunnel_test

import (
	"crypto/rand"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	core "github.com/cvlan/cvlan/internal/core/wg"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/sys/sock"
)

// asker is somebody who begins handshakes.
type asker struct {
	m   *core.Machine
	out core.Out
	now mono.Time
}

// asks returns another initiation to a node, later than all before.
func (k *asker) asks(t *testing.T, to key.WGPublic) []byte {
	t.Helper()
	k.out.Reset()
	k.now = k.now.Add(core.RekeyAttemptTime)
	k.m.Renew(k.now, to, &k.out)
	k.m.Tick(k.now, &k.out)
	if len(k.out.Transmits) == 0 {
		t.Fatal("nothing is asked")
	}
	return append([]byte(nil), k.out.Transmits[len(k.out.Transmits)-1].Data...)
}

// cpu is how much time the process has used.
func cpu(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// answerer is a node on a real socket, and some who ask it.
func answerer(t *testing.T, n int) (a *node, askers []asker) {
	t.Helper()
	real, err := sock.Open(sock.Config{})
	if err != nil {
		t.Fatal(err)
	}
	a = newNode(t, sock.NewNetwork(nil), 1, func(c *tunnel.Config) { c.Sockets = []sock.Socket{real} })
	askers = make([]asker, n)
	for i := range askers {
		k, private := &askers[i], key.NewWGPrivate()
		if k.m, err = core.New(core.Config{Private: private, Epoch: time.Now()}, rand.Reader); err != nil {
			t.Fatal(err)
		}
		if err := k.m.Put(1, core.Peer{Public: a.key.Public()}, &k.out); err != nil {
			t.Fatal(err)
		}
		if err := a.SetPeer(tunnel.PeerConfig{Key: private.Public()}); err != nil {
			t.Fatal(err)
		}
	}
	return a, askers
}

// Peers that are known ask one after another, the answers leave through a real socket, and all that the process does counts. In the first
// round nobody has spoken before, which costs one multiplication on the curve more.
func TestFigureHandshakesASecond(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes some seconds of a core")
	}
	deaf, err := sock.Open(sock.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), deaf.Port())
	const n, rounds = 500, 6
	a, askers := answerer(t, n)
	var rates []float64
	for range rounds {
		all := make([][]byte, n)
		for i := range askers {
			all[i] = askers[i].asks(t, a.key.Public())
		}
		before := cpu(t)
		a.Handle(tunnel.WireGuard, from, all)
		rates = append(rates, n/(cpu(t)-before).Seconds())
	}
	if d := a.State().Drops; len(d) != 0 {
		t.Fatalf("drops %v", d)
	}
	figure(t, "engine_first_handshakes_per_s_core", rates[0], "handshakes/s")
	slices.Sort(rates[1:])
	figure(t, "engine_handshakes_per_s_core", rates[1+len(rates[1:])/2], "handshakes/s")
}
