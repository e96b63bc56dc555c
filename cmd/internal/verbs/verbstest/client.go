package verbstest

import (
	"context"
	"crypto/tls"
	"io"
	"os"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/ticket"
	"github.com/cvlan/cvlan/internal/node/session"
	"github.com/cvlan/cvlan/internal/sys/stream"
	wire "github.com/cvlan/cvlan/proto/relay"
)

// Tenant is the one that every controller has.
var Tenant = admin.InTenant{Tenant: "default"}

// Ticket reads a key.
func Ticket(t *testing.T, kind ticket.Kind, text string) ticket.Ticket {
	t.Helper()
	k, err := ticket.Parse(kind, text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Admin logs in with the key that a controller's first start has written.
func Admin(t *testing.T, keyFile string) *admin.Client {
	t.Helper()
	text, err := os.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	c := admin.NewClient(Ticket(t, ticket.Admin, string(text)))
	t.Cleanup(c.Close)
	return c
}

// Call asks for an operation, which must succeed.
func Call[In, Out any](t *testing.T, c *admin.Client, op admin.Op[In, Out], in In) Out {
	t.Helper()
	out, err := admin.Call(t.Context(), c, op, in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Join joins the network that a key is for, as a node does. The certificate is what relays are shown.
func Join(t *testing.T, text, name string, over stream.Transport) (session.Membership, *tls.Certificate) {
	t.Helper()
	id, err := key.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	m, err := session.Join(t.Context(), Ticket(t, ticket.Join, text), session.JoinConfig{
		Identity: id, WG: key.NewWGPrivate().Public(), Hostname: name, Clock: session.NewClock(nil, time.Time{}),
		Dial: func(ctx context.Context, to session.Target) (stream.Stream, error) {
			return stream.Dial(ctx, stream.DialConfig{Addrs: to.Addrs, TLS: to.TLS, Transport: over})
		}})
	if err != nil {
		t.Fatal(err)
	}
	return m, &tls.Certificate{Certificate: m.Chain[:1], PrivateKey: id.Signer()}
}

// Register asks a relay for a registration over TLS, and returns whose certificate it shows and what it answers.
func Register(t *testing.T, addr string, cert *tls.Certificate) (subject string, answer wire.Reason) {
	t.Helper()
	c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{wire.ALPN}, MinVersion: tls.VersionTLS13})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	subject = c.ConnectionState().PeerCertificates[0].URIs[0].String()
	welcome, err := hello(c, cert)
	if err != nil {
		t.Fatal(err)
	}
	return subject, welcome.Reason
}

func hello(c *tls.Conn, cert *tls.Certificate) (w wire.Welcome, err error) {
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return w, err
	}
	state := c.ConnectionState()
	b, err := wire.Introduce(cert, state.ExportKeyingMaterial)
	if err != nil {
		return w, err
	}
	if _, err := c.Write(b); err != nil {
		return w, err
	}
	var room [1024]byte
	n, err := io.ReadAtLeast(c, room[:], 2)
	if err != nil {
		return w, err
	}
	frame, _, err := wire.NextStream(room[:n])
	if err != nil {
		return w, err
	}
	return wire.ReadWelcome(frame)
}
