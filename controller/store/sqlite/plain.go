package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
)

// CreatePlain implements store.Handle.
func (h handle) CreatePlain(ctx context.Context, actor string, p store.Plain) (store.Plain, error) {
	if err := store.CheckPlain(p); err != nil {
		return p, err
	}
	err := h.write(ctx, func(w *work) error {
		n, err := w.network(p.Network, 0)
		if err != nil {
			return err
		}
		for _, fault := range []func(store.Plain) error{n.Reaches, w.present, w.vacant} {
			if err := fault(p); err != nil {
				return err
			}
		}
		if p.Address4, p.Address6, err = w.lease(p.Network); err != nil {
			return err
		}
		p.ID, p.Created, p.CreatedBy, p.Revision = ident.New[ident.Plain](), w.now, clean.Line(actor, maxActor), 1
		return w.insertPlain(actor, &p)
	})
	return p, err
}

// present checks that the nodes named for a device are of its network.
func (w *work) present(p store.Plain) error {
	for _, id := range p.Nodes {
		n, err := w.node(id, 0)
		if err != nil {
			return err
		}
		if n.Network != p.Network {
			return fmt.Errorf("peer %q: %w: node %s (%q) is in another network", p.Name, store.ErrInvalid, id, n.Name)
		}
	}
	return nil
}

// vacant checks that nobody has a device's name or key, and that there may be one more.
func (w *work) vacant(p store.Plain) error {
	if taken, err := own(w, value[bool], nameIsTaken, int64(p.Network), p.Name); err != nil {
		return err
	} else if taken {
		return fmt.Errorf("peer name %q: %w among the nodes and peers of its network; choose another", p.Name, store.ErrExists)
	}
	twins, err := allOwn(w, scanTwin, selectTwins, []byte{}, p.WG[:])
	if err != nil {
		return err
	}
	for _, t := range twins {
		return fmt.Errorf("WireGuard key: %w: node %s (%q) has it", store.ErrExists, t.id, t.name)
	}
	if err := w.unclaimed(p.WG); err != nil {
		return err
	}
	n, err := own(w, value[int], countPlains, int64(p.Network))
	if err == nil && n >= store.MaxPlains {
		err = fmt.Errorf("peer %q: %w: the network has %d", p.Name, store.ErrLimit, n)
	}
	return err
}

// unclaimed checks that no plain device of the tenant has a WireGuard key.
func (w *work) unclaimed(k key.WGPublic) error {
	p, err := own(w, scanPlain, selectPlainByKey, k[:])
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("WireGuard key: %w: peer %s (%q) has it", store.ErrExists, p.ID, p.Name)
}

func (w *work) insertPlain(actor string, p *store.Plain) error {
	born, err := w.audit(actor, "peer.create", p.ID, slog.String("name", p.Name), slog.String("network", p.Network.String()), slog.Any("nodes", texts(p.Nodes)),
		slog.String("key", p.WG.String()), slog.Bool("preshared", !p.Preshared.IsZero()), slog.String("endpoint", place(p.Endpoint)),
		slog.Any("address4", nullable(p.Address4)), slog.Any("address6", nullable(p.Address6)))
	if err != nil {
		return err
	}
	if p.Version, err = w.version(); err != nil {
		return err
	}
	told := *p
	w.tell(p.Version, store.Change{Plain: &told})
	return w.exec(insertPlain, int64(p.ID), int64(p.Network), p.Name, p.WG[:], p.Preshared.Bytes(), nullable(p.Address4), nullable(p.Address6),
		roster(p.Nodes), place(p.Endpoint), int64(p.Keepalive), micro(p.Created), p.CreatedBy, int64(p.Revision), int64(p.Version), int64(born))
}

// DeletePlain implements store.Handle.
func (h handle) DeletePlain(ctx context.Context, actor string, id ident.Plain, ifVersion uint64) error {
	return h.write(ctx, func(w *work) error {
		p, err := own(w, scanPlain, selectPlain, int64(id))
		if err != nil {
			return missing(err, "peer", id)
		}
		if err := store.Current("peer", id, ifVersion, p.Version); err != nil {
			return err
		}
		if _, err := w.audit(actor, "peer.delete", id, slog.String("name", p.Name), slog.String("network", p.Network.String())); err != nil {
			return err
		}
		if err := w.exec(deletePlain, int64(id)); err != nil {
			return err
		}
		w.giveBack(p.Network, p.Address4, p.Address6)
		if p.Version, err = w.version(); err != nil {
			return err
		}
		w.tell(p.Version, store.Change{RemovedPlain: &p})
		return w.bury(store.Tombstone{Plain: p.ID, Nodes: p.Nodes, Network: p.Network, Version: p.Version})
	})
}

// leave takes a node that is deleted off the lists of plain devices.
func (w *work) leave(n store.Node, devices []store.Plain) error {
	for _, p := range devices {
		version, err := w.version()
		if err != nil {
			return err
		}
		p.Nodes = slices.DeleteFunc(p.Nodes, func(id ident.Node) bool { return id == n.ID })
		p.Version = version
		if err := w.exec(setPlainNodes, int64(p.ID), roster(p.Nodes), int64(version)); err != nil {
			return err
		}
		w.tell(version, store.Change{Plain: &p})
	}
	return nil
}

// Plains implements store.Handle.
func (h handle) Plains(ctx context.Context, network ident.Network) ([]store.Plain, error) {
	if network.IsZero() {
		return readAll(ctx, h, scanPlain, selectPlains)
	}
	return readAll(ctx, h, scanPlain, selectPlainsOf, int64(network))
}

// Plain implements store.Handle.
func (h handle) Plain(ctx context.Context, id ident.Plain) (store.Plain, error) {
	p, err := read(ctx, h, scanPlain, selectPlain, int64(id))
	return p, missing(err, "peer", id)
}

func scanPlain(rows *sql.Rows) (p store.Plain, err error) {
	var wg, preshared []byte
	var a4, a6 sql.NullString
	var nodes, endpoint string
	var created int64
	if err := rows.Scan(&p.ID, &p.Network, &p.Name, &wg, &preshared, &a4, &a6, &nodes, &endpoint, &p.Keepalive, &created, &p.CreatedBy, &p.Revision, &p.Version); err != nil {
		return p, err
	}
	p.Created = instant(created)
	if copy(p.WG[:], wg) != len(p.WG) {
		return p, fmt.Errorf("peer %s: its key has the wrong length", p.ID)
	}
	if p.Preshared, err = key.ParsePreshared(preshared); err == nil {
		p.Address4, p.Address6, err = addresses(a4, a6)
	}
	if err == nil && endpoint != "" {
		p.Endpoint, err = netip.ParseAddrPort(endpoint)
	}
	if err == nil {
		err = json.Unmarshal([]byte(nodes), &p.Nodes)
	}
	if err != nil {
		return p, fmt.Errorf("peer %s: %w", p.ID, err)
	}
	return p, nil
}

// roster is how a list of nodes is stored.
func roster(ids []ident.Node) string {
	b, _ := json.Marshal(ids) // texts always marshal
	return string(b)
}

func texts(ids []ident.Node) []string {
	all := make([]string, len(ids))
	for i, id := range ids {
		all[i] = id.String()
	}
	return all
}

// place is how an endpoint is stored and shown; empty for none.
func place(e netip.AddrPort) string {
	if !e.IsValid() {
		return ""
	}
	return e.String()
}
