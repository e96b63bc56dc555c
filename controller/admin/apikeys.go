package admin

import (
	"context"
	"errors"
	"strings"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/ticket"
)

func (s *server) listAPIKeys(ctx context.Context, t *tenant, in *admin.ListAPIKeysIn) (*admin.ListAPIKeysOut, error) {
	all, err := t.APIKeys(ctx)
	if err != nil {
		return nil, err
	}
	l, err := page(t.route, all, in.Page, func(k store.APIKey) mark { return mark{uint64(k.ID), k.Created} }, s.showAPIKey)
	return &admin.ListAPIKeysOut{Body: l}, err
}

func (s *server) createAPIKey(ctx context.Context, t *tenant, in *admin.CreateAPIKeyIn) (*admin.CreateAPIKeyOut, error) {
	if err := t.grantable(in.Body.Scopes); err != nil {
		return nil, err
	}
	user, err := t.actsFor(ctx, in.Body.User)
	if err != nil {
		return nil, err
	}
	secret := key.NewSecret()
	now := s.Now()
	k, err := t.CreateAPIKey(ctx, t.actor(), store.APIKey{
		ID: ident.New[ident.APIKey](), Tenant: t.ID, Name: in.Body.Name, Hash: secret.Hash(), Scopes: in.Body.Scopes, User: user,
		Expires: expiry(now, or(in.Body.TTLSeconds, 0)), Created: now,
	})
	if err != nil {
		return nil, err
	}
	whole, err := ticket.Ticket{Kind: ticket.Admin, Addrs: s.AdminAddrs, Pin: s.Pin, ID: uint64(k.ID), Secret: secret}.Encode()
	if err != nil {
		return nil, err
	}
	return &admin.CreateAPIKeyOut{Body: admin.CreatedAPIKey{APIKey: s.showAPIKey(k), Token: admin.Token{ID: k.ID, Secret: secret}.Encode(), Ticket: whole}}, nil
}

// actsFor returns for whom a new key acts. One that acts for a user makes keys for the same user only.
func (t *tenant) actsFor(ctx context.Context, login string) (string, error) {
	if login == "" {
		return t.who.key.User, nil
	}
	u, err := t.person(ctx, login)
	if err == nil && t.who.key.User != "" && t.who.key.User != u.Login {
		err = admin.CodePermission.Problem(title(t.route), "this key acts for "+t.who.key.User+", and may not make one that acts for "+u.Login, "use a key that acts for nobody")
	}
	return u.Login, err
}

// person finds a user, and says where to look if there is none.
func (t *tenant) person(ctx context.Context, login string) (store.User, error) {
	u, err := t.User(ctx, login)
	if errors.Is(err, store.ErrNotFound) {
		err = admin.CodeNotFound.Problem(title(t.route), err.Error(), "see which users there are: cvlan admin user list, or make one: cvlan admin user create LOGIN")
	}
	return u, err
}

// grantable refuses scopes that are none, that stand above tenants, or that the caller has not itself.
func (t *tenant) grantable(names []string) error {
	scopes, err := admin.Expand(names)
	if err != nil {
		return invalid(t.route, err.Error(), "")
	}
	var over []string
	for _, s := range scopes {
		if s.AboveTenants() {
			return invalid(t.route, "a tenant's key cannot have the scope "+string(s), "choose among "+strings.Join(admin.RoleNames()[:4], ", "))
		}
		if !t.who.may(s) {
			over = append(over, string(s))
		}
	}
	if over != nil {
		return admin.CodePermission.Problem(title(t.route), "this key has not itself "+strings.Join(over, ", "), "a key may do no more than the key that makes it")
	}
	return nil
}

func (s *server) revokeAPIKey(ctx context.Context, t *tenant, in *admin.OneAPIKeyIn) (*admin.Nothing, error) {
	var id ident.APIKey
	if err := id.UnmarshalText([]byte(in.Key)); err != nil {
		return nil, invalid(t.route, err.Error(), "see which there are: "+lister("API keys"))
	}
	return &admin.Nothing{}, t.RevokeAPIKey(ctx, t.actor(), id)
}

func (s *server) showAPIKey(k store.APIKey) admin.APIKey {
	return admin.APIKey{ID: k.ID, Name: k.Name, State: s.state(k.Revoked, k.Expires), Scopes: list(k.Scopes), User: k.User, Expires: k.Expires, Created: k.Created}
}
