package session

import (
	"errors"
	"time"

	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// Phase says how a relay stands with its controller.
type Phase string

// The phases.
const (
	Away      Phase = "away"      // there is no session
	Deleted   Phase = "deleted"   // the controller has said that the relay is no more
	Connected Phase = "connected" // the controller has said welcome
	Silent    Phase = "silent"    // the connection stands, but the controller does not answer on it
)

// badClock is by how much the clocks may differ before that is told.
const badClock = time.Minute

// State is what is told of a session.
type State struct {
	Phase     Phase     `json:"state"`
	Since     time.Time `json:"since"`
	Address   string    `json:"address,omitempty"`   // of the controller, unless it is away
	Transport string    `json:"transport,omitempty"` // likewise
	Problem   string    `json:"problem,omitempty"`   // why it is away
	// Clock is the controller's clock less this machine's as the session began; 0: less than a minute, or there is no session.
	Clock time.Duration `json:"clock_offset_ns,omitempty"`
}

// State returns how the session is. It may be called from any goroutine.
func (s *Session) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// away tells that there is no session, or still none.
func (s *Session) away(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line++
	phase := Away
	if g, ok := errors.AsType[goaway](why); ok && g.Reason == pb.GoawayReason_GOAWAY_REASON_REMOVED {
		phase = Deleted
	}
	if s.state.Phase != phase {
		s.state = State{Phase: phase, Since: time.Now()}
	}
	s.state.Problem = why.Error()
}

// dialing returns what takes a connection's silence. What comes after the connection's end is not taken.
func (s *Session) dialing() (silent func(since time.Time)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	line := s.line
	return func(since time.Time) {
		s.mu.Lock()
		defer s.mu.Unlock()
		switch {
		case line != s.line:
		case s.state.Phase == Connected && !since.IsZero():
			s.spoken = s.state.Since
			s.state.Phase, s.state.Since = Silent, since
			s.cfg.Log.Warn("the controller is silent; the relay goes on without", logx.Took, time.Since(since).Round(time.Second))
		case s.state.Phase == Silent && since.IsZero():
			s.state.Phase, s.state.Since = Connected, s.spoken
			s.cfg.Log.Info("the controller answers again")
		}
	}
}

// connected tells that the controller has said welcome.
func (s *Session) connected(at stream.Info, ahead time.Duration) {
	if ahead.Abs() < badClock {
		ahead = 0
	} else {
		s.cfg.Log.Warn("the clock is wrong: certificates are judged by it", "controller_ahead", ahead.Round(time.Second))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = State{Phase: Connected, Since: time.Now(), Transport: string(at.Transport), Clock: ahead}
	if at.Remote.IsValid() {
		s.state.Address = at.Remote.String()
	}
}
