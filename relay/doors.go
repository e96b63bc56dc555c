package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/version"
	"github.com/cvlan/cvlan/internal/core/forward"
	"github.com/cvlan/cvlan/relay/server"
	"github.com/cvlan/cvlan/relay/session"
)

// doors are how people and their tools see a relay. What anybody on the machine may do is on the HTTP port: reading health and
// metrics, in which there is no name of a node. Whoever may open the folder may ask for more on the socket in it: to drain the relay.
type doors struct {
	relay  *Relay
	web    net.Listener // nil: none
	socket net.Listener

	mu    sync.Mutex
	taken time.Time
	stats server.Stats
}

func openDoors(r *Relay) (*doors, error) {
	d := &doors{relay: r}
	if r.cfg.NoDoors {
		return d, nil
	}
	var err error
	if r.cfg.HTTP != "" {
		if d.web, err = net.Listen("tcp", r.cfg.HTTP); err != nil {
			return nil, fmt.Errorf("listen for health and metrics: %w; choose another with --http, or none with --http ''", err)
		}
	}
	path := r.dir.file(socketFile)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) { // ours: we hold the folder's lock
		return d, err
	}
	if d.socket, err = net.Listen("unix", path); err != nil {
		return d, fmt.Errorf("listen for stats and drain: %w", err)
	}
	return d, nil
}

func (d *doors) close() error {
	var errs []error
	for _, l := range []net.Listener{d.web, d.socket} {
		if l != nil {
			errs = append(errs, l.Close())
		}
	}
	return errors.Join(errs...)
}

// run serves until ctx is done.
func (d *doors) run(ctx context.Context) error {
	open := http.NewServeMux()
	open.HandleFunc("GET /health", d.health)
	open.HandleFunc("GET /metrics", d.metrics)
	private := http.NewServeMux()
	private.Handle("/", open)
	private.HandleFunc("GET /stats", d.showStats)
	private.HandleFunc("POST /drain", d.drain)
	var parts sync.WaitGroup
	defer parts.Wait()
	fail := make(chan error, 2)
	for l, h := range map[net.Listener]http.Handler{d.web: open, d.socket: private} {
		if l == nil {
			continue
		}
		s := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
			BaseContext: func(net.Listener) context.Context { return ctx }, ErrorLog: slog.NewLogLogger(d.relay.cfg.Log.Handler(), slog.LevelDebug)}
		parts.Go(func() {
			if err := s.Serve(l); ctx.Err() == nil {
				fail <- err
			}
		})
		parts.Go(func() {
			<-ctx.Done()
			s.Close()
		})
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-fail:
		return fmt.Errorf("relay's own doors: %w", err)
	}
}

// statsLife keeps a crowd of readers from stopping the relay's workers for each.
const statsLife = time.Second

func (d *doors) snapshot() server.Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	if time.Since(d.taken) > statsLife {
		d.stats, d.taken = d.relay.server.Stats(), time.Now()
	}
	return d.stats
}

// Health is what GET /health answers with.
type Health struct {
	Status string `json:"status"` // ok; or, with 503: draining, joining, deleted by the controller, expired (its certificate)
}

func (d *doors) health(w http.ResponseWriter, _ *http.Request) {
	r := d.relay
	h := Health{health(r.Joined(), r.draining.Load(), r.talks().Phase, r.CertificateEnd(), time.Now())}
	if h.Status != "ok" {
		w.WriteHeader(http.StatusServiceUnavailable) // balancers should look elsewhere
	}
	answer(w, h)
}

