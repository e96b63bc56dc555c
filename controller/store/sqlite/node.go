package sqlite

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/proto/control"
)

// Nodes implements store.Handle.
func (h handle) Nodes(ctx context.Context, network ident.Network) ([]store.Node, error) {
	if network.IsZero() {
		all, err := readAll(ctx, h, scanNode, selectNodes)
		return ordered(all, byBirth), err
	}
	all, err := readAll(ctx, h, scanNode, selectNodesOf, int64(network))
	return ordered(all, byBirth), err
}

// EphemeralNodes implements store.Handle.
func (h handle) EphemeralNodes(ctx context.Context) ([]store.Node, error) {
	all, err := readAll(ctx, h, scanNode, selectEphemeralNodes)
	return ordered(all, byBirth), err
}

// OwnedNodes implements store.Handle.
func (h handle) OwnedNodes(ctx context.Context, user string) ([]store.Node, error) {
	all, err := readAll(ctx, h, scanNode, selectNodesOwned, user)
	return ordered(all, byBirth), err
}

// NodesNamed implements store.Handle.
func (h handle) NodesNamed(ctx context.Context, network ident.Network, name string) ([]store.Node, error) {
	if network.IsZero() {
		all, err := readAll(ctx, h, scanNode, selectNodesNamed, name)
		return ordered(all, byBirth), err
	}
	all, err := readAll(ctx, h, scanNode, selectNodeNamed, name, int64(network))
	return ordered(all, byBirth), err
}

// Node implements store.Handle.
func (h handle) Node(ctx context.Context, id ident.Node) (store.Node, error) {
	r, err := read(ctx, h, scanNode, selectNode, int64(id))
	return r.Node, missing(err, "node", id)
}

// byVersion and byBirth are orders of nodes. Sorting here costs less than an index that every admission has to write.
func byVersion(a, b nodeRow) int { return cmp.Compare(a.Version, b.Version) }
func byBirth(a, b nodeRow) int   { return cmp.Compare(a.born, b.born) }

func ordered(rows []nodeRow, by func(a, b nodeRow) int) []store.Node {
	slices.SortFunc(rows, by)
	nodes := make([]store.Node, len(rows))
	for i := range rows {
		nodes[i] = rows[i].Node
	}
	return nodes
}

// ApproveNode implements store.Handle. Approving twice is harmless.
func (h handle) ApproveNode(ctx context.Context, actor string, id ident.Node, ifVersion uint64) (store.Node, error) {
	return h.letWait(ctx, actor, "node.approve", id, ifVersion, false)
}

// SuspendNode implements store.Handle. Suspending twice is harmless.
func (h handle) SuspendNode(ctx context.Context, actor string, id ident.Node, ifVersion uint64) (store.Node, error) {
	return h.letWait(ctx, actor, "node.suspend", id, ifVersion, true)
}

// letWait lets a node wait for approval, or no longer.
func (h handle) letWait(ctx context.Context, actor, action string, id ident.Node, ifVersion uint64, pending bool) (store.Node, error) {
	return h.change(ctx, id, ifVersion, func(w *work, n *store.Node) error {
		if n.Pending == pending {
			return errUnchanged
		}
		n.Pending = pending
		if _, err := w.audit(actor, action, id, slog.String("name", n.Name)); err != nil {
			return err
		}
		return w.exec(letNodeWait, int64(id), pending, int64(n.Version))
	})
}

// RenameNode implements store.Handle.
func (h handle) RenameNode(ctx context.Context, actor string, id ident.Node, name string, ifVersion uint64) (store.Node, error) {
	if err := store.CheckName("node", name); err != nil {
		return store.Node{}, err
	}
	return h.change(ctx, id, ifVersion, func(w *work, n *store.Node) error {
		if n.Name == name {
			return errUnchanged
		}
		if taken, err := own(w, value[bool], nameIsTaken, int64(n.Network), name); err != nil {
			return err
		} else if taken {
			return fmt.Errorf("node name %q: %w in its network; choose another", name, store.ErrExists)
		}
		if _, err := w.audit(actor, "node.rename", id, slog.String("from", n.Name), slog.String("to", name)); err != nil {
			return err
		}
		n.Name = name
		n.Revise()
		return w.exec(renameNode, int64(id), name, n.Record, n.Signed, int64(n.Revision), int64(n.Version))
	})
}

