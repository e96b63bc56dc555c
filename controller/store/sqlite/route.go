package sqlite

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/netip"
	"slices"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
)

// OfferRoutes implements store.Handle. What is no news is found by reading, without the writer.
func (h handle) OfferRoutes(ctx context.Context, id ident.Node, offered []netip.Prefix) (store.Node, error) {
	n, in, err := h.router(ctx, id)
	if err != nil {
		return n, err
	}
	if offered, err = store.CheckRoutes(in, offered); err != nil || slices.Equal(n.Offered, offered) {
		return n, err
	}
	return h.change(ctx, id, 0, func(w *work, n *store.Node) error {
		if slices.Equal(n.Offered, offered) {
			return errUnchanged
		}
		if _, err := w.audit("node "+id.String(), "node.offer", id, slog.String("name", n.Name), slog.Any("from", n.Offered), slog.Any("to", offered)); err != nil {
			return err
		}
		n.Offer(offered)
		return w.route(n)
	})
}

// GrantRoutes implements store.Handle.
func (h handle) GrantRoutes(ctx context.Context, id ident.Node, granted []netip.Prefix) (store.Node, error) {
	return h.change(ctx, id, 0, func(w *work, n *store.Node) error {
		was := n.Granted
		n.Granted = n.Grantable(granted)
		if slices.Equal(n.Granted, was) {
			return errUnchanged
		}
		return w.routed("controller", n, store.Without(n.Granted, was), store.Without(was, n.Granted), slog.String("by", "autoApprovers"))
	})
}

// ApproveRoutes implements store.Handle.
func (h handle) ApproveRoutes(ctx context.Context, actor string, id ident.Node, a store.Approval, ifVersion uint64) (store.Node, error) {
	n, in, err := h.router(ctx, id)
	if err != nil {
		return n, err
	}
	return h.change(ctx, id, ifVersion, func(w *work, n *store.Node) error {
		approved, revoked, err := a.Apply(n, in)
		if err != nil {
			return err
		}
		if len(approved)+len(revoked) == 0 {
			return errUnchanged
		}
		return w.routed(actor, n, approved, revoked)
	})
}

// router reads a node and its network.
func (h handle) router(ctx context.Context, id ident.Node) (n store.Node, in store.Network, err error) {
	if n, err = h.Node(ctx, id); err == nil {
		in, err = h.Network(ctx, n.Network)
	}
	return n, in, err
}

// routed tells the trail what of a node's routes is approved now and was not, and the other way round, and writes them.
func (w *work) routed(actor string, n *store.Node, approved, revoked []netip.Prefix, more ...slog.Attr) error {
	for _, half := range []struct {
		action string
		routes []netip.Prefix
	}{{"route.approve", approved}, {"route.revoke", revoked}} {
		if len(half.routes) == 0 {
			continue
		}
		if _, err := w.audit(actor, half.action, n.ID, append([]slog.Attr{slog.String("name", n.Name), slog.Any("routes", half.routes)}, more...)...); err != nil {
			return err
		}
	}
	return w.route(n)
}

// route writes a node's routes.
func (w *work) route(n *store.Node) error {
	var text [4]string
	for i, list := range [][]netip.Prefix{n.Offered, n.Approved, n.Granted, n.Refused} {
		var err error
		if text[i], err = prefixes(list); err != nil {
			return err
		}
	}
	return w.exec(routeNode, int64(n.ID), text[0], text[1], text[2], text[3], int64(n.Version))
}

// prefixes is how prefixes are stored.
func prefixes(list []netip.Prefix) (string, error) {
	if len(list) == 0 {
		return noRoutes, nil
	}
	b, err := json.Marshal(list)
	return string(b), err
}
