// Package servertest runs relays on networks in memory, for tests of those who talk to them.
package servertest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/trust"
	"github.com/cvlan/cvlan/internal/base/trust/trusttest"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/relay/server"
)

// Net is where relays run and whom they believe: the nodes of tenants under the root.
type Net struct {
	UDP  *sock.Network
	TCP  *stream.Twin
	Root *trusttest.Party
	// Tenants are those that are served.
	Tenants []*trusttest.Party
	// Between stands between a relay and its socket; nil: nothing does.
	Between func(sock.Socket) sock.Socket
}

// Relay is one that runs. Stop ends it and waits for its end; it may be called again.
type Relay struct {
	*server.Server
	ID   ident.Relay
	Stop func()
}

// Serve starts a relay at an address, with one worker and without QUIC.
func (n Net) Serve(t *testing.T, id ident.Relay, at netip.AddrPort) *Relay {
	t.Helper()
	var udp sock.Socket
	udp, err := n.UDP.Open(sock.Config{Port: at.Port()}, at.Addr())
	if err != nil {
		t.Fatal(err)
	}
	if n.Between != nil {
		udp = n.Between(udp)
	}
	tcp, err := n.TCP.ListenTCP(at)
	if err != nil {
		t.Fatal(err)
	}
	cert := n.Root.Mint(trust.RelayName(trusttest.Domain, id)).TLS()
	srv, err := server.New(server.Config{
		TLS:   &tls.Config{Certificates: []tls.Certificate{*cert}},
		Admit: n, Workers: 1, Sockets: server.Sockets{UDP: []sock.Socket{udp}, TCP: tcp},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }()
	return &Relay{srv, id, sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})}
}

// Admit implements server.Admitter.
func (n Net) Admit(leaf *x509.Certificate) (ident.Tenant, ident.Node, time.Time, error) {
	err := errors.New("no tenants")
	for _, t := range n.Tenants {
		var name trust.Name
		if name, err = trust.VerifyNode([]*x509.Certificate{leaf, t.Cert}, n.Root.Cert, trust.Clock{}.Now()); err == nil {
			return name.Tenant, name.Node, leaf.NotAfter, nil
		}
	}
	return 0, 0, time.Time{}, err
}
