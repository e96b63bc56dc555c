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
func (h handle) OfferRoutes(ctx context.Context, id ident.Node, offered, approve []netip.Prefix) (store.Node, error) {
	n, err := h.Node(ctx, id)
	if err != nil {
		return n, err
	}
	in, err := h.Network(ctx, n.Network)
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
		// Only what is new is approved by itself: what an admin has revoked stays so while the node offers it.
		fresh := slices.DeleteFunc(slices.Clone(approve), func(p netip.Prefix) bool { return slices.Contains(n.Offered, p) || !slices.Contains(offered, p) })
		if _, err := w.audit("node "+id.String(), "node.offer", id, slog.String("name", n.Name), slog.Any("from", n.Offered), slog.Any("to", offered)); err != nil {
			return err
		}
		n.Offered = offered
		if approved, news, err := (store.Approval{Approve: fresh}).Of(n, in); err == nil && news { // one that finds no room waits for an admin
			n.Approved = approved
			if _, err := w.audit("controller", "route.approve", id, slog.String("name", n.Name), slog.Any("routes", fresh), slog.String("by", "autoApprovers")); err != nil {
				return err
			}
		}
		return w.route(n)
	})
}

// ApproveRoutes implements store.Handle.
func (h handle) ApproveRoutes(ctx context.Context, actor string, id ident.Node, a store.Approval, ifVersion uint64) (store.Node, error) {
	n, err := h.Node(ctx, id)
	if err != nil {
		return n, err
	}
	in, err := h.Network(ctx, n.Network)
	if err != nil {
		return n, err
	}
	return h.change(ctx, id, ifVersion, func(w *work, n *store.Node) error {
		approved, news, err := a.Of(n, in)
		if err != nil {
			return err
		}
		if !news {
			return errUnchanged
		}
		for _, half := range []struct {
			action string
			routes []netip.Prefix
		}{{"route.approve", without(approved, n.Approved)}, {"route.revoke", without(n.Approved, approved)}} {
			if len(half.routes) == 0 {
				continue
			}
			if _, err := w.audit(actor, half.action, id, slog.String("name", n.Name), slog.Any("routes", half.routes)); err != nil {
				return err
			}
		}
		n.Approved = approved
		return w.route(n)
	})
}

// without returns the prefixes of a that are not in b.
func without(a, b []netip.Prefix) []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(a), func(p netip.Prefix) bool { return slices.Contains(b, p) })
}

// route writes a node's routes.
func (w *work) route(n *store.Node) error {
	offered, err := prefixes(n.Offered)
	if err != nil {
		return err
	}
	approved, err := prefixes(n.Approved)
	if err != nil {
		return err
	}
	return w.exec(routeNode, int64(n.ID), offered, approved, int64(n.Version))
}

// prefixes is how prefixes are stored.
func prefixes(list []netip.Prefix) (string, error) {
	if len(list) == 0 {
		return noRoutes, nil
	}
	b, err := json.Marshal(list)
	return string(b), err
}
