package cli_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/cvlan/cvlan/controller/admin"
	"github.com/cvlan/cvlan/controller/ca"
	"github.com/cvlan/cvlan/controller/hub"
	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/controller/store/sqlite"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/ticket"
)

// controller is the real admin API over a real database, without nodes' sessions.
type controller struct {
	db   *sqlite.Store
	ca   *ca.CA
	addr string

	mu    sync.Mutex
	where map[ident.Node][]netip.AddrPort
}

// controllerStart starts one and writes the provider's key to a file: controller admin.key
func controllerStart(ts *testscript.TestScript, _ bool, args []string) {
	ctx := context.Background()
	db, err := sqlite.Open(ctx, sqlite.Config{Dir: filepath.Join(ts.MkAbs("."), "data")})
	ts.Check(err)
	ts.Defer(func() { db.Close() })
	c := ts.Value("controller").(*controller)
	c.db = db
	c.ca, err = ca.Open(ctx, ca.Config{Keeper: db, Domain: db.Meta().TrustDomain, Controller: db.Meta().Controller})
	ts.Check(err)
	_, err = c.newTenant(ctx, "controller", "default")
	ts.Check(err)

	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	c.addr = l.Addr().String()
	quiet := slog.New(slog.DiscardHandler)
	s := &http.Server{
		Handler: admin.New(admin.Config{Store: db, Rules: hub.New(hub.Config{Store: db, Now: time.Now, Log: quiet}), Live: c.live,
			NewTenant: c.newTenant, CA: c.ca, Addrs: []string{c.addr}, Pin: c.ca.Pin(), Started: time.Now(), Now: time.Now, Log: quiet}),
		ErrorLog:          slog.NewLogLogger(quiet.Handler(), slog.LevelError),
		ReadHeaderTimeout: 5 * time.Second,
		TLSConfig:         &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.ca.Server() }},
	}
	done := make(chan error, 1)
	go func() { done <- s.ServeTLS(l, "", "") }()
	ts.Defer(func() { s.Close(); <-done })

	secret := key.NewSecret()
	k, err := db.For(store.Provider).CreateAPIKey(ctx, "controller", store.APIKey{Name: "first", Hash: secret.Hash(), Scopes: []string{"provider"}})
	ts.Check(err)
	text, err := ticket.Ticket{Kind: ticket.Admin, Addrs: []string{c.addr}, Pin: c.ca.Pin(), ID: uint64(k.ID), Secret: secret}.Encode()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text+"\n"), 0o600))
	ts.Setenv("CONTROLLER", c.addr)
}

func (c *controller) newTenant(ctx context.Context, actor, name string) (store.Tenant, error) {
	id := ident.New[ident.Tenant]()
	a, err := c.ca.Intermediate(id)
	if err != nil {
		return store.Tenant{}, err
	}
	return c.db.CreateTenant(ctx, actor, name, a, id)
}

// controllerJoined lets a machine join with a key: joined KEYFILE NAME
func controllerJoined(ts *testscript.TestScript, _ bool, args []string) {
	ctx, c := context.Background(), ts.Value("controller").(*controller)
	t, err := ticket.Parse(ticket.Join, ts.ReadFile(args[0]))
	ts.Check(err)
	id, err := key.NewIdentity()
	ts.Check(err)
	owner, err := c.db.JoinKeyTenant(ctx, ident.JoinKey(t.ID))
	ts.Check(err)
	_, err = c.db.For(owner).Admit(ctx, store.Admission{Key: ident.JoinKey(t.ID), Secret: t.Secret, Wish: args[1],
		Identity: id.Public(), WG: key.NewWGPrivate().Public(), Runs: store.Report{OS: "linux", Software: "1.2.3"}})
	ts.Check(err)
}

func (c *controller) live(_ ident.Tenant, n ident.Node) admin.Presence {
	c.mu.Lock()
	defer c.mu.Unlock()
	return admin.Presence{Endpoints: c.where[n]}
}

// controllerReports lets a node of the default tenant say where it can be reached: reports NAME ENDPOINT...
func controllerReports(ts *testscript.TestScript, _ bool, args []string) {
	ctx, c := context.Background(), ts.Value("controller").(*controller)
	t, err := c.db.TenantByName(ctx, "default")
	ts.Check(err)
	all, err := c.db.For(t.ID).Nodes(ctx, 0)
	ts.Check(err)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.where = map[ident.Node][]netip.AddrPort{}
	for _, n := range all {
		if n.Name != args[0] {
			continue
		}
		for _, e := range args[1:] {
			c.where[n.ID] = append(c.where[n.ID], netip.MustParseAddrPort(e))
		}
	}
}

// controllerOffers lets a node of the default tenant offer to forward to networks: offers NAME PREFIX...
func controllerOffers(ts *testscript.TestScript, _ bool, args []string) {
	h, n, routes := routesOf(ts, args)
	_, err := h.OfferRoutes(context.Background(), n.ID, routes)
	ts.Check(err)
}

// controllerGrants has the policy approve what a node offers, as the hub does: grants NAME PREFIX...
func controllerGrants(ts *testscript.TestScript, _ bool, args []string) {
	h, n, routes := routesOf(ts, args)
	_, err := h.GrantRoutes(context.Background(), n.ID, routes)
	ts.Check(err)
}

// routesOf reads the name of a node of the default tenant, and prefixes.
func routesOf(ts *testscript.TestScript, args []string) (h store.Handle, n store.Node, routes []netip.Prefix) {
	ctx, c := context.Background(), ts.Value("controller").(*controller)
	t, err := c.db.TenantByName(ctx, "default")
	ts.Check(err)
	h = c.db.For(t.ID)
	nodes, err := h.NodesNamed(ctx, 0, args[0])
	ts.Check(err)
	for _, p := range args[1:] {
		routes = append(routes, netip.MustParsePrefix(p))
	}
	return h, nodes[0], routes
}

// controllerRequest makes a certificate request of a fresh key: request gate.csr
func controllerRequest(ts *testscript.TestScript, _ bool, args []string) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, k)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), 0o600))
}

// controllerRevokes revokes the certificate whose serial number stands in a file: revokes serial --yes
func controllerRevokes(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(ts.Exec("cvlan", append([]string{"admin", "ca", "revoke", strings.TrimSpace(ts.ReadFile(args[0]))}, args[1:]...)...))
}
