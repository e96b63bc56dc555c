package ca

import (
	"context"
	"sync"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
)

// Memory is a Keeper without a disk, for tests and the simulation. The zero Memory is empty.
type Memory struct {
	mu   sync.Mutex
	kept map[ident.Tenant]store.Authority
}

// Authority implements Keeper.
func (m *Memory) Authority(_ context.Context, id ident.Tenant) (store.Authority, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, ok := m.kept[id]
	if !ok {
		return a, store.ErrNotFound
	}
	return a, nil
}

// SetAuthority implements Keeper.
func (m *Memory) SetAuthority(_ context.Context, a store.Authority) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.kept[a.Tenant]; ok {
		return store.ErrExists
	}
	if m.kept == nil {
		m.kept = make(map[ident.Tenant]store.Authority)
	}
	m.kept[a.Tenant] = a
	return nil
}

// Replace puts an authority in the place of the one that there is, which it returns.
func (m *Memory) Replace(a store.Authority) (old store.Authority) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old, m.kept[a.Tenant] = m.kept[a.Tenant], a
	return old
}
