package admin

import (
	"net/netip"
	"testing"

	"github.com/cvlan/cvlan/api/admin"
)

func TestARouteFromItsOfferToItsEnd(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.network("office")
	gate := w.join("office", "gate", false)
	w.join("office", "pc", false)
	lan, exit, own := netip.MustParsePrefix("10.20.0.0/16"), netip.MustParsePrefix("0.0.0.0/0"), must(w.db.For(w.tenant.ID).Network(ctx, gate.Network))(t).Range4
	must(w.db.For(w.tenant.ID).OfferRoutes(ctx, gate.ID, []netip.Prefix{lan}))(t)
	change := func(c admin.RouteChange, match string) (admin.NodeOut, error) {
		return admin.Call(ctx, w.owner, admin.ChangeRoutes, admin.ChangeRoutesIn{OneNodeIn: admin.OneNodeIn{InTenant: in, Node: "gate"}, IfMatch: admin.IfMatch{IfMatch: match}, Body: c})
	}
	before := must(admin.Call(ctx, w.owner, admin.GetNode, admin.OneNodeIn{InTenant: in, Node: "gate"}))(t)
	if r := before.Body.Routes; len(r) != 1 || r[0] != (admin.NodeRoute{Prefix: lan, Offered: true}) {
		t.Errorf("offered: %+v", r)
	}
	out := must(change(admin.RouteChange{Approve: []netip.Prefix{lan, exit}}, before.ETag))(t)
	if r := out.Body.Routes; len(r) != 2 || r[0] != (admin.NodeRoute{Prefix: exit, Approved: true, ByAdmin: true}) || r[1] != (admin.NodeRoute{Prefix: lan, Offered: true, Approved: true, ByAdmin: true}) {
		t.Errorf("approved: %+v", r)
	}
	_, err := change(admin.RouteChange{Revoke: []netip.Prefix{lan}}, before.ETag)
	refused(t, err, admin.CodeChanged)
	_, err = change(admin.RouteChange{Approve: []netip.Prefix{own}}, "")
	refused(t, err, admin.CodeInvalid)
	_, err = change(admin.RouteChange{Approve: []netip.Prefix{lan}, Revoke: []netip.Prefix{lan}}, "")
	refused(t, err, admin.CodeInvalid)
	list := must(admin.Call(ctx, w.owner, admin.ListNodes, admin.ListNodesIn{InTenant: in, Page: admin.Page{Limit: 10}, Routes: true}))(t)
	if l := list.Body.Items; len(l) != 1 || l[0].Name != "gate" {
		t.Errorf("%+v", l)
	}
	out = must(change(admin.RouteChange{Revoke: []netip.Prefix{lan, exit}}, out.ETag))(t)
	if r := out.Body.Routes; len(r) != 2 || r[0] != (admin.NodeRoute{Prefix: exit, Revoked: true}) || r[1] != (admin.NodeRoute{Prefix: lan, Offered: true, Revoked: true}) {
		t.Errorf("revoked: %+v", r)
	}
	must(change(admin.RouteChange{Approve: []netip.Prefix{exit}}, ""))(t)
	must(w.db.For(w.tenant.ID).OfferRoutes(ctx, gate.ID, []netip.Prefix{lan, exit}))(t)
	must(w.db.For(w.tenant.ID).GrantRoutes(ctx, gate.ID, []netip.Prefix{lan, exit}))(t)
	out = must(admin.Call(ctx, w.owner, admin.GetNode, admin.OneNodeIn{InTenant: in, Node: "gate"}))(t)
	if r := out.Body.Routes; len(r) != 2 || r[0] != (admin.NodeRoute{Prefix: exit, Offered: true, Approved: true, ByAdmin: true, ByPolicy: true}) || r[1].Approved {
		t.Errorf("what the policy approves, too: %+v", r)
	}
	operator := w.client(w.tenant.ID, w.now.AddDate(1, 0, 0), string(admin.Operator))
	_, err = admin.Call(ctx, operator, admin.ChangeRoutes, admin.ChangeRoutesIn{OneNodeIn: admin.OneNodeIn{InTenant: in, Node: "gate"}, Body: admin.RouteChange{Approve: []netip.Prefix{lan}}})
	refused(t, err, admin.CodePermission)
}

func TestAnswersKnowAddressesBehindNodes(t *testing.T) {
	o := newOffice(t)
	must(o.set(`{"tagOwners": {"tag:web": []}, "acls": [{"src": ["group:ops"], "dst": ["10.20.0.0/16:443"]}, {"src": ["tag:web"], "dst": ["autogroup:internet:*"]}],
		"tests": [{"src": "bob@a.org", "accept": ["10.20.1.1:443"], "deny": ["10.20.1.1:22", "10.21.0.1:443"]}]}`, ""))(t)
	gate := o.joinAs("office", "gate", admin.NewJoinKey{Network: "office"})
	routes := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("10.20.0.0/16")}
	must(o.db.For(o.tenant.ID).OfferRoutes(t.Context(), gate.ID, routes))(t)
	must(o.db.For(o.tenant.ID).GrantRoutes(t.Context(), gate.ID, routes))(t)
	for _, c := range []struct {
		src, dst string
		allowed  bool
	}{{"desk", "10.20.1.1:443", true}, {"desk", "10.20.1.1:22", false}, {"laptop", "10.20.1.1:443", false}, {"web", "8.8.8.8:53/udp", true}, {"desk", "8.8.8.8:53/udp", false}, {"web", "10.20.1.1:443", false},
		{"desk", "gate:443", false}} {
		a, err := o.ask(c.src, c.dst)
		if err != nil || len(a.Answers) != 1 || a.Answers[0].Allowed != c.allowed {
			t.Errorf("%s to %s: %+v, %v", c.src, c.dst, a, err)
			continue
		}
		if c.dst != "gate:443" && (a.Answers[0].Dst.Name != "gate" || !a.Answers[0].Dst.Address.IsValid()) {
			t.Errorf("%s is behind %+v", c.dst, a.Answers[0].Dst)
		}
	}
	if err := o.db.For(o.tenant.ID).DeleteNode(t.Context(), "test", gate.ID, 0); err != nil {
		t.Fatal(err)
	}
	if a, err := o.ask("desk", "10.20.1.1:443"); err != nil || a.Answers[0].Dst.Name == "gate" {
		t.Errorf("%+v, %v", a, err)
	}
}
