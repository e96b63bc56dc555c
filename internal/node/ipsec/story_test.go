package ipsec_test

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/core/esp"
	"github.com/cvlan/cvlan/internal/core/offload"
	"github.com/cvlan/cvlan/internal/core/offload/offloadtest"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/node/tunnel/tunneltest"
)

func TestFirstPacketWaitsForKeysAndIsAnswered(t *testing.T) {
	for _, s := range []esp.Suite{esp.AES256GCM, esp.AES128GCM, esp.ChaCha20Poly1305, esp.AES256CBC} {
		inWorld(t, esp.Keys{Suite: s}, func(w *world) {
			w.a.Says(w.b.End, 0, 10)
			w.Pass(rtt / 2 * 3) // question, answer, packets
			w.b.WantHeard(0, 10)
			w.b.Says(w.a.End, 0, 10)
			w.Pass(rtt / 2)
			w.a.WantHeard(0, 10)
			w.a.WantDrops(nil)
			w.b.WantDrops(nil)
			if st := w.a.Of(w.b.End); st.Attempting || st.SessionSince.IsZero() || st.LastHandshake.IsZero() || st.Endpoint.Addr() != w.b.Home || st.Cipher != s.String() {
				w.Errorf("%+v", st)
			}
		})
	}
}

func TestTrainsArriveAsOneRun(t *testing.T) {
	inWorld(t, gcm(), func(w *world) {
		w.a.Says(w.b.End, 0, 1)
		w.Pass(time.Second)
		w.b.WantHeard(0, 1)
		tap := w.b.Twin.Tap()
		sent := tcpTrain(w.a.Addr, w.b.Addr, 45, 1340)
		w.a.Twin.SendTrain(sent)
		w.Pass(rtt)
		select {
		case got := <-tap:
			if !bytes.Equal(got.Packet, sent.Packet) || got.Segment != sent.Segment {
				t.Error("the train is another")
			}
		default:
			t.Error("the train has not arrived")
		}
		if n := len(tap); n > 0 {
			t.Errorf("%d more runs", n)
		}
	})
}

// tcpTrain is a train of n segments.
func tcpTrain(from, to netip.Addr, n, segment int) offload.Super {
	return offloadtest.TCP(from, to, bytes.Repeat([]byte{0xa5}, n*segment), segment)
}

// Both ends talk, packets overtake each other, and keys change every ten seconds. Nothing is lost and nothing comes twice.
func TestChangeOfKeysInFlowLosesNothing(t *testing.T) {
	k := gcm()
	k.Life = esp.Life{Soft: esp.Limit{Time: 10 * time.Second}, Hard: esp.Limit{Time: 20 * time.Second}}
	inWorld(t, k, func(w *world) {
		w.Change(func() { w.Jitter = rtt })
		n, per := tunneltest.Brief(600, 150), 100
		for i := range n {
			w.a.Says(w.b.End, i*per, per)
			w.b.Says(w.a.End, i*per, per)
			w.Pass(100 * time.Millisecond)
			if i%10 == 9 {
				w.Pass(rtt * 2)
				w.b.WantHeard((i-9)*per, 10*per)
				w.a.WantHeard((i-9)*per, 10*per)
			}
		}
		if w.a.keyer.Pairs < n/100 || w.a.keyer.Pairs > 20 {
			w.Errorf("%d pairs", w.a.keyer.Pairs)
		}
		w.a.WantDrops(nil)
		w.b.WantDrops(nil)
	})
}

// A pair's numbers end at a thousand. The next is there before that, also when one train takes all that is left.
func TestNumbersThatEndAreReplacedInTime(t *testing.T) {
	k := gcm()
	k.Life.Hard.Packets = 1000
	inWorld(t, k, func(w *world) {
		n := tunneltest.Brief(6000, 2000)
		for i := range n {
			w.a.Says(w.b.End, i, 1)
			if time.Sleep(rtt / 40); i%500 == 499 {
				w.Pass(rtt)
				w.b.WantHeard(i-499, 500)
			}
		}
		before := w.a.keyer.Pairs
		for range 6 {
			for range 20 {
				w.a.Twin.SendTrain(tcpTrain(w.a.Addr, w.b.Addr, 40, 1340))
				time.Sleep(rtt / 8)
			}
			w.Pass(time.Second)
			if got := len(w.b.Heard()); got != 20*40 {
				w.Errorf("%d of %d packets of trains have arrived", got, 20*40)
			}
		}
		if w.a.keyer.Pairs-before < 3 || w.a.keyer.Pairs > 20 {
			w.Errorf("%d pairs, and %d after", before, w.a.keyer.Pairs)
		}
		w.b.WantDrops(nil)
	})
}

