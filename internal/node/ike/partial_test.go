package ike_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/core/offload"
	"github.com/cvlan/cvlan/internal/core/offload/offloadtest"
)

// fields are the transport checksums of the packets that the host at an end is handed, as they are, and the packets, completed.
func (e *end) fields(tap <-chan offload.Super, n int) (partial []bool, packets [][]byte) {
	e.w.Helper()
	for range n {
		select {
		case s := <-tap:
			partial = append(partial, s.Partial)
		default:
			e.w.Fatal("the host is handed too little")
		}
	}
	for len(e.Twin.Arrived()) > 0 {
		packets = append(packets, <-e.Twin.Arrived())
	}
	return partial, packets
}

// A packet of a train stays alone at the other end, so that one sees what it came with. The first waited for a session.
func TestChecksumsOfTrainsAreLeftToThePeer(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		tap := w.b.Twin.Tap()
		train := offloadtest.UDP(w.a.Addr, w.b.Addr, []byte("a datagram of a train"), 1000)
		whole := offloadtest.Finish(offload.Super{Layout: train.Layout, Packet: bytes.Clone(train.Packet)})
		for range 3 {
			w.a.Twin.SendTrain(train)
			w.Pass(time.Second)
		}
		w.a.Twin.Send(whole)
		w.Pass(time.Second)
		partial, packets := w.b.fields(tap, 4)
		if !slices.Equal(partial, []bool{false, true, true, false}) {
			t.Errorf("partial: %v", partial)
		}
		for _, p := range packets {
			if !bytes.Equal(p, whole) {
				t.Errorf("%x has arrived, want %x", p, whole)
			}
		}
	})
}
