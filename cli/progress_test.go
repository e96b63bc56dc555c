package cli

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/cli/iox"
)

// screen is a buffer that two goroutines may use.
type screen struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestAPersonIsToldWhenItTakesTime(t *testing.T) {
	for _, c := range []struct {
		person bool
		dumb   bool
		takes  time.Duration
		told   string
	}{
		{true, false, 900 * time.Millisecond, ""},
		{true, false, 2500 * time.Millisecond, "\rconnecting … 1s\rconnecting … 2s\r\x1b[K"},
		{true, true, 2500 * time.Millisecond, "connecting …\n"},
		{false, false, time.Minute, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			var s screen
			e := &Env{IO: &iox.IO{Err: &s, ErrTTY: c.person, Dumb: c.dumb}}
			p := e.progress(t.Context(), "connecting")
			defer e.asking("the daemon")()() // within it, nothing is told of that
			time.Sleep(c.takes)
			p.stop()
			p.stop() // stopping twice is no fault
			if s.String() != c.told {
				t.Errorf("%+v: told %q", c, s.String())
			}
		})
	}
}

func TestDefaultsInHelpAreWrittenAsPeopleTypeThem(t *testing.T) {
	for d, want := range map[time.Duration]string{time.Hour: "1h", 7 * 24 * time.Hour: "7d", 90 * time.Minute: "1h30m0s", 30 * time.Second: "30s", 0: "0s"} {
		s := span(d)
		if got := s.String(); got != want {
			t.Errorf("%v is written %s", d, got)
		}
		if err := s.Set(s.String()); err != nil || time.Duration(s) != d {
			t.Errorf("%s is read as %v, %v", s.String(), time.Duration(s), err)
		}
	}
	if s := span(0); s.Set("soon") == nil || !strings.Contains(s.Set("soon").Error(), "7d") {
		t.Error("what is no duration passed, or its error does not help")
	}
}
