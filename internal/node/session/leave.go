package session

import (
	"context"
	"time"

	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// leaveTimeout is how long the controller may take to delete the node that says that it leaves.
const leaveTimeout = 10 * time.Second

// Leave tells the controller that the node leaves its network for good, and returns nil once the controller has said that there is no such node
// any more. It is called instead of Run. Its error is a *Failed: then the node is where it was.
func (s *Session) Leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	st, err := s.dial(ctx, nil)
	if err != nil {
		return &Failed{*s.suspect(ending{problem: dialProblem(err)}).problem}
	}
	defer st.Close()
	defer context.AfterFunc(ctx, func() { st.Close() })()
	if e := s.part(ctx, st); e.verdict != Removed {
		return &Failed{*s.suspect(e).problem}
	}
	return nil
}

// part says hello and goodbye, and hears what the controller makes of it. Nothing of the map that comes meanwhile is of use.
func (s *Session) part(ctx context.Context, st stream.Stream) ending {
	for _, f := range []*pb.Frame{
		{Body: &pb.Frame_Hello{Hello: &pb.Hello{VersionMin: control.VersionMin, VersionMax: control.Version, InstanceId: s.instance, Software: s.cfg.Software}}},
		{Body: &pb.Frame_Goaway{Goaway: &pb.Goaway{Reason: pb.GoawayReason_GOAWAY_REASON_LEFT}}},
	} {
		if err := send(ctx, st, f); err != nil {
			return lost(err)
		}
	}
	for heard := false; ; heard = true {
		f, err := st.Recv()
		switch {
		case err != nil && heard:
			return ending{problem: &Problem{codeSkew, "the controller has not said that it deletes the node", "it is of an older version, perhaps"}}
		case err != nil:
			return lost(err)
		case f.GetGoaway() != nil:
			return dismissed(f.GetGoaway())
		}
	}
}
