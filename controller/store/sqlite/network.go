package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"log/slog"
	"net/netip"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/proto/control"
)

// CreateNetwork implements store.Handle.
func (h handle) CreateNetwork(ctx context.Context, actor string, n store.Network, open bool) (store.Network, error) {
	if h.tenant == store.Provider {
		return n, fmt.Errorf("network %q: %w: it needs a tenant", n.Name, store.ErrInvalid)
	}
	if err := store.CheckName("network", n.Name); err != nil {
		return n, err
	}
	err := h.write(ctx, func(w *work) error {
		others, err := allOwn(w, scanNetwork, selectNetworks)
		if err != nil {
			return err
		}
		for _, o := range others {
			if o.Name == n.Name {
				return fmt.Errorf("network %q: %w; choose another name", n.Name, store.ErrExists)
			}
		}
		if n, err = store.Place(rand.Reader, n, others); err != nil {
			return err
		}
		n.ID, n.Created = ident.New[ident.Network](), w.now
		return w.insertNetwork(actor, &n, open)
	})
	return n, err
}

func (w *work) insertNetwork(actor string, n *store.Network, open bool) error {
	born, err := w.audit(actor, "network.create", n.ID, slog.String("name", n.Name), slog.String("range4", show(n.Range4)),
		slog.String("range6", show(n.Range6)), slog.Bool("open", open))
	if err != nil {
		return err
	}
	if n.Version, err = w.version(); err != nil {
		return err
	}
	if err := w.exec(insertNetwork, int64(n.ID), n.Name, show(n.Range4), show(n.Range6), int64(n.Protocol), micro(n.Created), int64(n.Version), int64(born)); err != nil {
		return err
	}
	told := *n
	w.tell(n.Version, store.Change{Network: &told})
	_, err = w.enact(store.Policy{Network: n.ID, Number: 1, Text: store.FirstPolicy(open), Author: actor, Comment: "the network's first"})
	return err
}

// SetNetworkProtocol implements store.Handle.
func (h handle) SetNetworkProtocol(ctx context.Context, actor string, id ident.Network, to control.Tunnels, ifVersion uint64) (n store.Network, err error) {
	if to != 0 && to != control.WireGuard && to != control.IPsec {
		return n, fmt.Errorf("protocol of network %s: %w: want one, or none", id, store.ErrInvalid)
	}
	err = h.write(ctx, func(w *work) error {
		if n, err = w.network(id, ifVersion); err != nil || n.Protocol == to {
			return err
		}
		if _, err := w.audit(actor, "network.protocol", id, slog.String("name", n.Name), slog.String("from", n.Protocol.String()), slog.String("to", to.String())); err != nil {
			return err
		}
		version, err := w.version()
		if err != nil {
			return err
		}
		n.Protocol, n.Version = to, version
		told := n
		w.tell(version, store.Change{Network: &told})
		return w.exec(setProtocol, int64(id), int64(to), int64(version))
	})
	return n, err
}

// DeleteNetwork implements store.Handle. The network's join keys and policies go with it.
func (h handle) DeleteNetwork(ctx context.Context, actor string, id ident.Network, ifVersion uint64) error {
	return h.write(ctx, func(w *work) error {
		n, err := w.network(id, ifVersion)
		if err != nil {
			return err
		}
		if used, err := own(w, value[bool], networkIsUsed, int64(id)); err != nil {
			return err
		} else if used {
			return fmt.Errorf("network %q: %w: it has nodes or peers; delete them first", n.Name, store.ErrConflict)
		}
		if _, err := w.audit(actor, "network.delete", id, slog.String("name", n.Name)); err != nil {
			return err
		}
		for _, s := range []statement{deleteJoinKeysOf, deletePolicies, deleteNetwork} {
			if err := w.exec(s, int64(id)); err != nil {
				return err
			}
		}
		version, err := w.version()
		delete(w.pools, id)
		w.tell(version, store.Change{Gone: id})
		return err
	})
}

// network reads one to be changed.
func (w *work) network(id ident.Network, ifVersion uint64) (store.Network, error) {
	n, err := own(w, scanNetwork, selectNetwork, int64(id))
	if err != nil {
		return n, missing(err, "network", id)
	}
	return n, store.Current("network", id, ifVersion, n.Version)
}

// Networks implements store.Handle.
func (h handle) Networks(ctx context.Context) ([]store.Network, error) {
	return readAll(ctx, h, scanNetwork, selectNetworks)
}

// Network implements store.Handle.
func (h handle) Network(ctx context.Context, id ident.Network) (store.Network, error) {
	n, err := read(ctx, h, scanNetwork, selectNetwork, int64(id))
	return n, missing(err, "network", id)
}

// NetworkByName implements store.Handle.
func (h handle) NetworkByName(ctx context.Context, name string) (store.Network, error) {
	n, err := read(ctx, h, scanNetwork, selectNetworkByName, name)
	return n, named(err, "network", name)
}

// show is the text of a range; empty for none.
func show(p netip.Prefix) string {
	if !p.IsValid() {
		return ""
	}
	return p.String()
}

func scanNetwork(rows *sql.Rows) (n store.Network, err error) {
	var range4, range6 string
	var created int64
	if err := rows.Scan(&n.ID, &n.Name, &range4, &range6, &n.Protocol, &created, &n.Version); err != nil {
		return n, err
	}
	n.Created = instant(created)
	for text, p := range map[*string]*netip.Prefix{&range4: &n.Range4, &range6: &n.Range6} {
		if *text == "" {
			continue
		}
		if *p, err = netip.ParsePrefix(*text); err != nil {
			return n, fmt.Errorf("network %s: %w", n.ID, err)
		}
	}
	return n, nil
}