// SetNodeTags implements store.Handle. Tags stand in the record, which the node signs anew.
func (h handle) SetNodeTags(ctx context.Context, actor string, id ident.Node, tags []string, ifVersion uint64) (store.Node, error) {
	tags = slices.Sorted(slices.Values(tags))
	if err := store.CheckTags(tags); err != nil {
		return store.Node{}, err
	}
	return h.change(ctx, id, ifVersion, func(w *work, n *store.Node) error {
		if slices.Equal(slices.Sorted(slices.Values(n.Tags)), tags) {
			return errUnchanged
		}
		if _, err := w.audit(actor, "node.tag", id, slog.String("name", n.Name), slog.Any("from", n.Tags), slog.Any("to", tags)); err != nil {
			return err
		}
		n.Tags = tags
		n.Revise()
		text, err := json.Marshal(tags)
		if err != nil {
			return err
		}
		return w.exec(tagNode, int64(id), string(text), n.Record, n.Signed, int64(n.Revision), int64(n.Version))
	})
}

// ReportNode implements store.Handle. What is no news is found by reading, without the writer.
func (h handle) ReportNode(ctx context.Context, id ident.Node, r store.Report) (store.Node, error) {
	r = r.Tidy()
	attrs := r.Attrs()
	if n, err := h.Node(ctx, id); err != nil || maps.Equal(n.Attrs, attrs) {
		return n, err
	}
	text, err := json.Marshal(attrs)
	if err != nil {
		return store.Node{}, err
	}
	return h.change(ctx, id, 0, func(w *work, n *store.Node) error {
		if maps.Equal(n.Attrs, attrs) {
			return errUnchanged
		}
		n.Attrs, n.OS, n.Software = attrs, r.OS, r.Software
		if _, err := w.audit("node "+id.String(), "node.report", id, slog.String("os", n.OS), slog.String("os_version", r.OSVersion), slog.String("arch", r.Arch), slog.String("software", n.Software)); err != nil {
			return err
		}
		return w.exec(reportNode, int64(id), n.OS, n.Software, string(text), int64(n.Version))
	})
}

// SignNode implements store.Handle. That the signature is the node's is for the caller to know.
func (h handle) SignNode(ctx context.Context, id ident.Node, record, signature []byte) (store.Node, error) {
	if len(signature) != key.SignatureSize {
		return store.Node{}, fmt.Errorf("node %s: %w: a signature of %d bytes", id, store.ErrInvalid, len(signature))
	}
	return h.change(ctx, id, 0, func(w *work, n *store.Node) error {
		switch {
		case !control.Restates(record, n.Record):
			return fmt.Errorf("node %s: %w: its record is at revision %d", id, store.ErrConflict, n.Revision)
		case n.Signature != nil && n.Signed == nil && bytes.Equal(n.Record, record):
			return errUnchanged
		}
		n.Record, n.Signature, n.Signed = bytes.Clone(record), bytes.Clone(signature), nil
		if _, err := w.audit("node "+id.String(), "node.sign", id, slog.Uint64("revision", n.Revision)); err != nil {
			return err
		}
		return w.exec(signNode, int64(id), signature, int64(n.Version), n.Record)
	})
}

// errUnchanged ends a change that finds everything as it should be.
var errUnchanged = errors.New("unchanged")

// change reads a node, lets f change it at its new version, and tells. f also writes.
func (h handle) change(ctx context.Context, id ident.Node, ifVersion uint64, f func(*work, *store.Node) error) (n store.Node, err error) {
	err = h.write(ctx, func(w *work) error {
		if n, err = w.node(id, ifVersion); err != nil {
			return err
		}
		next := n
		if next.Version, err = w.version(); err != nil {
			return err
		}
		if err := f(w, &next); err != nil {
			return err
		}
		n = next
		w.tell(n.Version, store.Change{Node: &next})
		return nil
	})
	if errors.Is(err, errUnchanged) {
		err = nil
	}
	return n, err
}

