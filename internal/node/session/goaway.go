package session

import (
	"time"

	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// ending says why one attempt is over.
type ending struct {
	problem *Problem
	verdict Verdict
	least   time.Duration // the controller asked for at least this much peace; 0: it did not
	stopped bool          // we ended it ourselves, because ctx was done
	parted  bool          // one of the two said goodbye
	turned  bool          // we shall connect by another transport, at once
}

// ordered reports whether the wait that follows must not be cut short.
func (e ending) ordered() bool { return e.least > 0 || e.verdict == Removed || e.verdict == Cloned }

// skewWait is how long a node waits for either side to be upgraded.
const skewWait = 10 * time.Minute

// replacedWait keeps two machines with one state from taking each other's place many times a minute.
const replacedWait = 30 * time.Second

// dismissed turns a Goaway into an ending.
func dismissed(g *pb.Goaway) ending {
	e := ending{least: time.Duration(g.RetryAfterMs) * time.Millisecond, parted: true}
	said, hint := clean.Line(g.Message, 200), clean.Line(g.Hint, 300)
	p := func(code, what, otherwise string) *Problem {
		if said != "" {
			what = said
		}
		if hint == "" {
			hint = otherwise
		}
		return &Problem{code, what, hint}
	}
	switch g.Reason {
	case pb.GoawayReason_GOAWAY_REASON_REMOVED:
		e.verdict = Removed
		e.problem = p(codeRemoved, "the controller has removed this node from the network", "ask for a new join key and run: sudo cvlan logout, then sudo cvlan up --key-file FILE")
	case pb.GoawayReason_GOAWAY_REASON_CLONED:
		e.verdict = Cloned
		e.problem = p(codeCloned, "another running machine has the keys of this one", "if this machine is the copy, give it an identity of its own: sudo cvlan logout --local, then sudo cvlan up --key-file FILE")
	case pb.GoawayReason_GOAWAY_REASON_REPLACED:
		e.least = max(e.least, replacedWait)
		e.problem = p(codeReplaced, "a newer session with the keys of this node has taken its place", "if this machine's disk was copied, give one of the two an identity of its own: sudo cvlan logout --local")
	case pb.GoawayReason_GOAWAY_REASON_VERSION:
		e.least = max(e.least, skewWait)
		e.problem = p(codeSkew, "the controller speaks no version of the protocol that this daemon speaks", "upgrade the older of the two")
	case pb.GoawayReason_GOAWAY_REASON_PROTOCOL:
		e.problem = p(codeProtocol, "the controller says that this daemon broke the protocol", "this is a defect; please report it")
	case pb.GoawayReason_GOAWAY_REASON_UNAVAILABLE:
		e.problem = p(codeUnavailable, "the controller cannot serve nodes now", "look at the controller's log")
	default:
		e.problem = p(codeRestart, "the controller has ended the session", "")
	}
	return e
}
