package admin

import (
	"cmp"
	"context"
	"strings"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/controller/store"
)

func (s *server) listUsers(ctx context.Context, t *tenant, in *admin.ListUsersIn) (*admin.ListUsersOut, error) {
	all, err := t.Users(ctx, in.After, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return &admin.ListUsersOut{Body: pageByName(all, in.Limit, func(u store.User) string { return u.Login }, showUser)}, nil
}

func (s *server) createUser(ctx context.Context, t *tenant, in *admin.CreateUserIn) (*admin.UserOut, error) {
	role, err := store.ParseRole(string(cmp.Or(in.Body.Role, admin.UserMember)))
	if err != nil {
		return nil, err
	}
	u, err := t.CreateUser(ctx, t.actor(), store.User{Login: in.Body.Login, Role: role, Groups: prefixed(store.GroupPrefix, in.Body.Groups)})
	if err != nil {
		return nil, err
	}
	return userOut(u), nil
}

func (s *server) getUser(ctx context.Context, t *tenant, in *admin.OneUserIn) (*admin.UserOut, error) {
	u, err := t.User(ctx, in.User)
	if err != nil {
		return nil, err
	}
	return userOut(u), nil
}

func (s *server) changeUser(ctx context.Context, t *tenant, in *admin.ChangeUserIn) (*admin.UserOut, error) {
	v, err := condition(t.route, in.IfMatch.IfMatch)
	if err != nil {
		return nil, err
	}
	return again(v, func() (*admin.UserOut, error) {
		u, err := t.User(ctx, in.User)
		if err != nil {
			return nil, err
		}
		if in.Body.Role != "" {
			if u.Role, err = store.ParseRole(string(in.Body.Role)); err != nil {
				return nil, err
			}
		}
		if in.Body.Groups != nil {
			u.Groups = prefixed(store.GroupPrefix, *in.Body.Groups)
		}
		if u, err = t.PutUser(ctx, t.actor(), u, or(given(v), u.Version)); err != nil {
			return nil, err
		}
		return userOut(u), nil
	})
}

func (s *server) deleteUser(ctx context.Context, t *tenant, in *admin.DeleteUserIn) (*admin.DeleteUserOut, error) {
	v, err := condition(t.route, in.IfMatch.IfMatch)
	if err != nil {
		return nil, err
	}
	l, err := t.DeleteUser(ctx, t.actor(), in.User, in.Force, v)
	if err != nil {
		return nil, err
	}
	return &admin.DeleteUserOut{Body: admin.Gone{Nodes: l.Nodes, Orphans: l.Orphans, Keys: l.Keys}}, nil
}

func userOut(u store.User) *admin.UserOut {
	return &admin.UserOut{ETag: etag(u.Version), Body: showUser(u)}
}

func showUser(u store.User) admin.User {
	return admin.User{Login: u.Login, Role: admin.UserRole(u.Role.String()), Groups: list(u.Groups), Created: u.Created, Version: u.Version}
}

// prefixed returns names with the prefix of their noun, which people may leave out.
func prefixed(prefix string, names []string) []string {
	var all []string
	for _, n := range names {
		if !strings.HasPrefix(n, prefix) {
			n = prefix + n
		}
		all = append(all, n)
	}
	return all
}
