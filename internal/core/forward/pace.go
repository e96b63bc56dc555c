package forward

import (
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// Rate is what a node or a tenant may send. Zero bounds nothing.
type Rate struct {
	Bytes, Packets int           // a second
	Burst          time.Duration // how much of a second may come at once; 0: 100 ms
}

// Filled returns the rate with its Burst.
func (r Rate) Filled() Rate {
	if r.Burst == 0 {
		r.Burst = 100 * time.Millisecond
	}
	return r
}

// Pace is a rate limit in eight bytes (the generic cell rate algorithm): the instant at which everything allowed so far would have
// been due, had it come at the exact rate. The zero Pace is unused.
type Pace mono.Time

// Open reports whether something may come now.
func (p Pace) Open(now mono.Time, burst time.Duration) bool { return mono.Time(p).Sub(now) <= burst }

// Charge counts n, of which rate may come in a second; 0 bounds nothing.
func (p *Pace) Charge(now mono.Time, n, rate int) {
	if rate > 0 {
		*p = Pace(max(mono.Time(*p), now).Add(time.Duration(n) * time.Second / time.Duration(rate)))
	}
}

// account is what is counted for a node: 16 bytes.
type account struct{ bytes, packets Pace }

func (a *account) open(now mono.Time, r *Rate) bool {
	return a.bytes.Open(now, r.Burst) && a.packets.Open(now, r.Burst)
}

func (a *account) charge(now mono.Time, n int, r *Rate) {
	a.bytes.Charge(now, n, r.Bytes)
	a.packets.Charge(now, 1, r.Packets)
}
