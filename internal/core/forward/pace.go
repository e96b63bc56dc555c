package forward

import (
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// Rate is what a node or a tenant may send through one worker. Zero bounds nothing.
type Rate struct {
	Bytes, Packets int           // a second
	Burst          time.Duration // how much of a second may come at once; 0: 100 ms
}

func (r Rate) filled() Rate {
	if r.Burst == 0 {
		r.Burst = 100 * time.Millisecond
	}
	return r
}

// pace is a rate limit in eight bytes (the generic cell rate algorithm): the instant at which everything allowed so far would have
// been due, had it come at the exact rate. The zero pace is unused.
type pace mono.Time

func (p pace) open(now mono.Time, burst time.Duration) bool { return mono.Time(p).Sub(now) <= burst }

func (p *pace) charge(now mono.Time, n, rate int) {
	if rate > 0 {
		*p = pace(max(mono.Time(*p), now).Add(time.Duration(n) * time.Second / time.Duration(rate)))
	}
}

// account is what is counted for a node or a tenant: 16 bytes.
type account struct{ bytes, packets pace }

func (a *account) open(now mono.Time, r *Rate) bool {
	return a.bytes.open(now, r.Burst) && a.packets.open(now, r.Burst)
}

func (a *account) charge(now mono.Time, n int, r *Rate) {
	a.bytes.charge(now, n, r.Bytes)
	a.packets.charge(now, 1, r.Packets)
}
