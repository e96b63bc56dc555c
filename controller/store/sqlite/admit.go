package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
)

// Admit implements store.Handle.
func (h handle) Admit(ctx context.Context, a store.Admission) (n store.Node, err error) {
	err = h.write(ctx, func(w *work) (err error) {
		n, err = w.admit(a)
		return err
	})
	return n, err
}

// admit checks the key first, and its secret before anything else: who does not know it learns nothing.
func (w *work) admit(a store.Admission) (store.Node, error) {
	k, err := own(w, scanJoinKey, selectJoinKey, int64(a.Key))
	if errors.Is(err, store.ErrNotFound) || err == nil && !a.Secret.Matches(k.Hash[:]) {
		return store.Node{}, fmt.Errorf("join key %s: %w", a.Key, store.ErrKeyUnknown)
	}
	if err != nil {
		return store.Node{}, err
	}
	if id, err := w.known(k, a); err != nil || !id.IsZero() {
		if err != nil {
			return store.Node{}, err
		}
		return w.node(id, 0)
	}
	if err := w.single(k.Network, a.Nodes); err != nil {
		return store.Node{}, err
	}
	if err := k.Usable(w.now); err != nil {
		return store.Node{}, err
	}
	n := k.Newcomer(a, w.now)
	if err := w.settle(&n, a.Wish); err != nil {
		return n, err
	}
	return n, w.welcome(&n)
}

// known returns the node that this machine has become before with this key, or says who else has one of its keys.
func (w *work) known(k store.JoinKey, a store.Admission) (ident.Node, error) {
	twins, err := allOwn(w, scanTwin, selectTwins, a.Identity[:], a.WG[:])
	for _, t := range twins {
		switch {
		case t.identity == a.Identity && t.wg == a.WG && t.joinedBy == k.ID:
			return t.id, nil
		case t.identity == a.Identity:
			return 0, fmt.Errorf("identity key: %w: node %s (%q) has it", store.ErrExists, t.id, t.name)
		default:
			return 0, fmt.Errorf("WireGuard key: %w: node %s (%q) has it", store.ErrExists, t.id, t.name)
		}
	}
	if err != nil {
		return 0, err
	}
	return 0, w.unclaimed(a.WG)
}

// single refuses a machine that is a node of the network already. What it is elsewhere, or was once, does not matter.
func (w *work) single(network ident.Network, claims []ident.Node) error {
	for _, id := range claims[:min(len(claims), store.MaxClaims)] {
		r, err := own(w, scanNode, selectNode, int64(id))
		switch {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return err
		case r.Network == network:
			return &store.MemberError{Node: id}
		}
	}
	return nil
}

// settle gives a newcomer its id, its name, its addresses and its first record.
func (w *work) settle(n *store.Node, wish string) (err error) {
	if n.Address4, n.Address6, err = w.lease(n.Network); err != nil {
		return err
	}
	p, err := w.pool(n.Network)
	if err != nil {
		return err
	}
	n.Name, err = p.name(wish, func(name string) (bool, error) {
		return own(w, value[bool], nameIsTaken, int64(n.Network), name)
	})
	if err != nil {
		return err
	}
	n.ID = ident.New[ident.Node]()
	n.Revise()
	return nil
}

// welcome writes a newcomer down.
func (w *work) welcome(n *store.Node) (err error) {
	born, err := w.audit("node "+n.ID.String(), "node.join", n.ID, slog.String("name", n.Name), slog.String("network", n.Network.String()),
		slog.String("key", n.JoinedBy.String()), slog.Bool("pending", n.Pending), slog.Any("address4", nullable(n.Address4)), slog.Any("address6", nullable(n.Address6)))
	if err != nil {
		return err
	}
	if n.Version, err = w.version(); err != nil {
		return err
	}
	if err := w.insertNode(*n, born); err != nil {
		return err
	}
	told := *n
	w.tell(n.Version, store.Change{Node: &told})
	return w.exec(useJoinKey, int64(n.JoinedBy), micro(w.now))
}
