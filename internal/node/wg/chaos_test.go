package wg_test

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	core "github.com/cvlan/cvlan/internal/core/wg"
	"github.com/cvlan/cvlan/internal/node/tunnel"
)

// chaos is a world where anything happens at any time, and what must hold all the same.
type chaos struct {
	*world
	sent map[string]bool   // by text
	came map[string]bool   // likewise
	last map[uint32][]byte // the latest datagram for each session
	n    int
}

// texts tell whom a packet is from and for.
func (c *chaos) says(from, to *end) {
	c.n++
	text := fmt.Sprintf("%d>%d #%d", from.n, to.n, c.n)
	c.sent[text] = true
	from.says(to, text)
}

// look fails if anything has arrived that should not.
func (c *chaos) look() {
	c.Helper()
	for _, e := range c.ends {
		for _, text := range e.heard() {
			var from, to, n int
			if _, err := fmt.Sscanf(text, "%d>%d #%d", &from, &to, &n); err != nil || !c.sent[text] {
				c.Fatalf("%d hears %q, which nobody has sent", e.n, text)
			}
			if to != int(e.n) {
				c.Fatalf("%d hears %q", e.n, text)
			}
			if c.came[text] {
				c.Fatalf("%d hears %q a second time", e.n, text)
			}
			c.came[text] = true
		}
		for _, p := range e.Peers() {
			if p.Waiting > waits {
				c.Fatalf("%d packets wait", p.Waiting)
			}
		}
	}
}

// record remembers the latest datagram for each session.
func (c *chaos) record(e *end) {
	e.datagrams(func(d []byte) {
		if core.KindOf(d) == core.KindTransport {
			c.last[binary.LittleEndian.Uint32(d[4:])] = append([]byte(nil), d...)
		}
	})
}

// any returns two different ends.
func (c *chaos) any() (a, b *end) {
	i := c.dice.IntN(len(c.ends))
	return c.ends[i], c.ends[(i+1+c.dice.IntN(len(c.ends)-1))%len(c.ends)]
}

// event lets one thing happen.
func (c *chaos) event() {
	a, b := c.any()
	switch c.dice.IntN(8) {
	case 0:
		c.Change(func() {
			c.Loss, c.Twice, c.Jitter = c.dice.Float64()*0.3, c.dice.Float64()*0.2, time.Duration(c.dice.Int64N(int64(2*rtt)))
		})
	case 1:
		c.Silence(a.home, true)
	case 2:
		c.Rejoin()
	case 3:
		a.moves(a.n*50 + byte(c.dice.IntN(50)))
		if c.dice.IntN(2) == 0 {
			a.Wake()
		}
	case 4:
		a.reboots()
		c.record(a)
		c.meet(a)
	case 5:
		a.RemovePeer(b.name)
	case 6:
		c.meet(a)
	case 7:
		a.knows(b, preshared(byte(c.dice.IntN(2))))
	}
}

// meet makes an end and all others know each other, and where they are.
func (c *chaos) meet(e *end) {
	for _, o := range c.ends {
		if o != e {
			o.knows(e)
			e.knows(o)
		}
	}
}

// calm heals the network; everybody must reach everybody then.
func (c *chaos) calm() {
	c.Helper()
	c.Change(func() { c.Loss, c.Twice, c.Jitter = 0, 0, 0 })
	c.Rejoin()
	for _, e := range c.ends {
		c.meet(e)
	}
	for _, from := range c.ends {
		for _, to := range c.ends {
			if from != to && !from.repeats(to, fmt.Sprintf("%d>%d calm", from.n, to.n), patience) {
				c.Fatalf("%d does not reach %d within %v of calm: %+v and %+v", from.n, to.n, patience, from.of(to), to.of(from))
			}
		}
	}
}

// forget removes all peers. Not one session may be left that opens anything.
func (c *chaos) forget() {
	c.Helper()
	c.Pass(time.Second)
	for _, e := range c.ends {
		e.datagrams(nil)
		for _, o := range c.ends {
			e.RemovePeer(o.name)
		}
	}
	s := c.stranger(250)
	for _, e := range c.ends {
		before := e.dropped(tunnel.UnknownIndex)
		for _, d := range c.last {
			s.sends(e.at(), d)
		}
		c.Pass(time.Second)
		if n := e.dropped(tunnel.UnknownIndex) - before; int(n) < len(c.last) { // and perhaps one that was under way
			c.Errorf("%d knows %d of %d sessions of peers that were removed", e.n, len(c.last)-int(n), len(c.last))
		}
	}
}

func TestWhateverHappensPacketsArriveAtMostOnceAndWhereTheyShould(t *testing.T) {
	const lanes = 4 // side by side
	for lane := range lanes {
		t.Run(fmt.Sprint(lane), func(t *testing.T) {
			t.Parallel()
			for seed := lane; seed < seeds(1000) && !t.Failed(); seed += lanes {
				inWorld(t, uint64(seed), func(w *world) { tellChaos(w, seed) })
			}
		})
	}
}

func tellChaos(w *world, seed int) {
	c := &chaos{world: w, sent: map[string]bool{}, came: map[string]bool{}, last: map[uint32][]byte{}}
	defer func() {
		if w.Failed() {
			w.Logf("seed %d", seed)
		}
	}()
	for n := range byte(3) {
		c.record(w.end(n + 1))
	}
	for _, e := range w.ends {
		c.meet(e)
	}
	for start := time.Now(); time.Since(start) < 3*time.Minute; {
		for range 1 + w.dice.IntN(4) {
			c.says(c.any())
		}
		if w.dice.IntN(10) == 0 {
			c.event()
		}
		w.Pass(time.Duration(w.dice.Int64N(int64(time.Second))))
		c.look()
	}
	c.calm()
	c.forget()
	if len(c.came) == 0 {
		w.Errorf("none of %d packets has arrived", len(c.sent))
	}
}