// node reads one to be changed.
func (w *work) node(id ident.Node, ifVersion uint64) (store.Node, error) {
	r, err := own(w, scanNode, selectNode, int64(id))
	if err != nil {
		return r.Node, missing(err, "node", id)
	}
	return r.Node, store.Current("node", id, ifVersion, r.Version)
}

// DeleteNode implements store.Handle.
func (h handle) DeleteNode(ctx context.Context, actor string, id ident.Node, ifVersion uint64) error {
	return h.write(ctx, func(w *work) error {
		n, err := w.node(id, ifVersion)
		if err != nil {
			return err
		}
		return w.deleteNode(actor, n)
	})
}

func (w *work) deleteNode(actor string, n store.Node) error {
	devices, err := allOwn(w, scanPlain, selectPlainsWith, int64(n.Network), n.ID.String())
	if err != nil {
		return err
	}
	detail := []slog.Attr{slog.String("name", n.Name), slog.String("network", n.Network.String())}
	if len(devices) > 0 {
		detail = append(detail, slog.Int("peers", len(devices)))
	}
	if _, err := w.audit(actor, "node.delete", n.ID, detail...); err != nil {
		return err
	}
	if err := w.exec(deleteNode, int64(n.ID)); err != nil {
		return err
	}
	if err := w.outlaw(n); err != nil {
		return err
	}
	w.giveBack(n.Network, n.Address4, n.Address6)
	if n.Version, err = w.version(); err != nil {
		return err
	}
	w.tell(n.Version, store.Change{Removed: &n})
	if err := w.bury(store.Tombstone{Node: n.ID, Network: n.Network, Version: n.Version}); err != nil {
		return err
	}
	return w.leave(n, devices)
}

// tidyAfter is how much longer than they must tombstones may stay: forgetting them a day at a time is cheap.
const tidyAfter = 24 * time.Hour

// bury leaves a tombstone, and forgets those that are old or too many.
func (w *work) bury(t store.Tombstone) error {
	h, err := w.headOf(w.tenant)
	if err != nil {
		return err
	}
	if err := w.exec(insertTomb, int64(t.Version), int64(t.Node), int64(t.Network), micro(w.now), int64(t.Plain), roster(t.Nodes)); err != nil {
		return err
	}
	h.tombs++
	if h.tombs > store.MaxTombstones {
		return w.forgetTombs(h, nthTomb, store.MaxTombstones/10-1)
	}
	oldest, err := own(w, value[int64], oldestTomb)
	if err != nil || !instant(oldest).Before(w.now.Add(-store.TombstoneLife-tidyAfter)) {
		return err
	}
	return w.forgetTombs(h, staleTombs, micro(w.now.Add(-store.TombstoneLife)))
}

// forgetTombs removes tombstones up to the version that a statement finds.
func (w *work) forgetTombs(h *head, s statement, arg any) error {
	floor, err := own(w, value[uint64], s, arg)
	if err != nil {
		return err
	}
	n, err := w.conn.exec(deleteTombs, int64(w.tenant), int64(floor))
	h.tombs -= uint64(n)
	h.floor = max(h.floor, floor)
	return err
}

// seenChunk is how many nodes one mutation of Seen notes, so that others are not kept waiting.
const seenChunk = 500

// Seen implements store.Handle. It is no change that anybody decided: no event, and nodes that are gone are ignored.
func (h handle) Seen(ctx context.Context, at map[ident.Node]time.Time) error {
	ids := make([]ident.Node, 0, len(at))
	for id := range at {
		ids = append(ids, id)
	}
	for chunk := range slices.Chunk(ids, seenChunk) {
		err := h.write(ctx, func(w *work) error {
			for _, id := range chunk {
				if err := w.exec(nodeWasSeen, int64(id), micro(at[id])); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
