package admin

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/internal/base/ident"
)

// Bounds of what is remembered. It is kept in memory only, because answers may hold a key's secret, which never goes to disk.
const (
	maxReplays  = 4096
	replayWhile = time.Hour
	maxReplayed = 64 << 10 // bytes of an answer
)

// replays remembers the answers to POSTs that came with an Idempotency-Key.
type replays struct {
	now   func() time.Time
	mu    sync.Mutex
	known map[replayKey]*replay
	queue []replayKey // in order of arrival, for forgetting
}

type replayKey struct {
	who  ident.APIKey
	name string
}

// replay is a request's answer, there when done is closed.
type replay struct {
	request [32]byte
	at      time.Time
	done    chan struct{}
	status  int // 0: there is none to repeat
	header  http.Header
	body    []byte
}

func newReplays(now func() time.Time) *replays {
	return &replays{now: now, known: map[replayKey]*replay{}}
}

// once does a POST with an Idempotency-Key once and repeats the answer to whoever sends it again. Failures of the controller's
// (5xx) are not repeated but tried again.
func (s *server) once(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, who := r.Header.Get("Idempotency-Key"), caller(r.Context())
		if r.Method != http.MethodPost || name == "" || len(name) > 128 || who == nil {
			next.ServeHTTP(w, r)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			answer(w, unread(err))
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		request := sha256.Sum256(append([]byte(r.URL.RequestURI()+"\n"), body...))
		k := replayKey{who.key.ID, name}
		e, first := s.replays.enter(k, request)
		switch {
		case first:
			s.replays.record(k, e, w, r, next)
		case e.request != request:
			answer(w, admin.CodeReused.Problem("repeat the request", "this Idempotency-Key came with another request before", "use a new key for a new request"))
		default:
			s.replays.repeat(e, w, r)
		}
	})
}

func unread(err error) *admin.Problem {
	var long *http.MaxBytesError
	if errors.As(err, &long) {
		return admin.CodeTooLarge.Problem("read the request", "its body is too long", "")
	}
	return admin.CodeInvalid.Problem("read the request", "its body did not arrive whole", "")
}

// enter returns the entry of a key, and whether it is new, which makes the caller the one to fill it.
func (m *replays) enter(k replayKey, request [32]byte) (*replay, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	for len(m.queue) > 0 {
		old := m.known[m.queue[0]]
		if old != nil && now.Sub(old.at) < replayWhile && len(m.queue) < maxReplays {
			break
		}
		delete(m.known, m.queue[0])
		m.queue = m.queue[1:]
	}
	if e := m.known[k]; e != nil {
		return e, false
	}
	e := &replay{request: request, at: now, done: make(chan struct{})}
	m.known[k] = e
	m.queue = append(m.queue, k)
	return e, true
}

// record lets the request be done and keeps its answer.
func (m *replays) record(k replayKey, e *replay, w http.ResponseWriter, r *http.Request, next http.Handler) {
	rec := &recorder{ResponseWriter: w, status: http.StatusOK}
	kept := false
	defer func() {
		if !kept {
			m.drop(k, e)
		}
		close(e.done)
	}()
	next.ServeHTTP(rec, r)
	if rec.status < 500 && rec.body.Len() <= maxReplayed {
		e.status, e.header, e.body, kept = rec.status, w.Header().Clone(), rec.body.Bytes(), true
	}
}

func (m *replays) drop(k replayKey, e *replay) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known[k] == e {
		delete(m.known, k)
	}
}

// repeat waits until the first request is answered and answers the same.
func (m *replays) repeat(e *replay, w http.ResponseWriter, r *http.Request) {
	select {
	case <-e.done:
	case <-r.Context().Done():
		return
	}
	if e.status == 0 {
		answer(w, admin.CodeInternal.Problem("repeat the request", "the first one failed meanwhile", "send it again"))
		return
	}
	for name, values := range e.header {
		w.Header()[name] = values
	}
	w.Header().Set("Idempotency-Replayed", "true")
	w.WriteHeader(e.status)
	w.Write(e.body)
}

// recorder copies what is answered.
type recorder struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.body.Len() <= maxReplayed {
		r.body.Write(b)
	}
	return r.ResponseWriter.Write(b)
}
