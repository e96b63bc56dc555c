package admin

import (
	"context"
	"strings"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/controller/store"
)

func (s *server) listGroups(ctx context.Context, t *tenant, in *admin.ListGroupsIn) (*admin.ListGroupsOut, error) {
	all, err := t.Groups(ctx, in.After, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return &admin.ListGroupsOut{Body: pageByName(all, in.Limit, func(g store.Group) string { return g.Name }, showGroup)}, nil
}

func (s *server) createGroup(ctx context.Context, t *tenant, in *admin.CreateGroupIn) (*admin.GroupOut, error) {
	g, err := t.CreateGroup(ctx, t.actor(), grouped(in.Body.Name))
	if err != nil {
		return nil, err
	}
	return &admin.GroupOut{Body: showGroup(g)}, nil
}

func (s *server) getGroup(ctx context.Context, t *tenant, in *admin.OneGroupIn) (*admin.GroupOut, error) {
	g, err := t.Group(ctx, grouped(in.Group))
	if err != nil {
		return nil, err
	}
	return &admin.GroupOut{Body: showGroup(g)}, nil
}

func (s *server) deleteGroup(ctx context.Context, t *tenant, in *admin.OneGroupIn) (*admin.Nothing, error) {
	return &admin.Nothing{}, t.DeleteGroup(ctx, t.actor(), grouped(in.Group))
}

func (s *server) listMembers(ctx context.Context, t *tenant, in *admin.ListMembersIn) (*admin.ListMembersOut, error) {
	all, err := t.Members(ctx, grouped(in.Group), in.After, in.Limit+1)
	if err != nil {
		return nil, err
	}
	same := func(login string) string { return login }
	return &admin.ListMembersOut{Body: pageByName(all, in.Limit, same, same)}, nil
}

func (s *server) changeMembers(ctx context.Context, t *tenant, in *admin.ChangeMembersIn) (*admin.GroupOut, error) {
	g, err := t.ChangeMembers(ctx, t.actor(), grouped(in.Group), in.Body.Add, in.Body.Remove)
	if err != nil {
		return nil, err
	}
	return &admin.GroupOut{Body: showGroup(g)}, nil
}

func showGroup(g store.Group) admin.Group {
	return admin.Group{Name: g.Name, Members: g.Members, Created: g.Created}
}

// grouped is a group's whole name.
func grouped(name string) string {
	return store.GroupPrefix + strings.TrimPrefix(name, store.GroupPrefix)
}
