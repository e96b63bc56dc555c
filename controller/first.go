package controller

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cvlan/cvlan/controller/ca"
	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/ticket"
)

const (
	// DefaultTenant is the tenant that a new controller begins with.
	DefaultTenant = "default"
	// adminKeyFile is where the first admin key is left, in the data folder, mode 0600. Only its path is ever printed.
	adminKeyFile = "admin.key"
	self         = "controller"
)

// firstStart makes what a new controller lacks: a tenant with its authority, and an admin key that opens everything. It may be cut
// off anywhere: the next start goes on where it stopped.
func (c *Controller) firstStart(ctx context.Context) error {
	if _, err := c.store.TenantByName(ctx, DefaultTenant); errors.Is(err, store.ErrNotFound) {
		if _, err := makeTenant(ctx, c.store, c.ca, self, ident.New[ident.Tenant](), DefaultTenant); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	return c.adminKey(ctx)
}

// makeTenant creates a tenant with an authority of its own.
func makeTenant(ctx context.Context, s store.Store, authority *ca.CA, actor string, id ident.Tenant, name string) (store.Tenant, error) {
	inter, err := authority.Intermediate(id)
	if err != nil {
		return store.Tenant{}, fmt.Errorf("create tenant %s: %w", name, err)
	}
	return s.CreateTenant(ctx, actor, name, inter, id)
}

// adminKey leaves an admin key in the data folder if there has never been one. The file is written before the key is made valid:
// a key without a file would lock everybody out.
func (c *Controller) adminKey(ctx context.Context) error {
	provider := c.store.For(0)
	keys, err := provider.APIKeys(ctx)
	if err != nil || len(keys) > 0 {
		return err
	}
	t := ticket.Ticket{Kind: ticket.Admin, Addrs: c.addresses, Pin: c.ca.Pin(), ID: uint64(ident.New[ident.APIKey]()), Secret: key.NewSecret()}
	text, err := t.Encode()
	if err != nil {
		return err
	}
	if err := writeSecret(c.adminKeyPath(), text+"\n"); err != nil {
		return fmt.Errorf("write the admin key: %w", err)
	}
	_, err = provider.CreateAPIKey(ctx, self, store.APIKey{ID: ident.APIKey(t.ID), Name: "first", Hash: t.Secret.Hash(), Scopes: []string{"provider"}})
	return err
}

// writeSecret makes a file that only its owner reads, durable before it returns. One that was cut off at the last start is replaced.
func writeSecret(path, text string) (err error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.WriteString(text); err != nil {
		return err
	}
	return f.Sync()
}

func (c *Controller) adminKeyPath() string { return filepath.Join(c.cfg.Data, adminKeyFile) }

// hasAdminKey reports whether the file is still there, for the line that names it.
func (c *Controller) hasAdminKey() bool {
	_, err := os.Stat(c.adminKeyPath())
	return !errors.Is(err, fs.ErrNotExist)
}
