package tunnel

import (
	"github.com/cvlan/cvlan/internal/core/offload"
)

// Carried brings frames of a relay in that came on a connection of its own. One goroutine at a time uses it.
type Carried struct{ w *inbound }

// Carried implements GuideHost.
func (o *owner) Carried(slot uint8) *Carried {
	t := o.t
	return &Carried{&inbound{t: t, exit: t.exits[0], place: place{id: Source(slot), slot: slot}, joiner: offload.NewJoiner(inboundPackets, t.joins...)}}
}

// Frames takes frames, and uses their memory while it runs. An error ends the tunnel by itself, elsewhere.
func (c *Carried) Frames(frames [][]byte) error {
	now := c.w.t.clock.Now()
	var b batchOf
	for _, f := range frames {
		c.w.datagram(now, f, &c.w.place, &b)
	}
	c.w.received(now, &b)
	return c.w.flush(now)
}
