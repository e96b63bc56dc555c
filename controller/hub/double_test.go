package hub

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// desk is a Renewer that signs everything.
type desk struct {
	asked  atomic.Int32
	tenant ident.Tenant
	node   ident.Node
}

// Renew implements Renewer.
func (d *desk) Renew(_ context.Context, t ident.Tenant, n ident.Node, csr []byte) *pb.Frame {
	d.tenant, d.node = t, n
	d.asked.Add(1)
	return &pb.Frame{Body: &pb.Frame_Renewed{Renewed: &pb.Renewed{Chain: [][]byte{append([]byte("signed "), csr...)}}}}
}

// faulty is a store of which some parts fail, as long as a story wants.
type faulty struct {
	store.Store
	mu                                          sync.Mutex
	listing, loading, seeing, signing, deleting error

	loaded chan struct{} // told when a load has read; may be nil
	after  chan struct{} // a load returns when it is closed; may be nil
}

func (f *faulty) set(what *error, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	*what = err
}

func (f *faulty) get(what *error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return *what
}

// Tenants implements store.Store.
func (f *faulty) Tenants(ctx context.Context) ([]store.Tenant, error) {
	if err := f.get(&f.listing); err != nil {
		return nil, err
	}
	return f.Store.Tenants(ctx)
}

// Writable implements store.Store.
func (f *faulty) Writable() error { return f.get(&f.deleting) }

// For implements store.Store.
func (f *faulty) For(id ident.Tenant) store.Handle { return &faultyHandle{f.Store.For(id), f} }

type faultyHandle struct {
	store.Handle
	f *faulty
}

// Load implements store.Handle.
func (h *faultyHandle) Load(ctx context.Context) (store.Load, error) {
	if err := h.f.get(&h.f.loading); err != nil {
		return store.Load{}, err
	}
	l, err := h.Handle.Load(ctx)
	if h.f.loaded != nil {
		h.f.loaded <- struct{}{}
	}
	if h.f.after != nil {
		<-h.f.after
	}
	return l, err
}

// Seen implements store.Handle.
func (h *faultyHandle) Seen(ctx context.Context, at map[ident.Node]time.Time) error {
	if err := h.f.get(&h.f.seeing); err != nil {
		return err
	}
	return h.Handle.Seen(ctx, at)
}

// SignNode implements store.Handle.
func (h *faultyHandle) SignNode(ctx context.Context, id ident.Node, record, signature []byte) (store.Node, error) {
	if err := h.f.get(&h.f.signing); err != nil {
		return store.Node{}, err
	}
	return h.Handle.SignNode(ctx, id, record, signature)
}

// DeleteNode implements store.Handle.
func (h *faultyHandle) DeleteNode(ctx context.Context, actor string, id ident.Node, ifVersion uint64) error {
	if err := h.f.get(&h.f.deleting); err != nil {
		return err
	}
	return h.Handle.DeleteNode(ctx, actor, id, ifVersion)
}
