package hub

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/cvlan/cvlan/proto/control/pb"
)

// clonePatience is how long a live session may take to answer when a second one appears.
const clonePatience = 2 * time.Second

// doubt is the question whether a session's node is alive, while somebody waits for the answer. Whoever asks meanwhile shares it,
// so that a crowd of clones neither multiplies the pings nor drowns the answer.
type doubt struct {
	mu    sync.Mutex
	asked *question
}

type question struct {
	nonce    uint64
	until    time.Time
	answered chan struct{}
}

// raise returns the question under way, or a new one that is to be put.
func (d *doubt) raise(now time.Time) (q *question, put bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.asked == nil || !now.Before(d.asked.until) {
		d.asked, put = &question{nonce: rand.Uint64(), until: now.Add(clonePatience), answered: make(chan struct{})}, true
	}
	return d.asked, put
}

// settle takes an answer; one to an older question says nothing.
func (d *doubt) settle(nonce uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.asked != nil && d.asked.nonce == nonce {
		close(d.asked.answered)
		d.asked = nil
	}
}

// answers reports whether the node at the other end is alive: it answers a ping within clonePatience.
func (n *session) answers(ctx context.Context) bool {
	q, put := n.doubt.raise(time.Now())
	ctx, cancel := context.WithDeadline(ctx, q.until)
	defer cancel()
	if put && !n.ping(ctx, q.nonce) {
		return false
	}
	select {
	case <-q.answered:
		return true
	case <-n.ended:
		return false
	case <-ctx.Done():
		return false
	}
}

// ping puts the question, after Welcome.
func (n *session) ping(ctx context.Context, nonce uint64) bool {
	select {
	case <-n.welcomed:
	case <-n.ended:
		return false
	case <-ctx.Done():
		return false
	}
	return n.send(ctx, &pb.Frame{Body: &pb.Frame_Ping{Ping: &pb.Ping{Nonce: nonce}}}) == nil
}
