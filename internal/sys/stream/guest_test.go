package stream

import (
	"bytes"
	"context"
	"crypto/tls"
	"net/netip"
	"sync"
	"testing"

	"github.com/quic-go/quic-go"
)

// A guest speaks a protocol of its own. It binds what its peers say to their connections, and hears from where something comes before it is there.
func TestAGuestAndItsPeerExportTheSameAndItHearsWhereFromSomethingComes(t *testing.T) {
	const label = "EXPERIMENTAL a test"
	exported := make(chan []byte, 1)
	tell := func(state tls.ConnectionState) {
		b, err := state.ExportKeyingMaterial(label, nil, 32)
		if err != nil {
			t.Error(err)
		}
		exported <- b
	}
	var mu sync.Mutex
	heard := map[netip.AddrPort]bool{}
	over := make(chan struct{})
	addr := serve(t, ListenConfig{Guests: []Guest{{
		ALPN: "guest", TLS: &tls.Config{Certificates: []tls.Certificate{*theRealm().relay.TLS()}},
		TCP:  func(_ context.Context, c *tls.Conn) { tell(c.ConnectionState()); <-over; c.Close() },
		QUIC: func(_ context.Context, c *quic.Conn) { tell(c.ConnectionState().TLS); <-over; c.CloseWithError(0, "") },
		Came: func(from netip.AddrPort) {
			mu.Lock()
			defer mu.Unlock()
			heard[from] = true
		},
		Datagrams: true,
	}}}, func(context.Context, Stream) { t.Error("the guest's peer is taken for a node") })
	t.Cleanup(func() { close(over) }) // before the listener's end
	for _, transport := range []Transport{QUIC, TCP} {
		c, err := DialConn(t.Context(), DialConfig{Addrs: []string{addr.String()}, Transport: transport,
			TLS: &tls.Config{MinVersion: tls.VersionTLS13, InsecureSkipVerify: true, NextProtos: []string{"guest"}}})
		if err != nil {
			t.Fatal(err)
		}
		mine, err := c.ExportKeyingMaterial(label, nil, 32)
		if theirs := <-exported; err != nil || len(mine) != 32 || !bytes.Equal(mine, theirs) {
			t.Errorf("%s: %x and %x, %v", transport, mine, theirs, err)
		}
		mu.Lock()
		if from := c.Info().Local.Port(); transport == QUIC && !portIn(heard, from) {
			t.Errorf("it has not heard from port %d: %v", from, heard)
		}
		mu.Unlock()
		c.Close()
	}
}

func portIn(all map[netip.AddrPort]bool, port uint16) bool {
	for a := range all {
		if a.Port() == port {
			return true
		}
	}
	return false
}
