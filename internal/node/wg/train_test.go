package wg_test

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/core/offload"
	"github.com/cvlan/cvlan/internal/core/offload/offloadtest"
	"github.com/cvlan/cvlan/internal/node/tunnel"
)

// segments is how many packets a full train of TCP has.
const segments = 45

// noise is a payload that nobody can guess the next byte of.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// wantRun waits for a run at the end and fails if it is not the train that was sent.
func (e *end) wantRun(tap <-chan offload.Super, sent offload.Super) {
	e.w.Helper()
	select {
	case got := <-tap:
		if got.Protocol != sent.Protocol || got.Segment != sent.Segment || got.Headers != sent.Headers {
			e.w.Errorf("the run is %+v, sent was %+v", got.Layout, sent.Layout)
		}
		if !bytes.Equal(got.Packet, sent.Packet) {
			e.w.Errorf("%d bytes have arrived, not the %d that were sent", len(got.Packet), len(sent.Packet))
		}
	case <-time.After(time.Second):
		e.w.Error("nothing has arrived")
	}
	if n := len(tap); n > 0 {
		e.w.Errorf("%d more runs have arrived", n)
	}
}

func TestTrainsArriveAsOneRunByteForByte(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.pair()
		a6, b6 := netip.MustParseAddr("fd77::1"), netip.MustParseAddr("fd77::2")
		for _, e := range []struct {
			*end
			add netip.Addr
		}{{a, b6}, {b, a6}} {
			other := map[*end]*end{a: b, b: a}[e.end]
			e.knows(other, func(c *tunnel.PeerConfig) { c.Allowed = append(c.Allowed, netip.PrefixFrom(e.add, 128)) })
		}
		w.talk(a, b, time.Second)
		tap := b.twin.Tap()
		for name, s := range map[string]offload.Super{
			"tcp over ipv4":            offloadtest.TCP(a.addr, b.addr, noise(segments*1340), 1340),
			"tcp over ipv6":            offloadtest.TCP(a6, b6, noise(segments*1320), 1320),
			"tcp with a short end":     offloadtest.TCP(a.addr, b.addr, noise(10*1340+1), 1340),
			"udp over ipv4":            offloadtest.UDP(a.addr, b.addr, noise(segments*1300), 1300),
			"udp over ipv6":            offloadtest.UDP(a6, b6, noise(segments*1300), 1300),
			"udp of very small pieces": offloadtest.UDP(a.addr, b.addr, noise(60*7), 7),
		} {
			before := a.of(b).TxPackets
			if !a.twin.SendTrain(s) {
				w.Fatalf("%s: not sent", name)
			}
			b.wantRun(tap, s)
			if n := int(a.of(b).TxPackets - before); n < 11 || n > 60 {
				w.Errorf("%s: %d packets on the wire", name, n)
			}
		}
		a.wantDrops(nil)
		b.wantDrops(nil)
	})
}

// A packet of a train stays alone at the other end, so that one sees what it came with. The first waited for a session.
func TestChecksumsOfTrainsAreLeftToPeersThatTakeThem(t *testing.T) {
	for _, takes := range []bool{true, false} {
		inWorld(t, 1, func(w *world) {
			a, b := w.pair()
			a.knows(b, func(c *tunnel.PeerConfig) { c.TakesPartial = takes })
			tap := b.twin.Tap()
			train := offloadtest.TCP(a.addr, b.addr, []byte("a segment of a train"), 1000)
			whole := offloadtest.Finish(offload.Super{Layout: train.Layout, Packet: bytes.Clone(train.Packet)})
			for i := range 3 {
				a.twin.SendTrain(train)
				w.Pass(time.Second)
				select {
				case got := <-tap:
					if got.Partial != (takes && i > 0) {
						w.Errorf("to one that takes them: %v; packet %d is partial: %v", takes, i, got.Partial)
					}
					packet := got.Packet
					if got.Partial {
						packet = offloadtest.Finish(got)
					}
					if !bytes.Equal(packet, whole) {
						w.Errorf("%x has arrived, want %x", packet, whole)
					}
				default:
					w.Fatal("nothing has arrived")
				}
			}
		})
	}
}

// The kernel of a host that takes no UDP trains gets packets.
func TestTrainsThatTheHostDoesNotTakeArriveAsPackets(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.pair()
		w.talk(a, b, time.Second)
		b.device.NoUSO = true
		b.reboots()
		b.knows(a)
		w.talk(b, a, time.Second)
		tap := b.twin.Tap()
		a.twin.SendTrain(offloadtest.UDP(a.addr, b.addr, noise(10*1300), 1300))
		w.Pass(time.Second)
		if n := len(tap); n != 10 {
			w.Errorf("%d runs", n)
		}
		if s := b.twin.Stats(); s.Refused != 0 {
			w.Errorf("the host has refused %d", s.Refused)
		}
	})
}

func TestTrainThatWaitsForASessionArrivesAsPackets(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.pair()
		payload := noise(segments * 1340)
		a.twin.SendTrain(offloadtest.TCP(a.addr, b.addr, payload, 1340))
		w.Pass(rtt / 4)
		if n := a.of(b).Waiting; n != segments {
			w.Errorf("%d packets wait", n)
		}
		w.Pass(time.Second)
		var got []byte
		for len(b.twin.Arrived()) > 0 {
			p := <-b.twin.Arrived()
			if len(p) != 1380 || offload.PseudoHeader(p[12:20], protoTCP, len(p)-20).Bytes(p[20:]).Fold() != 0xffff {
				w.Fatalf("a packet of %d bytes, or its checksum is wrong", len(p))
			}
			got = append(got, p[40:]...)
		}
		if !bytes.Equal(got, payload) {
			w.Errorf("%d bytes have arrived, not the %d that were sent", len(got), len(payload))
		}
	})
}

// Lost datagrams make gaps in a train, and duplicates come to nothing; what is there is whole.
func TestTrainsOnABadLinkArriveInWholePieces(t *testing.T) {
	inWorld(t, 3, func(w *world) {
		a, b := w.pair()
		w.talk(a, b, time.Second)
		w.Change(func() { w.Loss, w.Twice, w.Jitter = 0.1, 0.1, rtt/4 })
		payload := noise(segments * 1340)
		a.twin.SendTrain(offloadtest.TCP(a.addr, b.addr, payload, 1340))
		w.Pass(time.Second)
		seen := map[int]bool{}
		for len(b.twin.Arrived()) > 0 {
			p := <-b.twin.Arrived()
			at := int(p[24])<<24 | int(p[25])<<16 | int(p[26])<<8 | int(p[27]) - 0x100
			if seen[at] || !bytes.Equal(p[40:], payload[at:at+1340]) {
				w.Fatalf("segment at %d came twice or damaged", at)
			}
			seen[at] = true
		}
		if len(seen) < segments/2 || len(seen) == segments {
			w.Errorf("%d segments have arrived", len(seen))
		}
		if n := b.dropped(tunnel.Replayed); n == 0 {
			w.Error("no duplicate was seen: the test tests nothing")
		}
	})
}
