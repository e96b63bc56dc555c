package main

import (
	"context"
	"fmt"

	"github.com/cvlan/cvlan/daemon"
	"github.com/cvlan/cvlan/internal/base/ticket"
	"github.com/cvlan/cvlan/relay"
)

// relayHost makes this machine a relay on a port. It is a daemon.RelayHost.
type relayHost struct{ port int }

// Serve implements daemon.RelayHost.
func (h relayHost) Serve(ctx context.Context, r daemon.HostedRelay) error {
	one, err := relay.New(relay.Config{
		Data: r.Data, Identity: &r.Identity, Listen: fmt.Sprintf(":%d", h.port), Skip: r.Overlay, Log: r.Log,
		Key: func(context.Context) (ticket.Ticket, error) {
			return ticket.Ticket{Kind: ticket.Relay, Addrs: r.Controllers, Pin: r.Pin, ID: uint64(r.Relay)}, nil
		},
	})
	if err != nil {
		return err
	}
	return one.Run(ctx, func() { r.Log.Info("the relay serves", "addresses", one.Addresses()) })
}
