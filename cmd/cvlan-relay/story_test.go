package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cli/iox"
	"github.com/cvlan/cvlan/cmd/internal/verbs/verbstest"
	"github.com/cvlan/cvlan/controller"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/ticket"
	"github.com/cvlan/cvlan/internal/node/session"
	"github.com/cvlan/cvlan/internal/sys/stream"
	wire "github.com/cvlan/cvlan/proto/relay"
	"github.com/cvlan/cvlan/relay"
)

// town is a controller with its relay, on real sockets.
type town struct {
	*testing.T
	addr  string // the controller's
	data  string
	admin *admin.Client
	stop  func() // the controller
	relay string // host:port
	dir   string // the relay's folder
}

func newTown(t *testing.T) *town {
	w := &town{T: t, data: t.TempDir(), dir: filepath.Join(t.TempDir(), "relay"), addr: "127.0.0.1:" + verbstest.Port(t)}
	ctl, err := controller.New(t.Context(), controller.Config{Data: w.data, Listen: w.addr, Addresses: []string{w.addr}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	w.stop = verbstest.Run(t, ctl.Run)
	path, _ := ctl.AdminKey()
	w.admin = verbstest.Admin(t, path)
	return w
}

// runs starts a relay with a key, or without.
func (w *town) runs(k *ticket.Ticket) (stop func()) {
	w.Helper()
	if w.relay == "" {
		w.relay = "127.0.0.1:" + verbstest.Port(w.T)
	}
	_, port, _ := net.SplitHostPort(w.relay)
	var redeem func(context.Context) (ticket.Ticket, error)
	if k != nil {
		redeem = func(context.Context) (ticket.Ticket, error) { return *k, nil }
	}
	r, err := relay.New(relay.Config{Data: w.dir, Key: redeem, Listen: ":" + port, Advertise: []string{w.relay}, HTTP: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		w.Fatal(err)
	}
	return verbstest.Run(w.T, r.Run)
}

func call[In, Out any](w *town, op admin.Op[In, Out], in In) Out {
	w.Helper()
	return verbstest.Call(w.T, w.admin, op, in)
}

var tenant = verbstest.Tenant

// node joins the network.
func (w *town) node(name string) (session.Membership, *tls.Certificate) {
	w.Helper()
	made := call(w, admin.CreateJoinKey, admin.CreateJoinKeyIn{InTenant: tenant, Body: admin.NewJoinKey{Network: "office"}})
	return verbstest.Join(w.T, made.Body.Key, name, stream.TCP)
}

// registers asks the relay for a registration over TLS and returns its answer.
func (w *town) registers(cert *tls.Certificate) wire.Reason {
	w.Helper()
	_, answer := verbstest.Register(w.T, w.relay, cert)
	return answer
}

// soon waits until something holds, for two seconds: what the protocol promises.
func (w *town) soon(what string, holds func() bool) {
	w.Helper()
	verbstest.Soon(w.T, 2*time.Second, what, holds)
}

func (w *town) command(args ...string) (iox.Exit, string) {
	code, out, errs := line.Type(append(args, "--data-dir", w.dir)...)
	return code, out + errs
}

func TestARelayAdmitsNodesWithAndWithoutItsController(t *testing.T) {
	w := newTown(t)
	call(w, admin.CreateNetwork, admin.CreateNetworkIn{InTenant: tenant, Body: admin.NewNetwork{Name: "office"}})
	made := call(w, admin.CreateRelay, admin.CreateRelayIn{Body: admin.NewRelay{Name: "fra-1", Region: "eu"}}).Body
	k := verbstest.Ticket(t, ticket.Relay, made.Key)
	stop := w.runs(&k)
	stays, stayCert := w.node("stays")
	leaves, leaveCert := w.node("leaves")
	w.soon("the controller knows the relay", func() bool {
		r := call(w, admin.GetRelay, admin.OneRelayIn{Relay: "fra-1"}).Body
		return r.State == "online" && len(r.Addresses) == 1 && r.Addresses[0] == w.relay
	})
	w.soon("the relay admits a node", func() bool { return w.registers(stayCert) == wire.NoReason })
	if r := w.registers(leaveCert); r != wire.NoReason {
		t.Fatalf("refused: %v", r)
	}
	call(w, admin.DeleteNode, admin.ChangeNodeIn{OneNodeIn: admin.OneNodeIn{InTenant: tenant, Node: leaves.Node.String()}})
	w.soon("a removed node is refused", func() bool { return w.registers(leaveCert) == wire.NotPermitted })

	call(w, admin.CreateTenant, admin.CreateTenantIn{Body: admin.NewTenant{Name: "acme"}})
	w.soon("a new tenant is served", func() bool {
		_, said := w.command("stats")
		return strings.Contains(said, "serves") && strings.Contains(said, "2 tenants; turns away 1 removed")
	})
	if code, said := w.command("stats"); code != 0 || !strings.Contains(said, made.ID.String()) {
		t.Errorf("%d %s", code, said)
	}
	if code, said := w.command("config", "check"); code != 0 || !strings.Contains(said, made.ID.String()) {
		t.Errorf("%d %s", code, said)
	}

	again := settings{keyFile: "/nowhere"}
	if again.Data = w.dir; again.key(nil) != nil {
		t.Error("a restart needs the key's file")
	}
	stop()
	w.stop()
	stop = w.runs(nil)
	if a, b := w.registers(stayCert), w.registers(leaveCert); a != wire.NoReason || b != wire.NotPermitted {
		t.Errorf("without the controller: %v for %s, %v for a removed node", a, stays.Node, b)
	}
	if code, said := w.command("drain", "--timeout", "0s"); code != iox.Invalid || !strings.Contains(said, "clients have not gone") {
		t.Errorf("%d %s", code, said)
	}
	if r := w.registers(stayCert); r == wire.NoReason {
		t.Error("a relay that drains lets somebody in")
	}
	stop()
	if code, said := w.command("stats"); code != iox.NoDaemon {
		t.Errorf("%d %s", code, said)
	}
}

// A relay whose controller cannot be reached waits for it, and can be told to stop meanwhile.
func TestARelayThatCannotJoinStopsWhenTold(t *testing.T) {
	k := ticket.Ticket{Kind: ticket.Relay, Addrs: []string{"127.0.0.1:1"}, ID: 5, Secret: key.NewSecret()}
	dir := filepath.Join(t.TempDir(), "relay")
	r, err := relay.New(relay.Config{Data: dir, Key: func(context.Context) (ticket.Ticket, error) { return k, nil }, Listen: ":" + verbstest.Port(t), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx, func() { t.Error("is ready") }) }()
	w := &town{T: t, dir: dir}
	w.soon("stats", func() bool { code, said := w.command("stats"); return code == 0 && strings.Contains(said, "clients") })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestARelaysKeyIsOfUseOnce(t *testing.T) {
	w := newTown(t)
	made := call(w, admin.CreateRelay, admin.CreateRelayIn{Body: admin.NewRelay{Name: "fra-1"}}).Body
	k := verbstest.Ticket(t, ticket.Relay, made.Key)
	w.runs(&k)
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(made.Key), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, errs := line.Type("serve", "--data-dir", filepath.Join(t.TempDir(), "thief"), "--key-file", file, "--listen", ":"+verbstest.Port(t),
		"--http", "", "--stun", "", "--log-level", "error")
	if code != iox.NeedsLogin || !strings.Contains(errs, "another machine has used this relay key") {
		t.Errorf("%d %s", code, errs)
	}
	if fmt.Sprint(k) == made.Key {
		t.Error("the key prints itself")
	}
}
