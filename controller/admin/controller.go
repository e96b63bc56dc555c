package admin

import (
	"context"
	"encoding/hex"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/controller/ca"
	"github.com/cvlan/cvlan/internal/base/version"
)

func (s *server) health(context.Context, *admin.Nothing) (*admin.HealthOut, error) {
	out := &admin.HealthOut{Body: admin.Health{Status: "ok"}}
	if s.Store.Writable() != nil {
		out.Body.Status = "degraded"
	}
	for _, e := range s.Ends() {
		switch u := e.Urgency(s.Now()); {
		case u == ca.Over:
			out.Body.Authorities = "ended"
			return out, nil
		case u >= ca.Near:
			out.Body.Authorities = "ending"
		}
	}
	return out, nil
}

func (s *server) controller(context.Context, *principal, *admin.Nothing) (*admin.ControllerOut, error) {
	m := s.Store.Meta()
	out := &admin.ControllerOut{Body: admin.Controller{
		ID: m.Controller, TrustDomain: m.TrustDomain, Software: version.Get(), Addresses: s.Addrs,
		Pin: hex.EncodeToString(s.Pin[:]), Created: m.Created, Started: s.Started,
	}}
	if err := s.Store.Writable(); err != nil {
		out.Body.Problem = err.Error()
	}
	for _, e := range s.Ends() {
		if w := e.Warning(s.Now()); w != "" {
			out.Body.Warnings = append(out.Body.Warnings, w)
		}
	}
	return out, nil
}

func (s *server) whoami(ctx context.Context, p *principal, _ *admin.Nothing) (*admin.WhoamiOut, error) {
	k := p.key
	out := &admin.WhoamiOut{Body: admin.Whoami{ID: k.ID, Name: k.Name, Tenant: k.Tenant, Scopes: k.Scopes, User: k.User, Expires: k.Expires}}
	if !k.Tenant.IsZero() {
		t, err := s.Store.For(k.Tenant).Tenant(ctx)
		if err != nil {
			return nil, err
		}
		out.Body.TenantName = t.Name
	}
	return out, nil
}
