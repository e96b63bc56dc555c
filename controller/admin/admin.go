// Package admin serves the admin API: it registers the operations that api/admin declares, finds out who calls, and does what
// they ask in the store.
//
// A request passes, in this order: a guard against panics and long bodies; authentication (who holds this API key); the memory
// of idempotency keys; the decoding and validation that the operation's types ask for; the operation's scope and tenant; the
// operation.
package admin

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/controller/ca"
	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/logx"
)

// Presence is what is known of a node now, and is not in the store.
type Presence struct {
	Online    bool
	LastSeen  time.Time        // zero: not since this controller started
	Endpoints []netip.AddrPort // where it says that it can be reached
}

// Config is what the API works with. All fields are needed unless they say otherwise.
type Config struct {
	Store store.Store
	// Live tells what is known of a node now.
	Live func(ident.Tenant, ident.Node) Presence
	// NewTenant makes a tenant with its certificate authority.
	NewTenant func(ctx context.Context, actor, name string) (store.Tenant, error)
	// CA signs for devices, and makes authorities and revocation lists.
	CA *ca.CA
	// Rotated hears that a tenant's authority has got another key, or that an old one has ended; nil: nobody does.
	Rotated func(context.Context, ident.Tenant)
	Addrs   []string // host:port that join keys carry: where nodes find this controller
	// Ends tells when authorities' certificates end, as seen last; nil: it is not known.
	Ends func() []ca.End
	// Rules answers questions of policies in force.
	Rules Rulebook
	// Relays makes and deletes relays; nil: in the store, and nobody serves them.
	Relays Relays
	// AdminAddrs is what admin keys carry: where this API is found. Nil: at Addrs.
	AdminAddrs []string
	Pin        [32]byte // of the root certificate, which keys carry
	Started    time.Time
	Now        func() time.Time
	Log        *slog.Logger
}

// New returns the handler of the whole API: every path under /api/, and the OpenAPI document at /openapi.json and /openapi.yaml.
func New(c Config) http.Handler {
	s, mux := build(c)
	return s.guard(s.authenticate(s.once(mux)))
}

// build makes the server and binds what it serves.
func build(c Config) (*server, *http.ServeMux) {
	if c.AdminAddrs == nil {
		c.AdminAddrs = c.Addrs
	}
	if c.Relays == nil {
		c.Relays = absent{c.Store}
	}
	if c.Ends == nil {
		c.Ends = func() []ca.End { return nil }
	}
	s := &server{Config: c, gate: newGate(c.Now), replays: newReplays(c.Now), reviews: make(chan struct{}, maxReviews)}
	mux := http.NewServeMux()
	s.api = humago.New(mux, describe())
	s.api.OpenAPI().OnAddOperation = append(s.api.OpenAPI().OnAddOperation, s.served)
	s.register()
	tidy(s.api.OpenAPI())
	mux.HandleFunc("GET /crl/{tenant}/{file}", s.publicCRL)
	mux.HandleFunc("/", unknown)
	return s, mux
}

// server is the API at work.
type server struct {
	Config
	api     huma.API
	gate    *gate
	replays *replays
	lists   shelf
	reviews chan struct{} // holds one for each review under way
	ops     []string      // operations served, for the test that none is missing
}

func (s *server) served(_ *huma.OpenAPI, op *huma.Operation) { s.ops = append(s.ops, op.OperationID) }

