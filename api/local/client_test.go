package local

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/cvlan/cvlan/internal/base/sse"
)

// daemon serves h on a socket of its own and returns a client of it.
func daemon(t *testing.T, h http.Handler) *Client {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the test's server listens on Unix sockets only")
	}
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h}
	done := make(chan error)
	go func() { done <- s.Serve(l) }()
	c := NewClient(path)
	t.Cleanup(func() { c.Close(); s.Close(); <-done })
	return c
}

func TestAnAnswerAndAProblem(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/ping", func(w http.ResponseWriter, r *http.Request) {
		var in PingRequest
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Peer != "db" {
			p := CodeNotFound.Problem("ping "+in.Peer, "no peer has that name", "see cvlan status")
			w.Header().Set("Content-Type", ProblemType)
			w.WriteHeader(p.Status)
			json.NewEncoder(w).Encode(p)
			return
		}
		json.NewEncoder(w).Encode(Pong{Schema: Schema, Peer: "db", RTT: 7})
	})
	mux.HandleFunc("POST /v1/down", func(w http.ResponseWriter, r *http.Request) { http.Error(w, "tea", http.StatusTeapot) })
	c := daemon(t, mux)
	if p, err := c.Ping(t.Context(), PingRequest{Peer: "db"}); err != nil || p.RTT != 7 {
		t.Fatalf("got %+v, %v", p, err)
	}
	var e *Error
	if _, err := c.Ping(t.Context(), PingRequest{Peer: "xy"}); !errors.As(err, &e) || e.Code != CodeNotFound || e.Hint == "" || e.Error() != "ping xy: no peer has that name" {
		t.Fatalf("got %v", err)
	}
	if _, err := c.Down(t.Context(), DownRequest{}); !errors.As(err, &e) || e.Code != CodeInternal || !strings.Contains(e.Detail, "418") {
		t.Fatalf("an answer that is no problem: %v", err)
	}
}

func TestAWatchEndsWithItsReason(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status/watch", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", sse.ContentType)
		sse.Beat(w)
		sse.Write(w, EventStatus, Status{Schema: 1})
		sse.Write(w, "future", 1)
		sse.Write(w, EventStatus, Status{Schema: 1, Networks: []Network{{Name: "office"}}})
	})
	c := daemon(t, mux)
	var seen []Status
	var last error
	for s, err := range c.Watch(t.Context()) {
		if last = err; err == nil {
			seen = append(seen, s)
		}
	}
	if len(seen) != 2 || len(seen[1].Networks) != 1 || !errors.Is(last, ErrNoDaemon) {
		t.Fatalf("saw %+v, then %v", seen, last)
	}
	for range c.Watch(t.Context()) { // a caller may stop at any time
		break
	}
}

func TestNobodyIsAtHome(t *testing.T) {
	c := NewClient(filepath.Join(t.TempDir(), "none"))
	if _, err := c.Status(t.Context()); !errors.Is(err, ErrNoDaemon) {
		t.Fatalf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Status(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("after the caller gave up: %v", err)
	}
}

func TestEveryRouteIsWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range Routes() {
		if r.Method == "" || !strings.HasPrefix(r.Path, "/v1/") || r.Summary == "" || seen[r.Method+r.Path] || r.Level != Read && r.Level != Operate && r.Level != Admin {
			t.Errorf("%+v", r)
		}
		seen[r.Method+r.Path] = true
	}
}
