package guide

import (
	"net/netip"
	"testing"
	"time"
)

// first is how long a node's packets stay without one that arrives, up to a limit.
func (n *node) first(to *node, limit time.Duration) (gap time.Duration) {
	for ; gap < limit && to.heard() == 0; gap += 10 * time.Millisecond {
		n.says(to, 1)
		time.Sleep(10 * time.Millisecond)
	}
	return gap
}

// sleeps is what happens while a's machine sleeps, whose clock stands still: the peer and the relay have begun anew, and the router gives the
// node another address outside, as it were: nothing that was proven holds.
func (r *realm) sleeps(a, b *node) {
	elsewhere := []netip.Addr{b.addr, relayAt(1).Addr()}
	for _, x := range elsewhere {
		r.block(a.addr, x, true)
	}
	r.stops[1]()
	r.serve(1)
	b.restart(a)
	b.heard()
	for _, x := range elsewhere {
		r.block(a.addr, x, false)
	}
}

func TestMachineThatSleptIsBackAtOnce(t *testing.T) {
	tell(t, func(r *realm) {
		r.serve(1)
		a, b := r.pair()
		chat(a, b, 5*time.Second)
		if !a.direct(b) {
			t.Fatal("it is not direct")
		}
		before := a.handshake(b)
		r.sleeps(a, b)
		a.Resume(8 * time.Hour)
		if gap := a.first(b, 20*time.Second); gap > time.Second {
			t.Errorf("nothing came for %v", gap)
		}
		if !a.handshake(b).After(before) {
			t.Error("the old session was used")
		}
		if gap := chat(a, b, 5*time.Second); gap > 500*time.Millisecond || !a.direct(b) {
			t.Errorf("nothing came for %v; direct: %v", gap, a.direct(b))
		}
	})
}

// A short sleep leaves the session alone; everything else is asked for.
func TestNapCostsNoHandshake(t *testing.T) {
	tell(t, func(r *realm) {
		r.serve(1)
		a, b := r.pair()
		chat(a, b, 5*time.Second)
		before, asked := a.handshake(b), r.between(a.addr, relayAt(1).Addr())
		a.Resume(time.Minute)
		if gap := chat(a, b, 2*time.Second); gap > 150*time.Millisecond {
			t.Errorf("nothing came for %v", gap)
		}
		if !a.handshake(b).Equal(before) {
			t.Error("a handshake was made")
		}
		if r.between(a.addr, relayAt(1).Addr()) == asked {
			t.Error("the relay was not asked")
		}
	})
}

// A peer that is not there when the machine wakes is reached when it comes.
func TestSessionFromBeforeASleepIsNeverUsedAgain(t *testing.T) {
	tell(t, func(r *realm) {
		r.serve(1)
		a, b := r.pair()
		chat(a, b, 5*time.Second)
		before := a.handshake(b)
		b.close()
		a.Resume(time.Hour)
		a.first(b, 2*time.Minute)
		b.restart(a)
		if gap := a.first(b, time.Minute); gap > 10*time.Second {
			t.Errorf("nothing came for %v", gap)
		}
		if !a.handshake(b).After(before) {
			t.Error("the old session was used")
		}
	})
}

// handshake is when the last with a peer was completed.
func (n *node) handshake(with *node) time.Time {
	for _, p := range n.Peers() {
		if p.Key == with.private.Public() {
			return p.LastHandshake
		}
	}
	return time.Time{}
}
