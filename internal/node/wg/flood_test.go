package wg_test

import (
	"crypto/rand"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	core "github.com/cvlan/cvlan/internal/core/wg"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/node/tunnel/tunneltest"
)

// openings makes n sound initiations to somebody, of n keys that are known to nobody.
func openings(t testing.TB, to key.WGPublic, n int) (all [][]byte) {
	t.Helper()
	for range n {
		m, err := core.New(core.Config{Private: key.NewWGPrivate(), Epoch: time.Now()}, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		var out core.Out
		if err := m.Put(1, core.Peer{Public: to}, &out); err != nil {
			t.Fatal(err)
		}
		m.Wake(1, to, &out)
		all = append(all, out.Transmits[0].Data)
	}
	return all
}

// flood sends messages from several addresses over and over, so many in a burst, until it is stopped.
type flood struct {
	from  []*stranger
	all   [][]byte
	to    *end
	sent  int
	stop  chan struct{}
	ended chan struct{}
}

const burstEvery = 200 * time.Millisecond

func (w *world) flood(to *end, all [][]byte, burst int) *flood {
	f := &flood{all: all, to: to, stop: make(chan struct{}), ended: make(chan struct{})}
	for n := range byte(20) {
		f.from = append(f.from, w.stranger(100+n))
	}
	go func() {
		defer close(f.ended)
		for {
			for range burst {
				f.from[f.sent%len(f.from)].sends(to.at(), f.all[f.sent%len(f.all)])
				f.sent++
			}
			select {
			case <-f.stop:
				return
			case <-time.After(burstEvery):
			}
		}
	}()
	return f
}

func (f *flood) ends() {
	close(f.stop)
	<-f.ended
}

// slow makes an end ask for cookies beyond 50 handshakes a second.
func slow(e *end) { e.speaks.HandshakesPerSecond = 50 }

// chat has two ends send each other a packet ten times a second, and counts what does not arrive.
func (w *world) chat(a, b *end, d time.Duration) (sent, heard int) {
	for i := range int(d / (100 * time.Millisecond)) {
		a.says(b, fmt.Sprint(i))
		b.says(a, fmt.Sprint(i))
		sent += 2
		w.Pass(100 * time.Millisecond)
		heard += len(a.heard()) + len(b.heard())
	}
	w.Pass(time.Second)
	return sent, heard + len(a.heard()) + len(b.heard())
}

func TestFloodOfHandshakesHarmsNoTunnelAndKeepsNobodyOut(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b, c := w.end(1), w.end(2, slow), w.end(3)
		for _, e := range []*end{a, c} {
			e.knows(b)
			b.knows(e)
		}
		w.talk(a, b, time.Second)
		all := openings(w, b.name, 500)
		before, packets := heap(), b.State().Memory
		f := w.flood(b, all, tunneltest.Brief(100, 25))
		w.Pass(5 * time.Second)

		start := time.Now()
		c.says(b, "let me in")
		if !b.hears("let me in", 2*retry) {
			w.Errorf("the newcomer is kept out: %+v, %v", c.of(b), b.State().Drops)
		}
		if took := time.Since(start); took < time.Second {
			w.Errorf("the newcomer got in after %v: it was not asked for a cookie", took)
		}
		if sent, heard := w.chat(a, b, 130*time.Second); heard != sent { // keys change meanwhile
			w.Errorf("%d of %d packets have arrived during the flood", heard, sent)
		}
		if since := a.of(b).SessionSince; time.Since(since) > 60*time.Second {
			w.Errorf("keys of %v: the story tells nothing of a renewal", since)
		}
		f.ends()
		w.Pass(time.Second)

		if n := int(b.dropped(tunnel.Challenged)); n < f.sent*9/10 {
			w.Errorf("%d of %d were asked for a cookie", n, f.sent)
		}
		// The budget of 50 a second, and what the queue of the owner has no room for.
		if n := int(b.dropped(tunnel.UnknownPeer)); n == 0 || n > 100 {
			w.Errorf("%d of %d reached the expensive part", n, f.sent)
		}
		if grown := heap() - before; grown > 2<<20 || b.State().Memory != packets {
			w.Errorf("the heap has grown by %d bytes, packet memory from %d to %d", grown, packets, b.State().Memory)
		}
		w.talk(a, b, time.Second)
	})
}

// More at once than the owner's queue holds: the rest is dropped and counted, and what follows needs a cookie.
func TestBurstOfHandshakesFindsTheQueueFull(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b, c := w.end(1), w.end(2), w.end(3)
		for _, e := range []*end{a, c} {
			e.knows(b)
			b.knows(e)
		}
		w.talk(a, b, time.Second)
		all := openings(w, b.name, 100)
		f := w.flood(b, all, tunneltest.Brief(3000, 600))
		w.Pass(time.Second)
		c.says(b, "let me in")
		if !b.hears("let me in", 4*retry) {
			w.Errorf("the newcomer is kept out: %+v, %v", c.of(b), b.State().Drops)
		}
		f.ends()
		w.Pass(time.Second)
		total := b.dropped(tunnel.Crowded) + b.dropped(tunnel.Challenged) + b.dropped(tunnel.UnknownPeer) + b.dropped(tunnel.Paced)
		if n := b.dropped(tunnel.Crowded); n == 0 || int(total) < f.sent {
			w.Errorf("%d crowded, %d dropped of %d", n, total, f.sent)
		}
		w.talk(a, b, time.Second)
	})
}

// Whoever does not know our public key cannot even make us ask for cookies.
func TestFloodOfGarbageMakesNoLoad(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.end(1), w.end(2, slow)
		a.knows(b)
		b.knows(a)
		garbage := make([][]byte, 100)
		for i := range garbage {
			garbage[i] = changed(noise(148), func(d []byte) { copy(d, []byte{1, 0, 0, 0, byte(i)}) })
		}
		f := w.flood(b, garbage, 100)
		w.Pass(10 * time.Second)
		w.talk(a, b, 2*rtt) // without a cookie
		f.ends()
		w.Pass(time.Second)
		b.wantDrops(map[tunnel.Reason]uint64{tunnel.Unaddressed: uint64(f.sent)})
		for _, s := range f.from[:2] {
			if n := s.gets(); n != 0 {
				w.Errorf("a stranger has got %d datagrams", n)
			}
		}
	})
}

// heap is how much is in use, in bytes.
func heap() int64 {
	synctest.Wait()
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