// health says whether nodes that come are served, and if not, why.
func health(joined, draining bool, at session.Phase, end, now time.Time) string {
	switch {
	case !joined:
		return "joining"
	case at == session.Deleted:
		return "deleted"
	case now.After(end):
		return "expired"
	case draining:
		return "draining"
	}
	return "ok"
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// Stats is what GET /stats answers with.
type Stats struct {
	Schema      int                 `json:"schema"`
	Relay       ident.Relay         `json:"relay,omitzero"`
	Version     string              `json:"version"`
	Started     time.Time           `json:"started"`
	Addresses   []string            `json:"addresses"`
	CertUntil   time.Time           `json:"cert_until,omitzero"`
	Draining    bool                `json:"draining"`
	Controller  session.State       `json:"controller"`
	Unkept      *Unkept             `json:"unkept,omitempty"` // what the disk lacks; absent: nothing
	Clients     int                 `json:"clients"`
	ByWay       map[string]int      `json:"by_way"`
	Connections int                 `json:"connections"`
	Channels    int                 `json:"channels"`
	Tenants     map[string]Relayed  `json:"tenants"`
	Frames      map[string]uint64   `json:"frames"`
	Admits      Admits              `json:"admits"`
	Neighbours  map[string][]string `json:"neighbours"`
	Region      Region              `json:"region"`
}

// Region is what is exchanged with other relays of the region.
type Region struct {
	Relays []Neighbour `json:"relays"`
	Sent   Relayed     `json:"sent"`     // to them; counted for the tenants here
	Came   Relayed     `json:"received"` // from them; counted there
}

// Neighbour is one of them.
type Neighbour struct {
	Relay   ident.Relay `json:"relay"`
	Name    string      `json:"name"`
	Up      bool        `json:"up"`
	Sending int         `json:"sending"`   // channels that lead there
	Coming  int         `json:"receiving"` // channels that it has opened here
}

// Relayed is what was carried for one tenant since the relay's start.
type Relayed struct {
	Bytes   uint64 `json:"bytes"`
	Packets uint64 `json:"packets"`
}

// Admits says how many tenants the relay serves, and how many removed nodes it turns away.
type Admits struct {
	Tenants int `json:"tenants"`
	Removed int `json:"removed"`
}

func (d *doors) showStats(w http.ResponseWriter, _ *http.Request) {
	answer(w, d.relay.stats(d.snapshot()))
}

func (r *Relay) stats(st server.Stats) Stats {
	out := Stats{Schema: 1, Relay: ident.Relay(r.id.Load()), Version: version.Get().Version, Started: r.started, Addresses: r.Addresses(),
		CertUntil: r.CertificateEnd(), Draining: st.Draining, Clients: st.Clients, ByWay: map[string]int{}, Connections: st.Connections,
		Channels: st.Channels, Tenants: map[string]Relayed{}, Frames: map[string]uint64{}, Neighbours: map[string][]string{},
		Region: Region{Relays: []Neighbour{}, Sent: Relayed(st.Went), Came: Relayed(st.Came)}, Controller: r.talks(), Unkept: r.keeper.lacks()}
	for v, n := range st.Bound {
		out.ByWay[way(v)] = n
	}
	for t, m := range st.Relayed {
		out.Tenants[t.String()] = Relayed(m)
	}
	for reason, n := range st.Frames {
		out.Frames[reason.String()] = n
	}
	if l := r.list.Load(); l != nil {
		out.Admits.Tenants, out.Admits.Removed = l.Len()
		names := map[ident.Relay]string{}
		for _, n := range l.Neighbours() {
			out.Neighbours[n.Name], names[n.ID] = n.Addresses, n.Name
		}
		for _, n := range st.Region {
			out.Region.Relays = append(out.Region.Relays, Neighbour{n.ID, names[n.ID], n.Up, n.Channels, n.Transit})
		}
	}
	return out
}

// talks says how the relay stands with its controller; away before it has joined.
func (r *Relay) talks() session.State {
	if s := r.session.Load(); s != nil {
		return s.State()
	}
	return session.State{Phase: session.Away, Since: r.started}
}

func way(v forward.Via) string {
	switch v {
	case forward.UDP:
		return "udp"
	case forward.Stream:
		return "tls"
	case forward.Datagram:
		return "quic"
	}
	return "none"
}

// maxDrain bounds how long somebody may wait for a drain.
const maxDrain = time.Hour

// Drained answers POST /drain.
type Drained struct {
	Left int `json:"left"` // clients that have not gone
}

// drain answers when all clients have left, or after ?timeout=.
func (d *doors) drain(w http.ResponseWriter, q *http.Request) {
	wait, err := time.ParseDuration(q.FormValue("timeout"))
	if err != nil || wait < 0 || wait > maxDrain {
		http.Error(w, "timeout: want a duration of at most an hour", http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(q.Context(), wait)
	defer cancel()
	_ = d.relay.Drain(ctx) // what is left says how it went
	answer(w, Drained{d.relay.server.Stats().Clients})
}
