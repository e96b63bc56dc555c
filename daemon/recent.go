package daemon

import (
	"log/slog"
	"strings"
	"sync"

	"github.com/cvlan/cvlan/api/local"
)

// Bounds of what recent keeps: about a day of an ordinary daemon's life.
const (
	recentLines = 1000
	recentLine  = 1000 // bytes of each; the rest of a longer one is cut off
)

// recent keeps the latest lines of the log in memory, so that a person can be shown them wherever the log itself goes. Debug is left out:
// it is where peers' addresses appear. It is an io.Writer that slog calls once a line.
type recent struct {
	mu    sync.Mutex
	lines []string // a ring once it is full
	next  int      // where the next one goes then
	lost  uint64
}

// beside returns a logger that writes where log does, and to r.
func (r *recent) beside(log *slog.Logger) *slog.Logger {
	return slog.New(slog.NewMultiHandler(log.Handler(), slog.NewTextHandler(r, nil)))
}

// Write implements io.Writer. It takes a copy.
func (r *recent) Write(line []byte) (int, error) {
	s := strings.TrimSuffix(string(line[:min(len(line), recentLine)]), "\n")
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.lines) < recentLines {
		r.lines = append(r.lines, s)
		return len(line), nil
	}
	r.lines[r.next] = s
	r.next = (r.next + 1) % recentLines
	r.lost++
	return len(line), nil
}

// Log implements localapi.Backend.
func (d *Daemon) Log() local.Log {
	r := &d.recent
	r.mu.Lock()
	defer r.mu.Unlock()
	l := local.Log{Schema: local.Schema, Lines: make([]string, 0, len(r.lines)), Forgotten: r.lost}
	l.Lines = append(l.Lines, r.lines[r.next:]...)
	l.Lines = append(l.Lines, r.lines[:r.next]...)
	return l
}