func TestDuplicatesAreDropped(t *testing.T) {
	inWorld(t, gcm(), func(w *world) {
		w.a.Says(w.b.End, 0, 1)
		w.Pass(time.Second)
		w.b.WantHeard(0, 1)
		w.Change(func() { w.Twice, w.Jitter = 1, rtt })
		const n = 1000
		for i := range n {
			w.a.Says(w.b.End, i, 1)
			time.Sleep(rtt / 100)
		}
		w.Pass(time.Second)
		w.b.WantHeard(0, n)
		w.b.WantDrops(map[tunnel.Reason]uint64{tunnel.Replayed: n})
	})
}

// A peer that has restarted knows no pair. What is sent to it goes nowhere until its silence is noticed.
func TestPeerThatRestartsIsFoundAgain(t *testing.T) {
	inWorld(t, gcm(), func(w *world) {
		w.a.Says(w.b.End, 0, 1)
		w.Pass(time.Second)
		w.b.WantHeard(0, 1)
		port := w.b.Port()
		w.b.Close()
		w.b.boot()
		w.b.Knows(w.a.End)
		w.a.Knows(w.b.End)
		for i := range 200 {
			w.a.Says(w.b.End, i, 1)
			w.Pass(100 * time.Millisecond)
		}
		w.Pass(time.Second)
		got := w.b.Heard()
		if len(got) == 0 || got[len(got)-1] != 199 || w.a.keyer.Silences == 0 {
			w.Errorf("after the restart (ports %d, %d) arrive %d packets; %d silences", port, w.b.Port(), len(got), w.a.keyer.Silences)
		}
	})
}

func TestKeepaliveIsADummy(t *testing.T) {
	inWorld(t, gcm(), func(w *world) {
		w.a.Knows(w.b.End, func(c *tunnel.PeerConfig) { c.Keepalive = 25 * time.Second })
		w.a.Says(w.b.End, 0, 1)
		w.Pass(time.Second)
		w.b.WantHeard(0, 1)
		before := w.b.Of(w.a.End).RxPackets
		w.Pass(10 * time.Minute)
		if n := w.b.Of(w.a.End).RxPackets - before; n != 24 {
			w.Errorf("%d datagrams in ten minutes", n)
		}
		w.b.WantHeard(0, 0)
		w.b.WantDrops(nil)
	})
}

func TestTrafficOutsideOfTheSelectorsIsDropped(t *testing.T) {
	k := gcm()
	k.Theirs = []esp.Selector{{ToPort: 65535, From: netip.MustParseAddr("10.77.0.0"), To: netip.MustParseAddr("10.77.0.1")}}
	inWorld(t, k, func(w *world) {
		w.a.Says(w.b.End, 0, 5) // it does not leave
		w.Pass(time.Second)
		w.b.WantHeard(0, 0)
		w.b.WantDrops(nil)
		w.b.Says(w.a.End, 0, 5)
		w.Pass(time.Second)
		w.a.WantHeard(0, 0)
		w.a.WantDrops(map[tunnel.Reason]uint64{tunnel.Unselected: 5})
	})
}

func TestRemovedPeerIsForgottenAtOnce(t *testing.T) {
	inWorld(t, gcm(), func(w *world) {
		w.a.Says(w.b.End, 0, 1)
		w.Pass(time.Second)
		w.b.WantHeard(0, 1)
		w.b.RemovePeer(w.a.Name())
		w.a.Says(w.b.End, 1, 3)
		w.Pass(rtt)
		w.b.WantHeard(0, 0)
		w.b.WantDrops(map[tunnel.Reason]uint64{tunnel.UnknownIndex: 3})
	})
}

func TestLossyLinkStillMakesPairs(t *testing.T) {
	k := gcm()
	k.Life.Soft.Time, k.Life.Hard.Time = 10*time.Second, 30*time.Second
	inWorld(t, k, func(w *world) {
		w.Change(func() { w.Loss, w.Twice, w.Jitter = 0.3, 0.1, rtt })
		heard := 0
		for i := range tunneltest.Brief(1200, 300) {
			w.a.Says(w.b.End, i, 1)
			w.b.Says(w.a.End, i, 1)
			w.Pass(100 * time.Millisecond)
			heard += len(w.b.Heard()) + len(w.a.Heard())
		}
		if heard < tunneltest.Brief(1200, 300) {
			w.Errorf("%d packets have arrived", heard)
		}
	})
}
