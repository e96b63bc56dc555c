// Package traytest is what stories of the tray stand on: a daemon that shows what a story says, and a desktop without a screen, that is a
// D-Bus of its own with a StatusNotifierWatcher, a host that reads icons and menus and clicks, and notifications.
package traytest

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/sse"
)

// Daemon answers at a socket as cvland does, and does what it is told to a state that a story made.
type Daemon struct {
	Socket string

	mu      sync.Mutex
	server  *http.Server
	done    chan error
	status  local.Status
	changed chan struct{}
	refusal map[string]*local.Error // by path
	asked   []string                // "POST /v1/up {...}"
}

// NewDaemon makes one that does not run yet, with a socket in a folder of its own.
func NewDaemon() (*Daemon, error) {
	dir, err := os.MkdirTemp("", "cvland") // the path of a socket must be short
	if err != nil {
		return nil, err
	}
	return &Daemon{Socket: filepath.Join(dir, "s"), changed: make(chan struct{}), refusal: map[string]*local.Error{}}, nil
}

// Start makes it answer.
func (d *Daemon) Start() error {
	l, err := net.Listen("unix", d.Socket)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	for _, r := range local.Routes() {
		mux.HandleFunc(r.Method+" "+r.Path, d.serve(r))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.server, d.done = &http.Server{Handler: mux}, make(chan error, 1)
	go func(s *http.Server, done chan error) { done <- s.Serve(l) }(d.server, d.done)
	return nil
}

// Stop ends it as a kill would: connections break, and the socket goes.
func (d *Daemon) Stop() {
	d.mu.Lock()
	s, done := d.server, d.done
	d.server = nil
	d.mu.Unlock()
	if s != nil {
		s.Close()
		<-done
	}
	os.Remove(d.Socket)
}

// Close ends it for good.
func (d *Daemon) Close() {
	d.Stop()
	os.RemoveAll(filepath.Dir(d.Socket))
}

// Show sets the networks, and tells those who watch.
func (d *Daemon) Show(networks ...local.Network) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.set(networks)
}

func (d *Daemon) set(networks []local.Network) {
	d.status = local.Status{Schema: local.Schema, Networks: networks}
	close(d.changed)
	d.changed = make(chan struct{})
}

// Refuse makes an operation fail; with nil it works again.
func (d *Daemon) Refuse(path string, e *local.Error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refusal[path] = e
}

// Asked returns what was asked that changes something, in order.
func (d *Daemon) Asked() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.asked...)
}

func (d *Daemon) serve(r local.Route) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		d.mu.Lock()
		e := d.refusal[r.Path]
		d.mu.Unlock()
		if e != nil {
			w.Header().Set("Content-Type", local.ProblemType)
			w.WriteHeader(e.Status)
			_ = json.NewEncoder(w).Encode(e)
			return
		}
		if r.Watch {
			d.watch(w, req)
			return
		}
		body, _ := io.ReadAll(req.Body)
		_ = json.NewEncoder(w).Encode(d.answer(r, body))
	}
}

func (d *Daemon) answer(r local.Route, body []byte) any {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch r.Path {
	case local.PostUp.Path:
		d.asked = append(d.asked, "up "+string(body))
		d.turn(body, local.Up)
	case local.PostDown.Path:
		d.asked = append(d.asked, "down "+string(body))
		d.turn(body, local.Down)
	default:
		return d.status
	}
	return local.Networks{Schema: local.Schema, Networks: d.status.Networks}
}

// turn switches a network, or all. A network that is switched off has no peers to show.
func (d *Daemon) turn(body []byte, to local.State) {
	var in struct{ Network string }
	_ = json.Unmarshal(body, &in)
	all := append([]local.Network(nil), d.status.Networks...)
	for i := range all {
		if in.Network == "" || in.Network == all[i].ID {
			all[i].State = to
		}
	}
	d.set(all)
}

func (d *Daemon) watch(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Content-Type", sse.ContentType)
	for {
		d.mu.Lock()
		s, changed := d.status, d.changed
		d.mu.Unlock()
		if sse.Write(w, local.EventStatus, s) != nil || errors.Is(http.NewResponseController(w).Flush(), http.ErrNotSupported) {
			return
		}
		select {
		case <-changed:
		case <-req.Context().Done():
			return
		}
	}
}
