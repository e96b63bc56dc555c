package admin

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/controller/ca"
	"github.com/cvlan/cvlan/controller/hub"
	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/controller/store/sqlite"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/ticket"
)

// world is a controller's API with a real database and authority, served over TLS on loopback.
type world struct {
	t      *testing.T
	db     store.Store
	hub    *hub.Hub // without sessions: nobody runs it
	ca     *ca.CA
	addr   string
	tenant store.Tenant // "default"
	owner  *admin.Client
	boss   *admin.Client // the provider

	mu     sync.Mutex
	now    time.Time
	online map[ident.Node]Presence
	ends   []ca.End
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: time.Now(), online: map[ident.Node]Presence{}}
	db, err := sqlite.Open(t.Context(), sqlite.Config{Dir: filepath.Join(t.TempDir(), "data"), Now: w.clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	w.db = db
	if w.ca, err = ca.Open(t.Context(), ca.Config{Keeper: db, Domain: db.Meta().TrustDomain, Controller: db.Meta().Controller, Now: w.clock}); err != nil {
		t.Fatal(err)
	}
	w.tenant = w.newTenant("default")
	w.serve()
	w.owner = w.client(w.tenant.ID, time.Time{}, "owner")
	w.boss = w.client(store.Provider, time.Time{}, "provider")
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) makeTenant(ctx context.Context, actor, name string) (store.Tenant, error) {
	id := ident.New[ident.Tenant]()
	a, err := w.ca.Intermediate(id)
	if err != nil {
		return store.Tenant{}, err
	}
	return w.db.CreateTenant(ctx, actor, name, a, id)
}

func (w *world) newTenant(name string) store.Tenant {
	w.t.Helper()
	t, err := w.makeTenant(w.t.Context(), "test", name)
	if err != nil {
		w.t.Fatal(err)
	}
	return t
}

func (w *world) presence(_ ident.Tenant, n ident.Node) Presence {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.online[n]
}

func (w *world) seen() []ca.End {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ends
}

func (w *world) serve() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	w.addr = l.Addr().String()
	w.hub = hub.New(hub.Config{Store: w.db, Now: w.clock, Log: slog.New(slog.DiscardHandler)})
	h := New(Config{Store: w.db, Rules: w.hub, Live: w.presence, NewTenant: w.makeTenant, CA: w.ca, Addrs: []string{w.addr}, Pin: w.ca.Pin(), Ends: w.seen, Started: w.now,
		Now: w.clock, Log: slog.New(slog.DiscardHandler)})
	server := &http.Server{Handler: h, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), ReadHeaderTimeout: 5 * time.Second,
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return w.ca.Server() }}}
	done := make(chan error)
	go func() { done <- server.ServeTLS(l, "", "") }()
	w.t.Cleanup(func() { server.Close(); <-done })
}

// ticket makes an API key in the store and returns what its holder has.
func (w *world) ticket(tenant ident.Tenant, expires time.Time, scopes ...string) ticket.Ticket {
	w.t.Helper()
	secret := key.NewSecret()
	k, err := w.db.For(tenant).CreateAPIKey(w.t.Context(), "test", store.APIKey{Name: "key-" + scopes[0][:3], Hash: secret.Hash(), Scopes: scopes, Expires: expires})
	if err != nil {
		w.t.Fatal(err)
	}
	return ticket.Ticket{Kind: ticket.Admin, Addrs: []string{w.addr}, Pin: w.ca.Pin(), ID: uint64(k.ID), Secret: secret}
}

func (w *world) client(tenant ident.Tenant, expires time.Time, scopes ...string) *admin.Client {
	w.t.Helper()
	c := admin.NewClient(w.ticket(tenant, expires, scopes...))
	w.t.Cleanup(c.Close)
	return c
}

// join lets a machine join a network with a key made for it.
func (w *world) join(network, name string, approve bool) store.Node {
	w.t.Helper()
	return w.joinAs(network, name, admin.NewJoinKey{Approve: approve})
}

// joinAs is join with a key as described.
func (w *world) joinAs(network, name string, want admin.NewJoinKey) store.Node {
	w.t.Helper()
	want.Network = network
	k := must(admin.Call(w.t.Context(), w.owner, admin.CreateJoinKey, admin.CreateJoinKeyIn{InTenant: in, Body: want}))(w.t)
	tk, err := ticket.Parse(ticket.Join, k.Body.Key)
	if err != nil {
		w.t.Fatal(err)
	}
	id, err := key.NewIdentity()
	if err != nil {
		w.t.Fatal(err)
	}
	n, err := w.db.For(w.tenant.ID).Admit(w.t.Context(), store.Admission{Key: ident.JoinKey(tk.ID), Secret: tk.Secret, Wish: name,
		Identity: id.Public(), WG: key.NewWGPrivate().Public(), Runs: store.Report{OS: "linux", Software: "1.0"}})
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// raw sends a request as a script might, and returns the answer with its body.
func (w *world) raw(method, path, token, body string, header ...string) (*http.Response, string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, "https://"+w.addr+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	resp, err := c.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp, string(b)
}

var in = admin.InTenant{Tenant: "default"}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// refused checks that an operation was refused with a code, and returns the problem.
func refused(t *testing.T, err error, code admin.Code) *admin.Problem {
	t.Helper()
	var p *admin.Problem
	if !errors.As(err, &p) || p.Code != code {
		t.Fatalf("got %v, want a problem %s", err, code)
	}
	return p
}
