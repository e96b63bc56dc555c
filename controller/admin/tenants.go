package admin

import (
	"context"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/controller/store"
)

func (s *server) listTenants(ctx context.Context, _ *principal, in *admin.Page) (*admin.ListTenantsOut, error) {
	all, err := s.Store.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	l, err := page(admin.ListTenants.Route, all, *in, func(t store.Tenant) mark { return mark{uint64(t.ID), t.Created} }, showTenant)
	return &admin.ListTenantsOut{Body: l}, err
}

func (s *server) createTenant(ctx context.Context, p *principal, in *admin.CreateTenantIn) (*admin.TenantOut, error) {
	t, err := s.NewTenant(ctx, p.actor(), in.Body.Name)
	if err != nil {
		return nil, err
	}
	return &admin.TenantOut{Body: showTenant(t)}, nil
}

func showTenant(t store.Tenant) admin.Tenant {
	return admin.Tenant{ID: t.ID, Name: t.Name, Created: t.Created}
}
