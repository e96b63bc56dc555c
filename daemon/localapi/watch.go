package localapi

import (
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/sse"
)

const (
	// coalesce is the least time between two events.
	coalesce = 100 * time.Millisecond
	// look is how often a watch looks for what nobody announces: a path that was found or lost, a handshake. Nobody pays for it
	// while nobody watches.
	look = 2 * time.Second
	// maxWatches is how many one user may have: the tray, the terminal interface, a script, and one to spare.
	maxWatches = 4
	// beat shows both ends that the other is there.
	beat = 30 * time.Second
)

// watch streams the status: the state of now, then every change.
func (s *Server) watch(w http.ResponseWriter, r *http.Request, l local.Level) {
	who := r.Context().Value(callerKey{}).(caller)
	if !s.startWatch(who) {
		s.fail(w, local.CodeBusy.Problem("watch the status", "this user has four watches already", "end one of them first (cvlan status --watch, cvlan tui, the tray)"))
		return
	}
	defer s.endWatch(who)
	w.Header().Set("Content-Type", sse.ContentType)
	w.Header().Set("Cache-Control", "no-store")
	v := viewer{w: w, c: http.NewResponseController(w)}
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		changed := s.cfg.Backend.Changed() // before Status: a change between the two is not lost
		if v.show(redact(s.cfg.Backend.Status(), l)) != nil {
			return
		}
		select {
		case <-changed:
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
		select {
		case <-time.After(coalesce):
		case <-r.Context().Done():
			return
		}
	}
}

func (s *Server) startWatch(who caller) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watching[who.uid] == maxWatches {
		return false
	}
	s.watching[who.uid]++
	return true
}

func (s *Server) endWatch(who caller) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watching[who.uid]--; s.watching[who.uid] == 0 {
		delete(s.watching, who.uid)
	}
}

// viewer is one watch's end of the wire.
type viewer struct {
	w    http.ResponseWriter
	c    *http.ResponseController
	seen local.Status
	any  bool
	at   time.Time
}

// show sends a status if it tells anything new; counters alone do not.
func (v *viewer) show(s local.Status) error {
	now := time.Now()
	quiet := uncounted(s)
	if v.any && reflect.DeepEqual(quiet, v.seen) {
		if now.Sub(v.at) < beat {
			return nil
		}
		v.at = now
		return v.flush(now, sse.Beat(v.w))
	}
	v.seen, v.any, v.at = quiet, true, now
	_ = v.c.SetWriteDeadline(now.Add(writeTimeout))
	return v.flush(now, sse.Write(v.w, local.EventStatus, s))
}

func (v *viewer) flush(now time.Time, err error) error {
	if err != nil {
		return err
	}
	_ = v.c.SetWriteDeadline(now.Add(writeTimeout))
	return v.c.Flush()
}

// uncounted returns a status without what changes all the time.
func uncounted(s local.Status) local.Status {
	s.Networks = slices.Clone(s.Networks)
	for i := range s.Networks {
		n := &s.Networks[i]
		n.Controller.LastContact = nil
		n.Peers = slices.Clone(n.Peers)
		for j := range n.Peers {
			n.Peers[j].RxBytes, n.Peers[j].TxBytes = 0, 0
		}
	}
	return s
}
