// Package standin is a daemon that is none: it serves the local API on a socket and answers what it is told, so that the faces can be
// measured, shown and photographed without a network.
package standin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/sse"
)

// Source is what a stand-in knows. Its methods may be called at any time, by several at once.
type Source interface {
	Status() []byte // a local.Status in JSON
	Path(local.PathRequest) (local.PeerPath, error)
	Reach(local.PathRequest) (local.Reach, error)
	Certificates() local.Certificates
	Ping(local.PingRequest) (local.Pong, error)
	PolicyLog(local.PolicyLogRequest) local.PolicyLog
	NetCheck() local.NetCheck
	DNS() local.DNS
	Set(local.SetRequest) (local.Settings, error)
}

// Daemon is a stand-in that serves.
type Daemon struct {
	server *http.Server
	gone   chan struct{}
	source Source
	every  time.Duration
}

// Serve serves a source on a socket. A watch is told the state again so often; 0: once.
func Serve(socket string, source Source, every time.Duration) (*Daemon, error) {
	l, err := net.Listen("unix", socket)
	if err != nil {
		return nil, fmt.Errorf("serve a stand-in: %w", err)
	}
	d := &Daemon{gone: make(chan struct{}), source: source, every: every}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+local.GetStatus.Path, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(source.Status())
	})
	mux.HandleFunc("GET "+local.WatchStatus.Path, d.watch)
	mux.HandleFunc("POST "+local.PostPath.Path, answer(source.Path))
	mux.HandleFunc("POST "+local.PostReach.Path, answer(source.Reach))
	mux.HandleFunc("GET "+local.GetCertificates.Path, answer(func(local.None) (local.Certificates, error) { return source.Certificates(), nil }))
	mux.HandleFunc("POST "+local.PostPing.Path, answer(source.Ping))
	mux.HandleFunc("POST "+local.PostPolicyLog.Path, answer(func(r local.PolicyLogRequest) (local.PolicyLog, error) { return source.PolicyLog(r), nil }))
	mux.HandleFunc("GET "+local.GetDNS.Path, answer(func(local.None) (local.DNS, error) { return source.DNS(), nil }))
	mux.HandleFunc(local.PatchSettings.Method+" "+local.PatchSettings.Path, answer(source.Set))
	mux.HandleFunc("GET "+local.GetNetCheck.Path, answer(func(local.None) (local.NetCheck, error) { return source.NetCheck(), nil }))
	d.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		defer close(d.gone)
		_ = d.server.Serve(l)
	}()
	return d, nil
}

// Close ends it, with everything that is under way.
func (d *Daemon) Close() error {
	err := d.server.Close()
	<-d.gone
	return err
}

func (d *Daemon) watch(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", sse.ContentType)
	for {
		if err := errors.Join(sse.Write(w, local.EventStatus, json.RawMessage(d.source.Status())), http.NewResponseController(w).Flush()); err != nil {
			return
		}
		var again <-chan time.Time
		if d.every > 0 {
			again = time.After(d.every)
		}
		select {
		case <-again:
		case <-r.Context().Done():
			return
		}
	}
}

// answer serves an operation.
func answer[In, Out any](do func(In) (Out, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in In
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil && !errors.Is(err, io.EOF) {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		out, err := do(in)
		var p *local.Error
		if errors.As(err, &p) {
			w.Header().Set("Content-Type", local.ProblemType)
			w.WriteHeader(p.Status)
			_ = json.NewEncoder(w).Encode(p)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(out)
	}
}
