package tunnel

import (
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/internal/sys/sock"
)

// inHaste tells a story of two ends, of which the second answers and sends by the new session at once; its packets overtake the answer.
func inHaste(t *testing.T, answer time.Duration, story func(a, b *end)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var sent atomic.Int32 // by the second
		net := sock.NewNetwork(func(from, _ netip.AddrPort) []time.Duration {
			if from.Addr() == netip.AddrFrom4([4]byte{192, 0, 2, 2}) && sent.Add(1) == 1 {
				return []time.Duration{answer}
			}
			return []time.Duration{rtt / 2}
		})
		a, b := newEnd(t, net, 1), newEnd(t, net, 2)
		defer a.Close()
		defer b.Close()
		a.knows(b)
		b.knows(a)
		a.says(b, 0, 1)
		time.Sleep(rtt/2 + time.Millisecond)
		story(a, b)
	})
}

func TestPacketsThatOvertakeTheAnswerWait(t *testing.T) {
	inHaste(t, 2*rtt, func(a, b *end) {
		b.says(a, 0, 3)
		time.Sleep(3 * rtt)
		if all := a.heard(); len(all) > 0 {
			t.Errorf("%v have arrived by themselves", all)
		}
		b.says(a, 3, 2)
		time.Sleep(rtt)
		a.wantHeard(0, 5)
		if d := a.State().Drops; len(d) > 0 {
			t.Errorf("drops %v", d)
		}
	})
}

func TestPacketsWaitForAnAnswerNoLongerThanASecond(t *testing.T) {
	inHaste(t, time.Hour, func(a, b *end) {
		b.says(a, 0, earlyPackets+5)
		time.Sleep(rtt)
		if n := a.State().Drops[UnknownIndex.String()]; n != 5 {
			t.Errorf("%d packets were dropped at once", n)
		}
		time.Sleep(earlyLife)
		b.says(a, 100, 1)
		time.Sleep(rtt)
		if n := a.State().Drops[UnknownIndex.String()]; n < earlyPackets+5 {
			t.Errorf("%d packets were dropped after a second", n)
		}
	})
}

// A peer's NAT keepalives are no packets that we have dropped.
func TestKeepalivesOfNATsAreIgnored(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *end) {
		if err := b.sock.Send([]sock.Train{{Data: []byte{0xff}, Segment: 1, Remote: a.at}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(rtt)
		if d := a.State().Drops; len(d) > 0 {
			t.Errorf("drops %v", d)
		}
	})
}

// What comes by an index that nobody has offered is dropped where it stands.
func TestPacketsOfNobodyDoNotWait(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *end) {
		stray := make([]byte, 64)
		stray[0] = 0x30
		if err := b.sock.Send([]sock.Train{{Data: stray, Segment: len(stray), Remote: a.at}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(rtt)
		if n := a.State().Drops[UnknownIndex.String()]; n != 1 {
			t.Errorf("%d packets were dropped", n)
		}
	})
}
