package server

import (
	"sync/atomic"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/forward"
)

// toll is a forward.Toll for workers that ask at once. Those that do at the same instant may each be told yes.
type toll struct {
	rate   forward.Rate
	booths []*booth // by tenant; only who holds the lock for writing changes the slice
}

// booth is what is counted for a tenant: two of forward.Pace.
type booth struct{ bytes, packets atomic.Int64 }

// newToll makes one; nil, which is asked by nobody, if there is no rate.
func newToll(r forward.Rate) forward.Toll {
	if r.Bytes == 0 && r.Packets == 0 {
		return nil
	}
	return &toll{rate: r.Filled()}
}

// Open implements forward.Toll.
func (t *toll) Open(now mono.Time, tenant uint32) bool {
	b := t.booths[tenant]
	return forward.Pace(b.bytes.Load()).Open(now, t.rate.Burst) && forward.Pace(b.packets.Load()).Open(now, t.rate.Burst)
}

// Charge implements forward.Toll.
func (t *toll) Charge(now mono.Time, tenant uint32, n int) {
	b := t.booths[tenant]
	charge(&b.bytes, now, n, t.rate.Bytes)
	charge(&b.packets, now, 1, t.rate.Packets)
}

// charge is Pace.Charge for many at once.
func charge(a *atomic.Int64, now mono.Time, n, rate int) {
	for rate > 0 {
		old := a.Load()
		p := forward.Pace(old)
		p.Charge(now, n, rate)
		if a.CompareAndSwap(old, int64(p)) {
			return
		}
	}
}

// Room implements forward.Toll.
func (t *toll) Room(tenant uint32) {
	for tenant >= uint32(len(t.booths)) {
		t.booths = append(t.booths, new(booth))
	}
}

// Forget implements forward.Toll.
func (t *toll) Forget(tenant uint32) {
	if tenant < uint32(len(t.booths)) {
		t.booths[tenant].bytes.Store(0)
		t.booths[tenant].packets.Store(0)
	}
}
