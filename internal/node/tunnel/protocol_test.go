package tunnel

import (
	"bytes"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/core/offload"
	"github.com/cvlan/cvlan/internal/core/offload/offloadtest"
)

// The tunnel knows nothing of WireGuard: another protocol lives in it just as well.
func TestAnotherProtocolCarriesPacketsAndTrains(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *end) {
		a.says(b, 0, 10)
		pass(time.Second)
		b.wantHeard(0, 10)
		b.says(a, 0, 10)
		pass(rtt)
		a.wantHeard(0, 10)
		tap := b.twin.Tap()
		sent := tcpTrain(a, b, 30, 1300)
		a.twin.SendTrain(sent)
		pass(rtt)
		select {
		case got := <-tap:
			if !bytes.Equal(got.Packet, sent.Packet) {
				t.Error("the train is another")
			}
		default:
			t.Error("the train has not arrived")
		}
		if s := a.State(); len(s.Drops) != 0 {
			t.Errorf("drops %v", s.Drops)
		}
	})
}

// tcpTrain is a train of n segments.
func tcpTrain(from, to *end, n, segment int) offload.Super {
	return offloadtest.TCP(from.addr, to.addr, bytes.Repeat([]byte{0xa5}, n*segment), segment)
}

func TestSessionThatIsUsedUpIsReplaced(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *end) {
		a.fake.limit = 100
		const n = 1000
		for i := range n {
			a.says(b, i, 1)
			time.Sleep(rtt / 8)
		}
		pass(time.Second)
		b.wantHeard(0, n)
		if f := a.fake; f.wakes < n/100 || f.wakes > n/2 || f.installed != 1 {
			t.Errorf("%d wishes for %d packets, %d sessions", f.wakes, n, f.installed)
		}
	})
}

func TestTrainThatIsLongerThanWhatASessionHasLeftWaits(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *end) {
		a.fake.limit = 50
		a.says(b, 0, 20)
		pass(time.Second)
		b.wantHeard(0, 20)
		first := a.fake.last
		a.twin.SendTrain(tcpTrain(a, b, 40, 1300))
		pass(0)
		if s := a.Peers()[0]; s.Waiting != 40 || !s.Attempting {
			t.Errorf("%+v", s)
		}
		pass(time.Second)
		if n := len(b.twin.Arrived()); n != 40 || a.fake.last == first || first.counter.Load() != 20 {
			t.Errorf("%d packets have arrived, %d counters of the first session were used", n, first.counter.Load())
		}
	})
}

// Sessions that are of no use from the start must not keep anybody busy.
func TestSessionsThatSealNothingMakeNoEndlessLoop(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *end) {
		a.fake.limit = 0
		a.says(b, 0, 2)
		pass(time.Minute)
		if f := a.fake; f.wakes > 2 || len(b.heard()) != 0 {
			t.Errorf("%d wishes", f.wakes)
		}
		if s := a.Peers()[0]; s.Waiting != 2 {
			t.Errorf("%+v", s)
		}
		a.fake.limit = 10
		a.says(b, 2, 1) // the next one asks again
		pass(time.Second)
		b.wantHeard(0, 3)
	})
}

func TestPacketsThatNobodyWantsAreForsaken(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *end) {
		b.fake.deaf = true
		a.says(b, 0, 2*maxWaiting)
		pass(fakeTries * fakeRetry / 2)
		if s := a.Peers()[0]; s.Waiting != maxWaiting || s.Drops["no_session"] != maxWaiting {
			t.Errorf("at first: %+v", s)
		}
		pass(time.Minute)
		if s := a.Peers()[0]; s.Waiting != 0 || s.Drops["no_session"] != 2*maxWaiting || s.Attempting {
			t.Errorf("at last: %+v", s)
		}
		b.fake.deaf = false
		a.says(b, 0, 5)
		pass(time.Second)
		b.wantHeard(0, 5)
	})
}

// Every session that was installed is gone from the table when its peer is.
func TestRemovalLeavesNoSession(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *end) {
		a.fake.limit = 15
		for i := range 10 {
			a.says(b, i*15, 15) // no more than a session is for: the next one ends it, and this protocol opens nothing of it then
			pass(time.Second)
		}
		b.wantHeard(0, 150)
		if n := a.sessions[ESP].n; n != 1 {
			t.Errorf("%d sessions are in the table", n)
		}
		a.RemovePeer(b.fake.self)
		if n := a.sessions[ESP].n; n != 0 || a.fake.installed != 0 || a.fake.removed != 1 {
			t.Errorf("%d sessions are in the table, %d at the protocol", n, a.fake.installed)
		}
		a.RemovePeer(b.fake.self)
	})
}
