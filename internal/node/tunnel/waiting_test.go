package tunnel

import (
	"net"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/core/offload/offloadtest"
	"github.com/cvlan/cvlan/internal/sys/sock"
)

// holds lets packets wait.
func (e *end) holds(p *Peer, packets ...[]byte) {
	p.waiting.mu.Lock()
	defer p.waiting.mu.Unlock()
	for _, x := range packets {
		e.hold(p, x)
	}
}

func TestWaitingPacketsAreCopies(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *end) {
		p := a.peer(b)
		packet := offloadtest.Numbered(a.addr, b.addr, 7)
		a.holds(p, packet)
		clear(packet)
		a.owner.wish(p)
		pass(time.Second)
		b.wantHeard(7, 1)
	})
}

func TestPacketThatIsLargerThanTheInsideDoesNotWait(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *end) {
		p := a.peer(b)
		a.holds(p, make([]byte, a.slotSize()), make([]byte, a.slotSize()+1))
		if n := p.waiting.len(); n != 1 || a.State().Drops["no_memory"] != 1 {
			t.Errorf("%d packets wait, drops %v", n, a.State().Drops)
		}
	})
}

// shut is a socket that is closed while waiting packets leave.
type shut struct {
	sock.Socket
	left int // calls that succeed
}

func (s *shut) Send([]sock.Train) error {
	if s.left--; s.left < 0 {
		return net.ErrClosed
	}
	return nil
}

// Whatever happens on the way, each slot is given back once.
func TestMemoryOfWaitingPacketsIsGivenBackOnce(t *testing.T) {
	for left := range 3 {
		inBubble(t, func(t *testing.T, a, b *end) {
			p := a.peer(b)
			p.path.Store(&Path{place: place{id: 1, remote: b.at}})
			for range maxWaiting {
				a.holds(p, make([]byte, a.slotSize())) // more than goes into one batch
			}
			session := p.sealing(&fakeSession{limit: 1 << 20})
			err := a.release(1, p, session, newBatch(&shut{Socket: a.sock, left: left}))
			if (err == nil) != (left == 2) {
				t.Errorf("after %d calls: %v", left, err)
			}
			if p.sealer.Load() != session || p.waiting.len() != 0 {
				t.Errorf("%d packets wait", p.waiting.len())
			}
			a.forsake(p, NoSession)
			seen := map[*byte]bool{}
			for _, s := range a.budget.free[a.slotSize()] {
				if seen[&s[0]] {
					t.Fatal("a slot was given back twice")
				}
				seen[&s[0]] = true
			}
			if len(seen) != maxWaiting {
				t.Errorf("%d slots of %d were given back", len(seen), maxWaiting)
			}
		})
	}
}

// A session that comes before anybody knows where the peer is keeps packets waiting.
func TestPacketsWaitForAPathToo(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *end) {
		p := a.peer(b)
		a.holds(p, offloadtest.Numbered(a.addr, b.addr, 0))
		if err := a.release(1, p, p.sealing(&fakeSession{limit: 9}), newBatch(a.sock)); err != nil {
			t.Fatal(err)
		}
		a.says(b, 1, 1)
		pass(0)
		if n := p.waiting.len(); n != 2 {
			t.Errorf("%d packets wait", n)
		}
		pass(time.Second)
		b.wantHeard(0, 2)
	})
}
