package fleet

import (
	"context"
	"time"

	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// farewell is why a session ends that did not break, as the relay is told.
type farewell struct {
	reason  pb.GoawayReason
	message string
	hint    string
	retry   time.Duration
}

// Error implements error.
func (f *farewell) Error() string { return f.message }

var (
	removed    = &farewell{pb.GoawayReason_GOAWAY_REASON_REMOVED, "this relay has been deleted", "to come back it needs a new key: cvlan admin relay create NAME", time.Hour}
	replaced   = &farewell{pb.GoawayReason_GOAWAY_REASON_REPLACED, "a newer session of this relay has taken over", "if this machine's disk was copied, give one of the two a key of its own", time.Minute}
	restarting = &farewell{pb.GoawayReason_GOAWAY_REASON_RESTART, "the controller restarts", "", 0}
	otherTime  = &farewell{pb.GoawayReason_GOAWAY_REASON_VERSION, "no common version of the protocol", "upgrade the older of the two", time.Minute}
	noHello    = &farewell{pb.GoawayReason_GOAWAY_REASON_PROTOCOL, "a relay's session begins with a hello", "", time.Minute}
)

// away says why and closes.
func (s *session) away(why *farewell) { sendAway(s.stream, why) }

// sendAway says why, for a second at most, and closes.
func sendAway(st stream.Stream, why *farewell) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	b, err := control.AppendFrame(nil, &pb.Frame{Body: &pb.Frame_Goaway{Goaway: &pb.Goaway{
		Reason: why.reason, Message: why.message, Hint: why.hint, RetryAfterMs: uint32(why.retry.Milliseconds())}}})
	if err == nil {
		_ = st.Send(ctx, b) // a courtesy
	}
	st.Close()
}
