package hub

import (
	"context"
	"errors"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/sys/stream"
)

const (
	// batch is how many sessions are served between two looks at the lock, so that a broadcast never holds up a commit.
	batch = 64
	// maxRest bounds how long a busy sender gathers changes before it tells them.
	maxRest = 50 * time.Millisecond
)

// run sends what marked sessions lack until ctx is done.
func (t *tenant) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.wake:
		}
		start := time.Now()
		t.startGrants(ctx)
		t.round()
		rest := min(time.Since(start), maxRest)
		if rest < time.Millisecond {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(rest):
		}
	}
}

// offer is one frame for one session.
type offer struct {
	n     *session
	frame []byte
	gone  bool
	aside bool // the frame is no piece of the map
	taken bool
}

// round serves every session that is marked now.
func (t *tenant) round() {
	todo := t.takeMarked()
	var offers [batch]offer
	for len(todo) > 0 {
		n := t.prepare(offers[:0], todo[:min(batch, len(todo))])
		todo = todo[min(batch, len(todo)):]
		for i := range n {
			n[i].deliver(t)
		}
		t.settle(n)
	}
}

func (t *tenant) takeMarked() []ident.Node {
	t.mu.Lock()
	defer t.mu.Unlock()
	todo := make([]ident.Node, 0, len(t.marked))
	for id := range t.marked {
		todo = append(todo, id)
	}
	clear(t.marked)
	return todo
}

// prepare asks the view what each session lacks. One that has not arrived yet lacks nothing: it is marked when it does.
func (t *tenant) prepare(offers []offer, ids []ident.Node) []offer {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range ids {
		n := t.sessions[id]
		if n == nil || n.has == nil {
			continue
		}
		o := offer{n: n, gone: n.has.Gone()}
		if !o.gone {
			if o.frame = n.punches.due(); o.frame != nil {
				o.aside = true
			} else if o.frame = n.has.Next(); o.frame == nil {
				continue
			}
		}
		offers = append(offers, o)
	}
	return offers
}

// deliver offers the frame to the stream. A stream that is busy wakes us when it is ready; one that is broken ends its session, and
// that of a deleted node is told so: without making others wait for either.
func (o *offer) deliver(t *tenant) {
	if o.gone {
		t.hub.loops.Go(func() { away(o.n.stream, removed) })
		return
	}
	err := o.n.stream.TrySend(o.frame)
	o.taken = err == nil
	if err != nil && !errors.Is(err, stream.ErrWouldBlock) {
		t.hub.log(t.id, o.n.node).Info("stream broken", logx.Err, err)
		t.hub.loops.Go(func() { o.n.stream.Close() })
	}
}

// settle moves the sessions on that have taken their frame. There may be more for them: pieces of a snapshot.
func (t *tenant) settle(offers []offer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range offers {
		switch o := &offers[i]; {
		case o.taken && !o.aside:
			o.n.has.Sent()
			t.markLocked(o.n.node)
		case o.taken:
			t.markLocked(o.n.node)
		case o.aside:
			o.n.punches.putBack(o.frame)
		}
	}
}