// register binds every operation to what does it.
func (s *server) register() {
	public(s, admin.GetHealth, s.health)
	known(s, admin.GetController, s.controller)
	known(s, admin.GetWhoami, s.whoami)
	known(s, admin.ListTenants, s.listTenants)
	known(s, admin.CreateTenant, s.createTenant)
	within(s, admin.ListNetworks, s.listNetworks)
	within(s, admin.CreateNetwork, s.createNetwork)
	within(s, admin.GetNetwork, s.getNetwork)
	within(s, admin.SetAccess, s.setAccess)
	within(s, admin.ChangeNetwork, s.changeNetwork)
	within(s, admin.DeleteNetwork, s.deleteNetwork)
	within(s, admin.GetPolicy, s.getPolicy)
	within(s, admin.SetPolicy, s.setPolicy)
	within(s, admin.CheckPolicy, s.checkPolicy)
	within(s, admin.ComparePolicy, s.comparePolicy)
	within(s, admin.ExplainPolicy, s.explainPolicy)
	within(s, admin.GetPolicyStatus, s.getPolicyStatus)
	within(s, admin.ListPolicies, s.listPolicies)
	within(s, admin.GetPolicyVersion, s.getPolicyVersion)
	within(s, admin.ListJoinKeys, s.listJoinKeys)
	within(s, admin.CreateJoinKey, s.createJoinKey)
	within(s, admin.RevokeJoinKey, s.revokeJoinKey)
	within(s, admin.ListNodes, s.listNodes)
	within(s, admin.GetNode, s.getNode)
	within(s, admin.ApproveNode, s.approveNode)
	within(s, admin.SuspendNode, s.suspendNode)
	within(s, admin.RenameNode, s.renameNode)
	within(s, admin.TagNode, s.tagNode)
	within(s, admin.ChangeRoutes, s.changeRoutes)
	within(s, admin.DeleteNode, s.deleteNode)
	within(s, admin.ListUsers, s.listUsers)
	within(s, admin.CreateUser, s.createUser)
	within(s, admin.GetUser, s.getUser)
	within(s, admin.ChangeUser, s.changeUser)
	within(s, admin.DeleteUser, s.deleteUser)
	within(s, admin.ListGroups, s.listGroups)
	within(s, admin.CreateGroup, s.createGroup)
	within(s, admin.GetGroup, s.getGroup)
	within(s, admin.DeleteGroup, s.deleteGroup)
	within(s, admin.ListMembers, s.listMembers)
	within(s, admin.ChangeMembers, s.changeMembers)
	within(s, admin.ListPeers, s.listPeers)
	within(s, admin.CreatePeer, s.createPeer)
	within(s, admin.GetPeer, s.getPeer)
	within(s, admin.DeletePeer, s.deletePeer)
	within(s, admin.ListAPIKeys, s.listAPIKeys)
	within(s, admin.CreateAPIKey, s.createAPIKey)
	within(s, admin.RevokeAPIKey, s.revokeAPIKey)
	within(s, admin.GetCA, s.getCA)
	within(s, admin.ListCertificates, s.listCertificates)
	within(s, admin.CreateCertificate, s.createCertificate)
	within(s, admin.GetCertificate, s.getCertificate)
	within(s, admin.RevokeCertificate, s.revokeCertificate)
	within(s, admin.ListCRLs, s.listCRLs)
	within(s, admin.RequestCertificate, s.requestCertificate)
	within(s, admin.InstallChain, s.installChain)
	within(s, admin.BeginRotation, s.beginRotation)
	within(s, admin.FinishRotation, s.finishRotation)
	within(s, admin.ListEvents, s.listEvents)
	known(s, admin.ListRelays, s.listRelays)
	known(s, admin.CreateRelay, s.createRelay)
	known(s, admin.GetRelay, s.getRelay)
	known(s, admin.DeleteRelay, s.deleteRelay)
	known(s, admin.ListRelayUsage, s.listRelayUsage)
}

// longest is the longest body that any operation takes. Each is held to its own limit; who has no key, to MaxBody.
func longest() (n int64) {
	for _, r := range admin.Routes() {
		n = max(n, r.BodyLimit())
	}
	return n
}

// guard bounds bodies and turns a panic into an answer and a log line.
func (s *server) guard(next http.Handler) http.Handler {
	limit := longest()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil {
				s.Log.Error("admin API: panic", logx.Path, r.URL.Path, logx.Err, p, "stack", string(debug.Stack()))
				answer(w, admin.CodeInternal.Problem("serve the request", "a defect of the controller", "see the controller's log"))
			}
		}()
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		w.Header().Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func unknown(w http.ResponseWriter, _ *http.Request) {
	answer(w, admin.CodeUnknownRoute.Problem("serve the request", "this controller has no such operation", "see /openapi.json for those that it has"))
}
