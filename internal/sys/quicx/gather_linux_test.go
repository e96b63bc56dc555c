package quicx

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// socketOf opens a socket on the loopback device.
func socketOf(t *testing.T) *net.UDPConn {
	t.Helper()
	u, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { u.Close() })
	return u
}

// hears returns what comes next.
func hears(t *testing.T, u *net.UDPConn) []byte {
	t.Helper()
	b := make([]byte, 1<<16)
	u.SetReadDeadline(time.Now().Add(time.Minute))
	n, err := u.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

func addrOf(u *net.UDPConn) *net.UDPAddr { return u.LocalAddr().(*net.UDPAddr) }

// Nothing is sent before the test says so: whatever is written waits together.
func TestWhatIsWrittenTogetherLeavesInTrainsAndInOrder(t *testing.T) {
	u := socketOf(t)
	calls, trains := 0, 0
	g := newGatherer(u, func(ms []ipv4.Message, flags int) (int, error) {
		calls, trains = calls+1, trains+len(ms)
		return ipv4.NewPacketConn(u).WriteBatch(ms, flags)
	})
	peers := []*net.UDPConn{socketOf(t), socketOf(t), socketOf(t)}
	var to []*net.UDPAddr
	for _, p := range peers {
		to = append(to, addrOf(p))
	}
	r := rand.New(rand.NewPCG(1, 2))
	sizes := []int{1326, 1326, 1326, 1326, 1326, 900, 40, maxPacket}
	sent := make([][][]byte, len(peers))
	for i := range 120 {
		p := r.IntN(len(peers))
		b := bytes.Repeat([]byte{byte(i)}, sizes[r.IntN(len(sizes))])
		if len(g.waits) == trainsMost && !g.fits(b, nil, to[p]) {
			break // it would wait
		}
		if n, _, err := g.WriteMsgUDP(b, nil, to[p]); n != len(b) || err != nil {
			t.Fatal(n, err)
		}
		sent[p] = append(sent[p], b)
	}
	ms := make([]ipv4.Message, trainsMost)
	for i := range ms {
		ms[i].Buffers = make([][]byte, 1)
	}
	if !g.turn(ms) || g.turn(ms) {
		t.Error("a turn does not send all, or the next one finds something")
	}
	count := 0
	for p := range peers {
		for i, want := range sent[p] {
			if got := hears(t, peers[p]); !bytes.Equal(got, want) {
				t.Fatalf("peer %d, datagram %d: %d of %d bytes, %v", p, i, len(got), len(want), got[:1])
			}
			count++
		}
	}
	if calls != 1 || trains != trainsMost || count < 2*trains {
		t.Errorf("%d datagrams left in %d trains, in %d calls", count, trains, calls)
	}
}

func TestAFullGathererHasWritersWaitAndAnEndedOneSendsWhatItHas(t *testing.T) {
	u, peer := socketOf(t), socketOf(t)
	g := newGatherer(u, ipv4.NewPacketConn(u).WriteBatch)
	for i := range trainsMost {
		to := *addrOf(peer) // another pointer, another connection
		if _, _, err := g.WriteMsgUDP([]byte{byte(i), 1}, nil, &to); err != nil {
			t.Fatal(err)
		}
	}
	waited := make(chan error)
	go func() {
		_, _, err := g.WriteMsgUDP([]byte{trainsMost, 1}, nil, addrOf(peer))
		waited <- err
	}()
	select {
	case err := <-waited:
		t.Fatal("it did not wait:", err)
	case <-time.After(50 * time.Millisecond):
	}
	go g.run()
	if err := <-waited; err != nil {
		t.Error(err)
	}
	g.end()
	g.end()
	for i := range trainsMost + 1 {
		if b := hears(t, peer); b[0] != byte(i) {
			t.Fatalf("%d instead of %d", b[0], i)
		}
	}
	if _, _, err := g.WriteMsgUDP([]byte{1}, nil, addrOf(peer)); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

// Making a train takes more stack than writing, and each connection's sender would keep it.
func TestACollectionOfGarbageLeavesTrainsToWriteTo(t *testing.T) {
	u := socketOf(t)
	g := newGatherer(u, func(ms []ipv4.Message, _ int) (int, error) { return len(ms), nil })
	ms := []ipv4.Message{{Buffers: make([][]byte, 1)}}
	var first *train
	for i := range 3 {
		if _, _, err := g.WriteMsgUDP([]byte{1}, nil, addrOf(u)); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = g.waits[0]
		}
		if g.waits[0] != first {
			t.Error("another train was made")
		}
		g.turn(ms)
		runtime.GC()
		runtime.GC() // the first only sets aside what a sync.Pool has
	}
}

func TestWhatTheSystemRefusesIsSkippedAndADeviceWithoutTrainsGetsNone(t *testing.T) {
	for _, refuses := range []error{unix.EMSGSIZE, unix.EIO} {
		u, peer := socketOf(t), socketOf(t)
		batch := ipv4.NewPacketConn(u)
		g := newGatherer(u, func(ms []ipv4.Message, flags int) (int, error) {
			if len(ms[0].Buffers[0]) > 100 {
				return -1, os.NewSyscallError("sendmmsg", refuses)
			}
			return batch.WriteBatch(ms[:1], flags)
		})
		long, to := make([]byte, 200), addrOf(peer)
		for _, b := range [][]byte{long, {7}, long, {8, 8, 8}} {
			other := *to
			if _, _, err := g.WriteMsgUDP(b, nil, &other); err != nil {
				t.Fatal(err)
			}
		}
		go g.run()
		if a, b := hears(t, peer), hears(t, peer); len(a) != 1 || len(b) != 3 || g.apart.Load() != (refuses == unix.EIO) {
			t.Error(refuses, len(a), len(b), g.apart.Load())
		}
		if g.apart.Load() {
			g.WriteMsgUDP(long, nil, to) // past it
			if b := hears(t, peer); len(b) != len(long) {
				t.Error(len(b))
			}
		}
		g.end()
	}
}
