package main

import (
	"crypto/tls"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cmd/internal/verbs/verbstest"
	"github.com/cvlan/cvlan/controller"
	"github.com/cvlan/cvlan/internal/core/stun"
	"github.com/cvlan/cvlan/internal/sys/stream"
	wire "github.com/cvlan/cvlan/proto/relay"
)

// runBox runs a controller with a relay until stop.
func runBox(t *testing.T, data, port string) (b *box, stop func()) {
	t.Helper()
	conf := controller.Config{Data: data, Listen: ":" + port, Addresses: []string{"127.0.0.1:" + port}, Log: slog.New(slog.DiscardHandler)}
	b, err := openBox(t.Context(), conf, relaySettings{on: true})
	if err != nil {
		t.Fatal(err)
	}
	return b, verbstest.Run(t, b.run)
}

// TestAControllerIsARelayOnTheSamePort joins over QUIC, asks the port for its address over STUN, and registers at the relay over TLS and
// QUIC: all on one port, before and after a restart.
func TestAControllerIsARelayOnTheSamePort(t *testing.T) {
	data, port := t.TempDir(), verbstest.Port(t)
	addr := "127.0.0.1:" + port
	b, stop := runBox(t, data, port)
	path, _ := b.ctl.AdminKey()
	c := verbstest.Admin(t, path)
	verbstest.Call(t, c, admin.CreateNetwork, admin.CreateNetworkIn{InTenant: verbstest.Tenant, Body: admin.NewNetwork{Name: "office"}})
	made := verbstest.Call(t, c, admin.CreateJoinKey, admin.CreateJoinKeyIn{InTenant: verbstest.Tenant, Body: admin.NewJoinKey{Network: "office"}})
	_, cert := verbstest.Join(t, made.Body.Key, "web", stream.QUIC)
	asks(t, addr)
	registers(t, addr, cert)
	verbstest.Soon(t, 5*time.Second, "the controller's own relay is online", func() bool {
		r := verbstest.Call(t, c, admin.GetRelay, admin.OneRelayIn{Relay: controller.OwnRelay}).Body
		return r.State == "online" && len(r.Addresses) == 1 && r.Addresses[0] == addr
	})
	c.Close()
	stop()
	runBox(t, data, port)
	registers(t, addr, cert)
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
	if subject, answer := verbstest.Register(t, addr, cert); !strings.Contains(subject, "/relay/") || answer != wire.NoReason {
		t.Errorf("who answers is %s, the answer %v", subject, answer)
	}
}
