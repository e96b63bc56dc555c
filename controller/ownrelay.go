package controller

import (
	"context"
	"errors"
	"fmt"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/ticket"
)

// OwnRelay is the name of the relay in the controller's own process.
const OwnRelay = "controller"

// OwnRelayKey makes that relay and returns its key. One that there was before has lost what it had: it is deleted.
func (c *Controller) OwnRelayKey(ctx context.Context) (ticket.Ticket, error) {
	old, err := c.store.RelayByName(ctx, OwnRelay)
	if err == nil {
		err = c.fleet.Delete(ctx, self, old.ID)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return ticket.Ticket{}, fmt.Errorf("delete the former relay of this controller: %w", err)
	}
	return c.RelayKey(ctx, self, OwnRelay)
}

// RelayKey makes a relay of the provider's and returns its key.
func (c *Controller) RelayKey(ctx context.Context, actor, name string) (ticket.Ticket, error) {
	secret := key.NewSecret()
	r, err := c.fleet.Create(ctx, actor, store.Relay{ID: ident.New[ident.Relay](), Name: name, Hash: secret.Hash()})
	if err != nil {
		return ticket.Ticket{}, err
	}
	return ticket.Ticket{Kind: ticket.Relay, Addrs: c.addresses, Pin: c.ca.Pin(), ID: uint64(r.ID), Secret: secret}, nil
}
