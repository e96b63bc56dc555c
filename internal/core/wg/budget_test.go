package wg

import (
	"encoding/binary"
	"runtime"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
)

func TestAPacketCostsNoAllocation(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.talk(time.Second)
	a, b := w.side[0].tx[w.pub[1]], w.side[1].rx[w.side[0].tx[w.pub[1]].remote]
	buf := make([]byte, 1500)
	if n := testing.AllocsPerRun(1000, func() {
		counter, ok := a.Reserve(w.now, 1)
		msg := a.Seal(buf[:0], counter, buf[HeaderSize:HeaderSize+1419], 0)
		_, drop := b.Open(w.now, msg[HeaderSize:HeaderSize], msg)
		if !ok || drop != Taken {
			t.Fatal(drop)
		}
		a.Sent(w.now, true)
		b.Received(w.now, 1, true)
	}); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

func TestALookAtAPeerCostsNoAllocation(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.talk(time.Second)
	s := w.side[0]
	session, now := s.tx[w.pub[1]], w.now
	s.m.Attend(now, session, &s.out)
	if n := testing.AllocsPerRun(1000, func() {
		now++
		s.m.Attend(now, session, &s.out)
		s.m.Tick(now, &s.out)
		s.out.Reset()
	}); n != 0 {
		t.Errorf("%v allocations a look", n)
	}
}

// The budget of a node: 10,000 peers in 20 MB, and a peer that never spoke in 1 KB.
func TestAPeerThatNeverSpokeIsCheap(t *testing.T) {
	const peers = 10_000
	m, out := newMachine(t, 1)
	before := liveHeap(t)
	for i := range peers {
		p := Peer{}
		binary.LittleEndian.PutUint32(p.Public[:], uint32(i+1))
		if err := m.Put(1, p, out); err != nil {
			t.Fatal(err)
		}
	}
	total := liveHeap(t) - before
	runtime.KeepAlive(m)
	t.Logf("%d bytes a peer", total/peers)
	if total > peers*1024 {
		t.Errorf("%d peers that never spoke take %d bytes, %d each; the budget is 1024 each", peers, total, total/peers)
	}
}

// A peer with two sessions, which is what steady traffic keeps: two replay windows are most of it.
func TestAPeerThatSpeaksCostsItsReplayWindows(t *testing.T) {
	const peers = 200
	m, out := newMachine(t, 1)
	now := mono.Time(time.Hour)
	messages := make([][2][]byte, peers)
	for i := range messages {
		for round := range messages[i] {
			at := epoch().Add(time.Duration(round) * time.Minute)
			messages[i][round] = initiationTo(t, m.Public(), 1000+i, at)
		}
	}
	sessions := make([]*Session, 0, 2*peers)
	before := liveHeap(t)
	for round := range 2 {
		for i := range messages {
			if drop := m.Handshake(now, Origin{}, messages[i][round], out); drop != Taken {
				t.Fatal(drop)
			}
			for _, e := range out.Events {
				if e.Kind == EventInstalled {
					sessions = append(sessions, e.Session)
					e.Session.Received(now, 1, true)
					m.Attend(now, e.Session, out)
				}
			}
			out.Reset()
		}
		now = now.Add(time.Minute)
	}
	total := liveHeap(t) - before
	runtime.KeepAlive(m)
	t.Logf("%d bytes a peer with %d sessions", total/peers, len(sessions)/peers)
	if len(sessions) != 2*peers || total > peers*7*1024 {
		t.Errorf("%d peers with %d sessions take %d bytes, %d each; the budget is 7 KB each", peers, len(sessions), total, total/peers)
	}
}

func newMachine(t testing.TB, n int) (*Machine, *Out) {
	t.Helper()
	m, err := New(Config{Private: testKey(t, n), Epoch: epoch(), HandshakesPerSecond: 1e9,
		Lookup: func(p key.WGPublic) (Peer, bool) { return Peer{Public: p}, true }}, testRandom(uint64(n)))
	if err != nil {
		t.Fatal(err)
	}
	return m, new(Out)
}

// initiationTo is an initiation that the nth key sends to the holder of public.
func initiationTo(t testing.TB, public key.WGPublic, n int, at time.Time) []byte {
	t.Helper()
	id := testIdentity(t, n)
	shared, _ := agree(id.private, public[:])
	msg := make(initiation, initiationSize)
	if _, ok := id.initiate(msg, public, &shared, uint32(n), TimestampAt(at), testRandom(uint64(n))); !ok {
		t.Fatal("cannot initiate")
	}
	new(jar).stamp(1, msg, public)
	return msg
}

func liveHeap(t testing.TB) uint64 {
	t.Helper()
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
