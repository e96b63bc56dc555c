package wg_test

import (
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/core/offload"
	"github.com/cvlan/cvlan/internal/core/offload/offloadtest"
	"github.com/cvlan/cvlan/internal/node/tunnel"
)

// The device leaves out what is no IP packet or train; the rest is the tunnel's to refuse.
func TestHostThatSendsNonsenseHarmsNobody(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.pair()
		w.talk(a, b, time.Second)
		good := offloadtest.TCP(a.addr, b.addr, noise(3*1340), 1340)
		skipped := []offload.Super{
			{}, {Packet: []byte{0x45}}, {Packet: make([]byte, 100)}, {Packet: append([]byte{0x75}, make([]byte, 60)...)},
			broken(good, func(s *offload.Super) { s.Headers = len(s.Packet) }),
			broken(good, func(s *offload.Super) { s.Segment = 0 }),
			broken(good, func(s *offload.Super) { s.Segment = 1 }),
			broken(good, func(s *offload.Super) { s.Offset = 60000 }),
			broken(good, func(s *offload.Super) { s.Protocol = offload.UDP }),
		}
		refused := []offload.Super{
			broken(good, func(s *offload.Super) { s.Packet[6] |= 0x20 }), // a fragment is no train
			broken(good, func(s *offload.Super) { s.Packet[7] = 1 }),
			broken(good, func(s *offload.Super) { s.Layout = offload.Layout{Partial: true, Start: 21, Offset: 4} }),
			broken(offload.Super{Packet: packet(a.addr, b.addr, "x")}, func(s *offload.Super) { s.Packet[0] = 0x44 }),
		}
		for _, s := range append(skipped, refused...) {
			a.twin.SendTrain(s)
		}
		w.Pass(time.Second)
		if n := a.twin.Stats().Skipped; int(n) != len(skipped)+1 { // the last of the refused has too short a header for the device, too
			w.Errorf("%d skipped, want %d", n, len(skipped)+1)
		}
		if n, all := a.dropped(tunnel.BadPacket), a.State().Drops; n == 0 {
			w.Errorf("dropped %v", all)
		}
		w.talk(a, b, rtt)
		b.wantDrops(nil)
	})
}

// broken is a copy of a train with something wrong.
func broken(s offload.Super, f func(*offload.Super)) offload.Super {
	s.Packet = append([]byte(nil), s.Packet...)
	f(&s)
	return s
}

// A peer that sends nonsense inside a good session is counted, and its good packets pass.
func TestPeerThatSendsNonsenseInsideIsCounted(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.pair()
		w.talk(a, b, time.Second)
		lying := packet(a.addr, b.addr, "longer than it is")
		lying[3] += 40
		a.twin.Send(lying)
		short := packet(a.addr, b.addr, "shorter than it is")
		short[3] -= 4 // what is behind is taken for padding
		a.twin.Send(short)
		tiny := packet(a.addr, b.addr, "a length of less than the header")
		tiny[3] = 19
		a.twin.Send(tiny)
		w.Pass(time.Second)
		if all := b.heard(); len(all) != 1 || all[0] != "shorter than i" {
			w.Errorf("b hears %q", all)
		}
		b.wantDrops(map[tunnel.Reason]uint64{tunnel.BadPacket: 2})
		if n := b.of(a).Drops[tunnel.BadPacket.String()]; n != 2 {
			w.Errorf("%d counted where they belong", n)
		}
	})
}
