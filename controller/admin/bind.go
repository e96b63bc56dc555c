package admin

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
)

// describe returns the document's frame.
func describe() huma.Config {
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{Title: "CloudVLAN admin API", Version: "1",
				Description: "What a person can do with a controller, a script can do here.",
				License:     &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}},
			Components: &huma.Components{
				Schemas: registry,
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"key": {Type: "http", Scheme: "bearer", BearerFormat: "cvk_<id>_<secret>", Description: "An API key"}},
			},
		},
		OpenAPIPath:                  "/openapi",
		Formats:                      huma.DefaultFormats,
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{transform},
	}
}

// bodyTime is how long a request's body may take: the longest policy, over a line of little more than a megabit a second.
const bodyTime = time.Minute

// operation describes a route to the framework.
func (s *server) operation(r admin.Route) huma.Operation {
	problem := &huma.Response{Description: "Problem", Content: map[string]*huma.MediaType{
		admin.ProblemType: {Schema: s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[admin.Problem](), true, "Problem")},
	}}
	op := huma.Operation{
		OperationID: r.ID, Method: r.Method, Path: r.Path, Summary: r.Summary, Description: r.Detail, Tags: []string{r.Tag},
		MaxBodyBytes: r.BodyLimit(), BodyReadTimeout: bodyTime,
		Responses: map[string]*huma.Response{"default": problem},
	}
	if r.Method == http.MethodPost && strings.HasPrefix(r.ID, "create") {
		op.DefaultStatus = http.StatusCreated
	}
	if r.Scope != "" {
		op.Security = []map[string][]string{{"key": {string(r.Scope)}}}
	}
	return op
}

// public binds an operation that everybody may do.
func public[In, Out any](s *server, op admin.Op[In, Out], do func(context.Context, *In) (*Out, error)) {
	huma.Register(s.api, s.operation(op.Route), do)
}

// known binds an operation above tenants.
func known[In, Out any](s *server, op admin.Op[In, Out], do func(context.Context, *principal, *In) (*Out, error)) {
	huma.Register(s.api, s.operation(op.Route), func(ctx context.Context, in *In) (*Out, error) {
		p, err := authorize(ctx, op.Route)
		if err != nil {
			return nil, err
		}
		out, err := do(ctx, p, in)
		if err != nil {
			return nil, s.fail(op.Route, err, false)
		}
		return out, nil
	})
}

// tenant is what an operation within a tenant works on.
type tenant struct {
	store.Tenant
	store.Handle
	who   *principal
	route admin.Route
}

func (t *tenant) actor() string { return t.who.actor() }

// within binds an operation on what a tenant owns.
func within[In interface{ TenantName() string }, Out any](s *server, op admin.Op[In, Out], do func(context.Context, *tenant, *In) (*Out, error)) {
	huma.Register(s.api, s.operation(op.Route), func(ctx context.Context, in *In) (*Out, error) {
		p, err := authorize(ctx, op.Route)
		if err != nil {
			return nil, err
		}
		t, err := s.tenant(ctx, p, op.Route, (*in).TenantName())
		if err != nil {
			return nil, s.fail(admin.Route{ID: op.ID, Summary: op.Summary, Tag: "Tenants"}, err, false)
		}
		out, err := do(ctx, t, in)
		if err != nil {
			c, ok := any(*in).(interface{ Conditional() bool })
			return nil, s.fail(op.Route, err, ok && c.Conditional())
		}
		return out, nil
	})
}

// tenant finds a tenant by name or identifier. To a key of another tenant there is none.
func (s *server) tenant(ctx context.Context, p *principal, r admin.Route, name string) (*tenant, error) {
	found, err := s.Store.TenantByName(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		var id ident.Tenant
		if id.UnmarshalText([]byte(name)) == nil {
			found, err = s.Store.For(id).Tenant(ctx)
		}
	}
	if err == nil && !p.key.Tenant.IsZero() && p.key.Tenant != found.ID {
		err = store.ErrNotFound
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil, admin.CodeNotFound.Problem(title(r), "no tenant "+strconv.Quote(name)+" that this key opens", "see which one it opens: cvlan admin whoami")
	}
	if err != nil {
		return nil, err
	}
	return &tenant{found, s.Store.For(found.ID), p, r}, nil
}

// etag writes a version as an entity tag; condition reads it.
func etag(version uint64) string { return `"` + strconv.FormatUint(version, 10) + `"` }

// condition reads an If-Match: 0, which means whatever there is, if absent or "*".
func condition(r admin.Route, ifMatch string) (uint64, error) {
	if ifMatch == "" || ifMatch == "*" {
		return 0, nil
	}
	v, err := strconv.ParseUint(strings.Trim(ifMatch, `"`), 10, 64)
	if err != nil || v == 0 {
		return 0, admin.CodeChanged.Problem(title(r), "If-Match names no version that there ever was", "read it again, and decide again")
	}
	return v, nil
}
