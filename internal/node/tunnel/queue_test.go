package tunnel

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/internal/core/offload/offloadtest"
)

// busy has the owner do nothing else until the returned function is called.
func (e *end) busy() (free func()) {
	hold, held := make(chan struct{}), make(chan struct{})
	go e.owner.do(func() { close(held); <-hold })
	<-held
	return func() { close(hold); synctest.Wait() }
}

func TestMessagesForABusyOwnerAreBoundedAndItIsToldOfTheRest(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *end) {
		free := a.busy()
		ask := append(make([]byte, 5), make([]byte, fakeSize-5)...) // of a peer that nobody knows
		const n = 1000
		for range n {
			a.owner.hand(IKE, &place{id: 7, remote: b.at}, ask)
		}
		if got := len(a.owner.messages); got != maxMessages {
			t.Errorf("%d messages wait", got)
		}
		a.owner.hand(WireGuard, &place{id: 7, remote: b.at}, ask) // is not spoken here
		a.owner.hand(IKE, &place{id: 7, remote: b.at}, make([]byte, maxMessage+1))
		free()
		want := map[string]uint64{"crowded": n - maxMessages, "unknown_peer": maxMessages, "unclaimed": 1, "malformed": 1}
		for reason, count := range a.State().Drops {
			if want[reason] != count {
				t.Errorf("%d are %s, want %d", count, reason, want[reason])
			}
		}
		if a.fake.presses != 1 {
			t.Errorf("the protocol was told %d times", a.fake.presses)
		}
		a.says(b, 0, 1)
		pass(time.Second)
		b.wantHeard(0, 1)
	})
}

func TestNoMoreBuffersOfMessagesAreKeptThanCanWait(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *end) {
		for range 10 {
			free := a.busy()
			for range 2 * maxMessages {
				a.owner.hand(IKE, &place{id: 7, remote: b.at}, make([]byte, 10))
			}
			free()
			if n := len(a.owner.free); n > maxMessages {
				t.Errorf("%d buffers are kept", n)
			}
		}
	})
}

// A wish or a note that finds no room is said again with the next packet.
func TestWishesThatFindNoRoomAreRepeated(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *end) {
		free := a.busy()
		p := a.routes.peer(addressOf(b.addr))
		for range 2 * maxWishes {
			a.owner.wish(p)
			a.owner.note(&fakeSession{})
		}
		if w, n := len(a.owner.wishes), len(a.owner.notes); w != maxWishes || n != maxNotes {
			t.Errorf("%d wishes and %d notes wait", w, n)
		}
		a.says(b, 0, 1) // its wish is lost
		synctest.Wait()
		free()
		a.says(b, 1, 1)
		pass(time.Second)
		b.wantHeard(0, 2)
	})
}

// An owner that has something long to do keeps a worker for a moment only, and hears of the session later.
func TestWorkerDoesNotWaitLongForTheOwner(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *end) {
		a.says(b, 0, 1)
		pass(time.Second)
		free, start := a.busy(), time.Now()
		a.owner.insist(a.fake.last)
		if took := time.Since(start); took != waitMost {
			t.Errorf("it waited %v", took)
		}
		attends := a.fake.attends
		free()
		if n := a.fake.attends - attends; n != 1 {
			t.Errorf("the session was looked at %d times", n)
		}
		start = time.Now()
		a.owner.insist(a.fake.last)
		if n := a.fake.attends - attends; n != 2 || time.Since(start) != 0 {
			t.Errorf("the session was looked at %d times, after %v", n, time.Since(start))
		}
	})
}

// A worker that has found a peer just before it was removed leaves nothing behind.
func TestPacketForAPeerJustRemovedDoesNotWait(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *end) {
		p := a.peer(b)
		a.RemovePeer(b.fake.self)
		used := a.budget.Used()
		p.waiting.mu.Lock()
		a.hold(p, offloadtest.Numbered(a.addr, b.addr, 1))
		p.waiting.mu.Unlock()
		a.owner.wish(p)
		pass(time.Second)
		if n := p.waiting.len(); n != 0 || a.budget.Used() != used || a.State().Drops["no_route"] != 1 {
			t.Errorf("%d packets wait, %d bytes are used, drops %v", n, a.budget.Used()-used, a.State().Drops)
		}
		if a.fake.wakes != 0 {
			t.Error("a session was wished for")
		}
	})
}

func TestCallsOfAClosedTunnelReturn(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *end) {
		a.Close()
		if err := a.owner.do(func() { t.Error("called") }); err != errClosed {
			t.Error(err)
		}
		p := &Peer{}
		for range 2 * maxWishes {
			a.owner.wish(p)
			a.owner.note(&fakeSession{})
			a.owner.hand(IKE, &place{}, make([]byte, 10))
		}
	})
}
