package tui

import (
	"context"

	"github.com/cvlan/cvlan/api/admin"
)

// Controller is what the interface wants of a controller, for one tenant; NewController makes one of an admin key's client.
type Controller interface {
	Explain(ctx context.Context, network string, q admin.PolicyQuestion) (admin.PolicyAnswers, error)
	Nodes(ctx context.Context) ([]admin.Node, error)
	Approve(ctx context.Context, node string) error
	Suspend(ctx context.Context, node string) error
	Rename(ctx context.Context, node, name string) error
	Tag(ctx context.Context, node string, change admin.TagChange) (unknown []string, err error)
	Routes(ctx context.Context, node string, change admin.RouteChange) error
	Delete(ctx context.Context, node string) error
	// Certificates returns those of a node that have not ended, and the authorities that may have signed them.
	Certificates(ctx context.Context, node string) ([]admin.Certificate, []admin.Authority, error)
	Networks(ctx context.Context) ([]admin.Network, error)
	Keys(ctx context.Context) ([]admin.JoinKey, error)
	CreateKey(ctx context.Context, k admin.NewJoinKey) (admin.CreatedJoinKey, error)
	RevokeKey(ctx context.Context, key string) error
}

// maxItems bounds what is kept of a list.
const maxItems = 20000

type remote struct {
	client *admin.Client
	tenant admin.InTenant
}

// NewController returns the controller that a client reaches.
func NewController(c *admin.Client, tenant string) Controller {
	return &remote{c, admin.InTenant{Tenant: tenant}}
}

func (r *remote) Explain(ctx context.Context, network string, q admin.PolicyQuestion) (admin.PolicyAnswers, error) {
	out, err := admin.Call(ctx, r.client, admin.ExplainPolicy, admin.ExplainPolicyIn{OneNetworkIn: admin.OneNetworkIn{InTenant: r.tenant, Network: network}, Body: q})
	return out.Body, err
}

func (r *remote) Nodes(ctx context.Context) ([]admin.Node, error) {
	return all(func(p admin.Page) (admin.List[admin.Node], error) {
		out, err := admin.Call(ctx, r.client, admin.ListNodes, admin.ListNodesIn{InTenant: r.tenant, Page: p})
		return out.Body, err
	})
}

func (r *remote) node(name string) admin.OneNodeIn {
	return admin.OneNodeIn{InTenant: r.tenant, Node: name}
}

func (r *remote) Suspend(ctx context.Context, node string) error {
	_, err := admin.Call(ctx, r.client, admin.SuspendNode, admin.ChangeNodeIn{OneNodeIn: r.node(node)})
	return err
}

func (r *remote) Approve(ctx context.Context, node string) error {
	_, err := admin.Call(ctx, r.client, admin.ApproveNode, admin.ChangeNodeIn{OneNodeIn: r.node(node)})
	return err
}

func (r *remote) Rename(ctx context.Context, node, name string) error {
	_, err := admin.Call(ctx, r.client, admin.RenameNode, admin.RenameNodeIn{OneNodeIn: r.node(node), Body: admin.NodeName{Name: name}})
	return err
}

func (r *remote) Tag(ctx context.Context, node string, change admin.TagChange) ([]string, error) {
	out, err := admin.Call(ctx, r.client, admin.TagNode, admin.TagNodeIn{OneNodeIn: r.node(node), Body: change})
	return out.Body.Unknown, err
}

func (r *remote) Routes(ctx context.Context, node string, change admin.RouteChange) error {
	_, err := admin.Call(ctx, r.client, admin.ChangeRoutes, admin.ChangeRoutesIn{OneNodeIn: r.node(node), Body: change})
	return err
}

func (r *remote) Delete(ctx context.Context, node string) error {
	_, err := admin.Call(ctx, r.client, admin.DeleteNode, admin.ChangeNodeIn{OneNodeIn: r.node(node)})
	return err
}

func (r *remote) Certificates(ctx context.Context, node string) ([]admin.Certificate, []admin.Authority, error) {
	ca, err := admin.Call(ctx, r.client, admin.GetCA, r.tenant)
	if err != nil {
		return nil, nil, err
	}
	list, err := all(func(p admin.Page) (admin.List[admin.Certificate], error) {
		out, err := admin.Call(ctx, r.client, admin.ListCertificates, admin.ListCertificatesIn{InTenant: r.tenant, Page: p, Node: node})
		return out.Body, err
	})
	return list, ca.Body.Authorities, err
}

func (r *remote) Networks(ctx context.Context) ([]admin.Network, error) {
	return all(func(p admin.Page) (admin.List[admin.Network], error) {
		out, err := admin.Call(ctx, r.client, admin.ListNetworks, admin.ListNetworksIn{InTenant: r.tenant, Page: p})
		return out.Body, err
	})
}

func (r *remote) Keys(ctx context.Context) ([]admin.JoinKey, error) {
	return all(func(p admin.Page) (admin.List[admin.JoinKey], error) {
		out, err := admin.Call(ctx, r.client, admin.ListJoinKeys, admin.ListJoinKeysIn{InTenant: r.tenant, Page: p})
		return out.Body, err
	})
}

func (r *remote) CreateKey(ctx context.Context, k admin.NewJoinKey) (admin.CreatedJoinKey, error) {
	out, err := admin.Call(ctx, r.client, admin.CreateJoinKey, admin.CreateJoinKeyIn{InTenant: r.tenant, Body: k})
	return out.Body, err
}

func (r *remote) RevokeKey(ctx context.Context, key string) error {
	_, err := admin.Call(ctx, r.client, admin.RevokeJoinKey, admin.OneJoinKeyIn{InTenant: r.tenant, Key: key})
	return err
}

// all fetches every page of a list.
func all[T any](page func(admin.Page) (admin.List[T], error)) ([]T, error) {
	var out []T
	for item, err := range admin.All(func(cursor string) (admin.List[T], error) { return page(admin.Page{Limit: 1000, After: cursor}) }) {
		if err != nil {
			return nil, err
		}
		if out = append(out, item); len(out) == maxItems {
			break
		}
	}
	return out, nil
}
