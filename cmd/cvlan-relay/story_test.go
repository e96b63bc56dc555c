package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/admin"
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

// freePort finds one that nobody has, UDP and TCP.
func freePort(t *testing.T) string {
	t.Helper()
	for range 20 {
		l, err := net.Listen("tcp", ":0")
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(l.Addr().String())
		u, err := net.ListenPacket("udp", ":"+port)
		l.Close()
		if err == nil {
			u.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return ""
}

// inBackground runs something until stop, which waits for it.
func (w *town) inBackground(run func(context.Context, func()) error) (stop func()) {
	w.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- run(ctx, func() { close(ready) }) }()
	select {
	case <-ready:
	case err := <-done:
		w.Fatalf("ended at once: %v", err)
	case <-time.After(30 * time.Second):
		w.Fatal("does not get ready")
	}
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			w.Errorf("ends with %v", err)
		}
	}
	w.Cleanup(stop)
	return stop
}

func newTown(t *testing.T) *town {
	w := &town{T: t, data: t.TempDir(), dir: filepath.Join(t.TempDir(), "relay"), addr: "127.0.0.1:" + freePort(t)}
	ctl, err := controller.New(t.Context(), controller.Config{Data: w.data, Listen: w.addr, Addresses: []string{w.addr}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	w.stop = w.inBackground(ctl.Run)
	path, _ := ctl.AdminKey()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	k, err := ticket.Parse(ticket.Admin, string(text))
	if err != nil {
		t.Fatal(err)
	}
	w.admin = admin.NewClient(k)
	t.Cleanup(w.admin.Close)
	return w
}

// runs starts a relay with a key, or without.
func (w *town) runs(k *ticket.Ticket) (stop func()) {
	w.Helper()
	if w.relay == "" {
		w.relay = "127.0.0.1:" + freePort(w.T)
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
	return w.inBackground(r.Run)
}

func call[In, Out any](w *town, op admin.Op[In, Out], in In) Out {
	w.Helper()
	out, err := admin.Call(w.Context(), w.admin, op, in)
	if err != nil {
		w.Fatal(err)
	}
	return out
}

var tenant = admin.InTenant{Tenant: "default"}

// node joins the network.
func (w *town) node(name string) (session.Membership, *tls.Certificate) {
	w.Helper()
	made := call(w, admin.CreateJoinKey, admin.CreateJoinKeyIn{InTenant: tenant, Body: admin.NewJoinKey{Network: "office"}})
	t, err := ticket.Parse(ticket.Join, made.Body.Key)
	if err != nil {
		w.Fatal(err)
	}
	id, err := key.NewIdentity()
	if err != nil {
		w.Fatal(err)
	}
	m, err := session.Join(w.Context(), t, session.JoinConfig{Identity: id, WG: key.NewWGPrivate().Public(), Hostname: name, Clock: session.NewClock(nil, time.Time{}),
		Dial: func(ctx context.Context, to session.Target) (stream.Stream, error) {
			return stream.Dial(ctx, stream.DialConfig{Addrs: to.Addrs, TLS: to.TLS, Transport: stream.TCP})
		}})
	if err != nil {
		w.Fatal(err)
	}
	return m, &tls.Certificate{Certificate: m.Chain, PrivateKey: id.Signer()}
}

// registers asks the relay for a registration over TLS and returns its answer; the relay must be the one that the controller named.
func (w *town) registers(cert *tls.Certificate) wire.Reason {
	w.Helper()
	c, err := tls.Dial("tcp", w.relay, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{wire.ALPN}, MinVersion: tls.VersionTLS13,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }})
	if err != nil {
		w.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	b, err := wire.AppendStream(nil, wire.Hello{Min: wire.Version, Max: wire.Version}.Append(nil))
	if err != nil {
		w.Fatal(err)
	}
	if _, err := c.Write(b); err != nil {
		w.Fatal(err)
	}
	var room [1024]byte
	n, err := io.ReadAtLeast(c, room[:], 2)
	if err != nil {
		w.Fatal(err)
	}
	frame, _, err := wire.NextStream(room[:n])
	if err != nil {
		w.Fatal(err)
	}
	welcome, err := wire.ReadWelcome(frame)
	if err != nil {
		w.Fatal(err)
	}
	return welcome.Reason
}

// soon waits until something holds, for two seconds: what the protocol promises.
func (w *town) soon(what string, holds func() bool) {
	w.Helper()
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if holds() {
			return
		}
	}
	w.Fatalf("not within two seconds: %s", what)
}

func (w *town) command(args ...string) (int, string) {
	var out, errs bytes.Buffer
	code := run(append(args, "--data-dir", w.dir), &out, &errs)
	return code, out.String() + errs.String()
}

func TestARelayAdmitsNodesWithAndWithoutItsController(t *testing.T) {
	w := newTown(t)
	call(w, admin.CreateNetwork, admin.CreateNetworkIn{InTenant: tenant, Body: admin.NewNetwork{Name: "office"}})
	made := call(w, admin.CreateRelay, admin.CreateRelayIn{Body: admin.NewRelay{Name: "fra-1", Region: "eu"}}).Body
	k, err := ticket.Parse(ticket.Relay, made.Key)
	if err != nil {
		t.Fatal(err)
	}
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

	stop()
	w.stop()
	stop = w.runs(nil)
	if a, b := w.registers(stayCert), w.registers(leaveCert); a != wire.NoReason || b != wire.NotPermitted {
		t.Errorf("without the controller: %v for %s, %v for a removed node", a, stays.Node, b)
	}
	if code, said := w.command("drain", "--timeout", "0s"); code != exitConflict || !strings.Contains(said, "clients have not gone") {
		t.Errorf("%d %s", code, said)
	}
	if r := w.registers(stayCert); r == wire.NoReason {
		t.Error("a relay that drains lets somebody in")
	}
	stop()
	if code, said := w.command("stats"); code != exitAway {
		t.Errorf("%d %s", code, said)
	}
}

// A relay whose controller cannot be reached waits for it, and can be told to stop meanwhile.
func TestARelayThatCannotJoinStopsWhenTold(t *testing.T) {
	k := ticket.Ticket{Kind: ticket.Relay, Addrs: []string{"127.0.0.1:1"}, ID: 5, Secret: key.NewSecret()}
	dir := filepath.Join(t.TempDir(), "relay")
	r, err := relay.New(relay.Config{Data: dir, Key: func(context.Context) (ticket.Ticket, error) { return k, nil }, Listen: ":" + freePort(t), Log: slog.New(slog.DiscardHandler)})
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
	k, err := ticket.Parse(ticket.Relay, made.Key)
	if err != nil {
		t.Fatal(err)
	}
	w.runs(&k)
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(made.Key), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	code := run([]string{"serve", "--data-dir", filepath.Join(t.TempDir(), "thief"), "--key-file", file, "--listen", ":" + freePort(t), "--http", "", "--stun", "", "--log-level", "error"}, &out, &errs)
	if code != exitRefused || !strings.Contains(errs.String(), "another machine has used this relay key") {
		t.Errorf("%d %s", code, errs.String())
	}
	if fmt.Sprint(k) == made.Key {
		t.Error("the key prints itself")
	}
}
