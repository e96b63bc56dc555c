package relays

import (
	"sync"
	"testing"

	"github.com/cvlan/cvlan/proto/relay"
)

// checker is a connection that expects numbered frames, each of one byte over and over, in order.
type checker struct {
	*testing.T
	frames int
}

func (c *checker) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		frame, after, err := relay.NextStream(rest)
		if err != nil || frame == nil {
			c.Fatal("no whole frames:", err)
		}
		if n := int(relay.NumberOf(frame)); n != c.frames || frame[relay.HeaderSize] != byte(n) || frame[len(frame)-1] != byte(n) {
			c.Fatalf("frame %d where %d is wanted", n, c.frames)
		}
		rest = after
		c.frames++
	}
	return len(b), nil
}

func TestFramesLeaveWholeAndInOrder(t *testing.T) {
	var o outbox
	o.init()
	c := &checker{T: t}
	var writer sync.WaitGroup
	writer.Go(func() {
		if err := o.empty(c); err != nil {
			t.Error(err)
		}
	})
	for i := 0; i < 20_000; {
		f := data(i, 200)
		for at := relay.HeaderSize; at < len(f); at++ {
			f[at] = byte(i)
		}
		before := o.dropped.Load()
		o.Carry(f)
		if o.dropped.Load() == before {
			i++
		}
	}
	o.close()
	writer.Wait()
	if c.frames == 0 {
		t.Error("nothing left")
	}
}
