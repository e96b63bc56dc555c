package hub

import (
	"context"
	"errors"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// batch is how many sessions are served between two looks at the lock, so that a broadcast never holds up a commit.
const batch = 64

// run sends what marked sessions lack until ctx is done.
func (t *tenant) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.wake:
		}
		start := time.Now()
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
	taken bool
}

// round serves every session that is marked now.
func (t *tenant) round() {
	t.mu.Lock()
	todo := make([]ident.Node, 0, len(t.marked))
	for id := range t.marked {
		todo = append(todo, id)
	}
	clear(t.marked)
	t.mu.Unlock()
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

// prepare asks the view what each session lacks.
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
			if o.frame = n.has.Next(); o.frame == nil {
				continue
			}
		}
		offers = append(offers, o)
	}
	return offers
}

// deliver offers the frame to the stream. A stream that is busy wakes us when it is ready; one that is broken ends its session.
func (o *offer) deliver(t *tenant) {
	if o.gone {
		o.n.dismiss()
		return
	}
	err := o.n.stream.TrySend(o.frame)
	o.taken = err == nil
	if err != nil && !errors.Is(err, stream.ErrWouldBlock) {
		t.hub.log(t.id, o.n.node).Info("stream broken", logx.Err, err)
		o.n.stream.Close()
	}
}

// settle moves the sessions on that have taken their frame. There may be more for them: pieces of a snapshot.
func (t *tenant) settle(offers []offer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range offers {
		if offers[i].taken {
			offers[i].n.has.Sent()
			t.markLocked(offers[i].n.node)
		}
	}
}

// dismiss tells a deleted node so and ends its session, without making others wait for it.
func (n *session) dismiss() {
	n.tenant.hub.loops.Go(func() {
		away(n.stream, pb.GoawayReason_GOAWAY_REASON_REMOVED, "this node has been deleted from its network", time.Hour)
	})
}
