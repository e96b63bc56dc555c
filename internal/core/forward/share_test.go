package forward

import (
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// overload is a worker that carries so many frames a second and refuses ten times as many, before a socket whose buffer drops what comes
// when it is full. Each tenant sends its frames at an even rate.
type overload struct {
	book    *Book
	carries int
	rates   []int // frames a second of each tenant
	queue   []uint32
	due     []float64
	got     []int
	now     mono.Time
}

const frameSize = 1296

func (o *overload) run(d time.Duration) {
	o.due, o.got = make([]float64, len(o.rates)), make([]int, len(o.rates))
	for end := o.now.Add(d); o.now < end; {
		took := o.turn()
		if took == 0 {
			took = 50 * time.Microsecond
		}
		o.now = o.now.Add(took)
		o.arrive(took)
	}
}

func (o *overload) arrive(d time.Duration) {
	for t, r := range o.rates {
		for o.due[t] += float64(r) * d.Seconds(); o.due[t] >= 1; o.due[t]-- {
			if len(o.queue) < 4096 {
				o.queue = append(o.queue, uint32(t))
			}
		}
	}
}

// turn does what one system call brings, and says how long it took.
func (o *overload) turn() (took time.Duration) {
	n := min(32, len(o.queue))
	o.book.Turn(o.now, n == 32)
	for _, t := range o.queue[:n] {
		took += time.Second / time.Duration(10*o.carries)
		if o.book.shares.over(t, &o.book.tenants.at(t).use, frameSize) {
			continue
		}
		took += time.Second * 9 / time.Duration(10*o.carries)
		o.book.shares.carry(&o.book.tenants.at(t).use, frameSize)
		o.got[t]++
	}
	o.queue = o.queue[n:]
	return took
}

func newOverload(rates ...int) *overload {
	return &overload{book: newBook(Rate{}, Rate{}), carries: 100_000, rates: rates, now: 1}
}

func TestAnOverloadedRelayGivesEachTenantItsShare(t *testing.T) {
	o := newOverload(200_000, 10_000, 10_000, 200_000)
	o.run(time.Second) // until it has found out
	o.run(4 * time.Second)
	for tenant, n := range o.got {
		if rate := n / 4; rate < 9_000 {
			t.Errorf("tenant %d of %v gets %d frames a second", tenant, o.rates, rate)
		}
	}
	if a, b := o.got[0], o.got[3]; float64(min(a, b)) < 0.8*float64(max(a, b)) {
		t.Error("two that want the same get", a, b)
	}
	if all := (o.got[0] + o.got[1] + o.got[2] + o.got[3]) / 4; all < 60_000 { // to refuse the rest takes the time of 36,000
		t.Error("all together get", all)
	}
}

func TestWhoIsAloneIsNotBounded(t *testing.T) {
	o := newOverload(150_000)
	o.run(3 * time.Second)
	if o.got[0] < 290_000 {
		t.Error(o.got)
	}
}

func TestWithoutOverloadNothingIsRefused(t *testing.T) {
	o := newOverload(40_000, 1000, 20_000)
	o.run(5 * time.Second)
	for tenant, n := range o.got {
		if n < o.rates[tenant]*5-5 {
			t.Errorf("tenant %d: %d", tenant, n)
		}
	}
}

func TestABurstIsForgotten(t *testing.T) {
	o := newOverload(300_000, 10_000)
	o.run(time.Second)
	o.rates[0] = 50_000
	o.queue = nil
	o.run(time.Second)
	o.run(time.Second)
	if o.got[0] < 49_900 || o.got[1] < 9_990 {
		t.Error(o.got)
	}
}

func TestThePacketPathDoesNotAllocate(t *testing.T) {
	b, c := newBook(quick, quick), good()
	now := mono.Time(1)
	if n := testing.AllocsPerRun(1000, func() {
		now += 1e6
		b.Turn(now, true)
		c.decide(b, now)
	}); n != 0 {
		t.Error(n, "allocations")
	}
}
