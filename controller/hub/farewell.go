package hub

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// farewell is why a session ends that did not break, as the node is told. It is an error, so that whoever finds the reason returns it.
type farewell struct {
	reason  pb.GoawayReason
	message string
	hint    string
	retry   time.Duration // not before this may the node come back
}

// Error implements error.
func (f *farewell) Error() string { return f.message }

// The farewells.
var (
	removed = farewell{pb.GoawayReason_GOAWAY_REASON_REMOVED, "this node has been deleted from its network",
		"to come back: sudo cvlan logout, then sudo cvlan up with a new join key", time.Hour}
	cloned = farewell{pb.GoawayReason_GOAWAY_REASON_CLONED, "another machine that is online uses the same identity",
		"give this machine an identity of its own: sudo cvlan logout --local, then sudo cvlan up with a new join key", time.Hour}
	replaced    = farewell{pb.GoawayReason_GOAWAY_REASON_REPLACED, "a newer session of this node has taken over", "", time.Minute}
	restarting  = farewell{pb.GoawayReason_GOAWAY_REASON_RESTART, "the controller restarts", "", 0}
	unavailable = farewell{pb.GoawayReason_GOAWAY_REASON_UNAVAILABLE, "the controller cannot read its database", "look at the controller's log", 30 * time.Second}
	otherTime   = farewell{pb.GoawayReason_GOAWAY_REASON_VERSION, "no common version of the protocol", "upgrade the older of the two", time.Minute}
	noHello     = farewell{pb.GoawayReason_GOAWAY_REASON_PROTOCOL, "a session begins with a hello", "", time.Minute}
	noInstance  = farewell{pb.GoawayReason_GOAWAY_REASON_PROTOCOL, "the instance id in the hello is not of 16 bytes", "", time.Minute}
)

// courtesy is how long a peer may take to take a farewell.
const courtesy = time.Second

// away says why, and closes. That the reason arrives is a courtesy, so nobody waits for it longer than two seconds.
func away(s stream.Stream, f farewell) {
	ctx, cancel := context.WithTimeout(context.Background(), courtesy)
	defer cancel()
	_ = send(ctx, s, &pb.Frame{Body: &pb.Frame_Goaway{Goaway: &pb.Goaway{
		Reason: f.reason, Message: f.message, Hint: f.hint, RetryAfterMs: uint32(f.retry.Milliseconds())}}})
	s.Close()
}

// sendAway tells sessions that the controller goes and when to come back, not all at once, and waits until they have ended.
func sendAway(all []*session) {
	spread := min(30*time.Second, time.Duration(len(all))*time.Millisecond/2)
	var gone sync.WaitGroup
	for _, n := range all {
		gone.Go(func() {
			f := restarting
			f.retry = rand.N(spread + 1)
			away(n.stream, f)
			<-n.ended
		})
	}
	gone.Wait()
}
