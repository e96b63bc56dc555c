package guide

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestFirstPacketGoesThroughTheRelayAndThenDirectly(t *testing.T) {
	tell(t, func(r *realm) {
		r.serve(1)
		a, b := r.pair()
		r.block(a.addr, b.addr, true)
		a.says(b, 1)
		time.Sleep(time.Second)
		if n := b.heard(); n != 1 {
			t.Fatalf("%d packets have come through the relay", n)
		}
		if a.direct(b) || a.g.Using()[b.private.Public()] != 1 {
			t.Errorf("relays in use: %v", a.g.Using())
		}
		for _, p := range a.Peers() {
			if !p.Preshared {
				t.Error("the handshake did not wait for the preshared key")
			}
		}
		r.block(a.addr, b.addr, false)
		chat(a, b, 20*time.Second)
		if !a.direct(b) || !b.direct(a) || len(a.g.Using()) != 0 {
			t.Errorf("not direct: %v %v", a.g.Using(), b.g.Using())
		}
	})
}

func TestProbeGoesThroughTheRelay(t *testing.T) {
	tell(t, func(r *realm) {
		r.serve(1)
		a, b := r.pair()
		chat(a, b, 5*time.Second)
		if !a.direct(b) {
			t.Fatal("not direct")
		}
		took, err := a.g.Probe(r.Context(), b.private.Public())
		if err != nil || took != 4*delay {
			t.Error(took, err)
		}
		r.stops[1]()
		ctx, cancel := context.WithTimeout(r.Context(), time.Second)
		defer cancel()
		if _, err := a.g.Probe(ctx, b.private.Public()); !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, ErrNoRelay) {
			t.Error(err)
		}
		if _, err := a.g.Probe(r.Context(), a.private.Public()); !errors.Is(err, ErrUnknown) {
			t.Error(err)
		}
		if len(a.g.probes) != 0 {
			t.Errorf("%d probes are kept", len(a.g.probes))
		}
	})
}

// Who has just started is asked before there is a lane through a relay: a probe waits for it, as packets do, and says that none came only when its
// time is over.
func TestProbeWaitsForALane(t *testing.T) {
	tell(t, func(r *realm) {
		r.serve(1)
		a, b := r.pair()
		r.stops[1]()
		a.restart(b)
		ctx, cancel := context.WithTimeout(r.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		if _, err := a.g.Probe(ctx, b.private.Public()); !errors.Is(err, ErrNoRelay) || time.Since(begin) != time.Second {
			t.Errorf("without a relay it says %v after %v", err, time.Since(begin))
		}
		served := make(chan struct{})
		time.AfterFunc(3*time.Second, func() {
			defer close(served)
			r.serve(1)
		})
		ctx, cancel = context.WithTimeout(r.Context(), 30*time.Second)
		defer cancel()
		if took, err := a.g.Probe(ctx, b.private.Public()); err != nil || took > 4*delay { // a round trip, not the wait
			t.Error(took, err)
		}
		<-served
		if len(a.g.probes) != 0 {
			t.Errorf("%d probes are kept", len(a.g.probes))
		}
	})
}

// A relay that is in the map and not there keeps nobody from a peer: a hunt does not wait for what cannot come.
func TestDeadRelayKeepsNobodyFromAPeer(t *testing.T) {
	tell(t, func(r *realm) {
		r.serve(1)
		a, b := r.pair() // both know where the other is
		r.stops[1]()
		a.restart(b)
		b.restart(a)
		begin := time.Now()
		a.says(b, 1)
		for b.heard() == 0 && time.Since(begin) < 10*time.Second {
			time.Sleep(10 * time.Millisecond)
		}
		t.Log("the first packet came after", time.Since(begin))
		if took := time.Since(begin); took > 1500*time.Millisecond {
			t.Errorf("the first packet came after %v", took)
		}
		if !a.direct(b) {
			t.Error("not directly")
		}
	})
}
