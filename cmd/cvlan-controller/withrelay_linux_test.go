package main

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/controller"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/ticket"
	"github.com/cvlan/cvlan/internal/core/stun"
	"github.com/cvlan/cvlan/internal/node/session"
	"github.com/cvlan/cvlan/internal/sys/stream"
	wire "github.com/cvlan/cvlan/proto/relay"
)

// runBox runs a controller with a relay until stop.
func runBox(t *testing.T, data, addr string) (b *box, stop func()) {
	t.Helper()
	_, port, _ := net.SplitHostPort(addr)
	b, err := openBox(t.Context(), controller.Config{Data: data, Listen: ":" + port, Addresses: []string{addr}, Log: slog.New(slog.DiscardHandler)}, relaySettings{on: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- b.run(ctx, func() { close(ready) }) }()
	select {
	case <-ready:
	case err := <-done:
		t.Fatalf("ended at once: %v", err)
	case <-time.After(30 * time.Second):
		t.Fatal("does not get ready")
	}
	return b, func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("ends with %v", err)
		}
	}
}

// freeAddr is a port that nobody has, UDP and TCP.
func freeAddr(t *testing.T) string {
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
			return "127.0.0.1:" + port
		}
	}
	t.Fatal("no free port")
	return ""
}

func do[In, Out any](t *testing.T, c *admin.Client, op admin.Op[In, Out], in In) Out {
	t.Helper()
	out, err := admin.Call(t.Context(), c, op, in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestAControllerIsARelayOnTheSamePort joins over QUIC, asks the port for its address over STUN, and registers at the relay over TLS and
// QUIC: all on one port, before and after a restart.
func TestAControllerIsARelayOnTheSamePort(t *testing.T) {
	data, addr := t.TempDir(), freeAddr(t)
	b, stop := runBox(t, data, addr)
	path, _ := b.ctl.AdminKey()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	k, err := ticket.Parse(ticket.Admin, string(text))
	if err != nil {
		t.Fatal(err)
	}
	c := admin.NewClient(k)
	in := admin.InTenant{Tenant: "default"}
	do(t, c, admin.CreateNetwork, admin.CreateNetworkIn{InTenant: in, Body: admin.NewNetwork{Name: "office"}})
	made := do(t, c, admin.CreateJoinKey, admin.CreateJoinKeyIn{InTenant: in, Body: admin.NewJoinKey{Network: "office"}})
	cert := join(t, made.Body.Key)
	asks(t, addr)
	registers(t, addr, cert)
	deadline := time.Now().Add(5 * time.Second)
	for {
		r := do(t, c, admin.GetRelay, admin.OneRelayIn{Relay: controller.OwnRelay}).Body
		if r.State == "online" && len(r.Addresses) == 1 && r.Addresses[0] == addr {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v", r)
		}
		time.Sleep(20 * time.Millisecond)
	}
	c.Close()
	stop()
	_, stop = runBox(t, data, addr)
	defer stop()
	registers(t, addr, cert)
}

func join(t *testing.T, text string) *tls.Certificate {
	t.Helper()
	k, err := ticket.Parse(ticket.Join, text)
	if err != nil {
		t.Fatal(err)
	}
	id, err := key.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	m, err := session.Join(t.Context(), k, session.JoinConfig{Identity: id, WG: key.NewWGPrivate().Public(), Hostname: "web", Clock: session.NewClock(nil, time.Time{}),
		Dial: func(ctx context.Context, to session.Target) (stream.Stream, error) {
			return stream.Dial(ctx, stream.DialConfig{Addrs: to.Addrs, TLS: to.TLS, Transport: stream.QUIC})
		}})
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: m.Chain, PrivateKey: id.Signer()}
}

// asks sends a STUN Binding request (RFC 8489) and wants an answer.
func asks(t *testing.T, addr string) {
	t.Helper()
	u, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	q := stun.AppendRequest(nil, stun.TxID{1, 2, 3}, 0)
	var a [576]byte
	for range 5 {
		if _, err := u.Write(q); err != nil {
			t.Fatal(err)
		}
		u.SetReadDeadline(time.Now().Add(time.Second))
		if n, err := u.Read(a[:]); err == nil && n > 20 && a[0] == 1 && a[1] == 1 {
			return
		}
	}
	t.Error("the port does not answer STUN")
}

func registers(t *testing.T, addr string, cert *tls.Certificate) {
	t.Helper()
	conf := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{wire.ALPN}, MinVersion: tls.VersionTLS13,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }}
	c, err := tls.Dial("tcp", addr, conf)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if subject := c.ConnectionState().PeerCertificates[0].URIs[0].String(); !strings.Contains(subject, "/relay/") {
		t.Errorf("who answers is %s", subject)
	}
	c.SetDeadline(time.Now().Add(10 * time.Second))
	b, _ := wire.AppendStream(nil, wire.Hello{Min: wire.Version, Max: wire.Version}.Append(nil))
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
	var room [1024]byte
	n, err := io.ReadAtLeast(c, room[:], 2)
	if err != nil {
		t.Fatal(err)
	}
	frame, _, err := wire.NextStream(room[:n])
	if err != nil {
		t.Fatal(err)
	}
	if w, err := wire.ReadWelcome(frame); err != nil || w.Reason != wire.NoReason {
		t.Errorf("%v %v", w.Reason, err)
	}
}
