package admin

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/ticket"
	"github.com/cvlan/cvlan/internal/base/trust"
)

func TestANetworkFromItsMakingToItsEnd(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	n := must(admin.Call(ctx, w.owner, admin.CreateNetwork, admin.CreateNetworkIn{InTenant: in, Body: admin.NewNetwork{Name: "office"}}))(t)
	if n.Body.Access != admin.Open || n.Body.Policy != 1 || !n.Body.Range4.IsValid() || !n.Body.Range6.IsValid() || n.ETag == "" {
		t.Fatalf("a new network: %+v", n)
	}
	_, err := admin.Call(ctx, w.owner, admin.CreateNetwork, admin.CreateNetworkIn{InTenant: in, Body: admin.NewNetwork{Name: "office"}})
	refused(t, err, admin.CodeExists)
	_, err = admin.Call(ctx, w.owner, admin.CreateNetwork, admin.CreateNetworkIn{InTenant: in, Body: admin.NewNetwork{Name: "other", Range4: n.Body.Range4}})
	if p := refused(t, err, admin.CodeExists); !strings.Contains(p.Detail, "office") {
		t.Errorf("an overlap does not name the other network: %v", p)
	}
	_, err = admin.Call(ctx, w.owner, admin.CreateNetwork, admin.CreateNetworkIn{InTenant: in, Body: admin.NewNetwork{Name: "The Office"}})
	if p := refused(t, err, admin.CodeInvalid); !strings.Contains(p.Detail, "the-office") {
		t.Errorf("a bad name has no better one: %v", p)
	}

	one := admin.OneNetworkIn{InTenant: in, Network: n.Body.ID.String()}
	closed := must(admin.Call(ctx, w.owner, admin.SetAccess, admin.SetAccessIn{OneNetworkIn: one, IfMatch: admin.IfMatch{IfMatch: n.ETag}, Body: admin.NewAccess{Access: admin.Closed}}))(t)
	if closed.Body.Access != admin.Closed || closed.Body.Policy != 2 || closed.ETag == n.ETag {
		t.Fatalf("closed: %+v", closed)
	}
	_, err = admin.Call(ctx, w.owner, admin.SetAccess, admin.SetAccessIn{OneNetworkIn: one, IfMatch: admin.IfMatch{IfMatch: n.ETag}, Body: admin.NewAccess{Access: admin.Closed}})
	if p := refused(t, err, admin.CodeChanged); p.Status != http.StatusPreconditionFailed {
		t.Errorf("status %d", p.Status)
	}

	spoken := must(admin.Call(ctx, w.owner, admin.ChangeNetwork, admin.ChangeNetworkIn{OneNetworkIn: one, IfMatch: admin.IfMatch{IfMatch: closed.ETag}, Body: admin.NetworkChange{Protocol: admin.IPsecProtocol}}))(t)
	if closed.Body.Protocol != admin.AnyProtocol || spoken.Body.Protocol != admin.IPsecProtocol || spoken.ETag == closed.ETag {
		t.Errorf("its protocol was %s, is %+v", closed.Body.Protocol, spoken)
	}
	_, err = admin.Call(ctx, w.owner, admin.ChangeNetwork, admin.ChangeNetworkIn{OneNetworkIn: one, IfMatch: admin.IfMatch{IfMatch: closed.ETag}, Body: admin.NetworkChange{Protocol: admin.AnyProtocol}})
	refused(t, err, admin.CodeChanged)
	_, err = admin.Call(ctx, w.owner, admin.ChangeNetwork, admin.ChangeNetworkIn{OneNetworkIn: one, Body: admin.NetworkChange{Protocol: "smoke signals"}})
	refused(t, err, admin.CodeInvalid)

	node := w.join("office", "web", false)
	_, err = admin.Call(ctx, w.owner, admin.DeleteNetwork, admin.DeleteNetworkIn{OneNetworkIn: one})
	refused(t, err, admin.CodeConflict)
	must(admin.Call(ctx, w.owner, admin.DeleteNode, admin.ChangeNodeIn{OneNodeIn: admin.OneNodeIn{InTenant: in, Node: node.ID.String()}}))(t)
	must(admin.Call(ctx, w.owner, admin.DeleteNetwork, admin.DeleteNetworkIn{OneNetworkIn: one}))(t)
	_, err = admin.Call(ctx, w.owner, admin.GetNetwork, one)
	refused(t, err, admin.CodeNotFound)
}

func TestANodeIsNamedInThreeWays(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	for _, name := range []string{"office", "plant"} {
		must(admin.Call(ctx, w.owner, admin.CreateNetwork, admin.CreateNetworkIn{InTenant: in, Body: admin.NewNetwork{Name: name}}))(t)
	}
	a, b := w.join("office", "web", true), w.join("plant", "web", false)
	w.online[b.ID] = Presence{Online: true, LastSeen: w.now, Endpoints: make([]netip.AddrPort, 3)}

	_, err := admin.Call(ctx, w.owner, admin.GetNode, admin.OneNodeIn{InTenant: in, Node: "web"})
	if p := refused(t, err, admin.CodeAmbiguous); !strings.Contains(p.Hint, "web.office") || !strings.Contains(p.Hint, "web.plant") {
		t.Errorf("the hint does not list both: %v", p)
	}
	for _, name := range []string{"web.plant", b.ID.String()} {
		n := must(admin.Call(ctx, w.owner, admin.GetNode, admin.OneNodeIn{InTenant: in, Node: name}))(t)
		if n.Body.ID != b.ID || !n.Body.Online || n.Body.Endpoints != 3 || n.Body.NetworkName != "plant" || n.Body.Key != b.WG.String() {
			t.Errorf("%s is %+v", name, n.Body)
		}
	}
	change := admin.OneNodeIn{InTenant: in, Node: "web.office"}
	pending := must(admin.Call(ctx, w.owner, admin.ListNodes, admin.ListNodesIn{InTenant: in, Page: admin.Page{Limit: 10}, Pending: true}))(t)
	if len(pending.Body.Items) != 1 || pending.Body.Items[0].ID != a.ID {
		t.Errorf("pending: %+v", pending.Body)
	}
	for range 2 { // approving twice is no fault
		if n := must(admin.Call(ctx, w.owner, admin.ApproveNode, admin.ChangeNodeIn{OneNodeIn: change}))(t); n.Body.Pending {
			t.Error("still pending")
		}
	}
	if n := must(admin.Call(ctx, w.owner, admin.RenameNode, admin.RenameNodeIn{OneNodeIn: change, Body: admin.NodeName{Name: "www"}}))(t); n.Body.Name != "www" {
		t.Errorf("renamed: %+v", n.Body)
	}
	_, err = admin.Call(ctx, w.owner, admin.GetNode, change)
	refused(t, err, admin.CodeNotFound)
}

func TestAJoinKeyIsShownOnce(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	must(admin.Call(ctx, w.owner, admin.CreateNetwork, admin.CreateNetworkIn{InTenant: in, Body: admin.NewNetwork{Name: "office"}}))(t)
	uses := 0
	made := must(admin.Call(ctx, w.owner, admin.CreateJoinKey, admin.CreateJoinKeyIn{InTenant: in, Body: admin.NewJoinKey{Network: "office", Uses: &uses, Tags: []string{"server"}}}))(t)
	k, err := ticket.Parse(ticket.Join, made.Body.Key)
	if err != nil || k.Pin != w.ca.Pin() || k.Addrs[0] != w.addr {
		t.Fatalf("the key: %v, %v", k, err)
	}
	if made.Body.Uses != 0 || made.Body.Expires.Sub(w.now).Round(time.Minute) != time.Hour {
		t.Errorf("what was not named is not the default, or what was named is: %+v", made.Body.JoinKey)
	}
	list := func() []admin.JoinKey {
		return must(admin.Call(ctx, w.owner, admin.ListJoinKeys, admin.ListJoinKeysIn{InTenant: in, Page: admin.Page{Limit: 10}, Network: "office"}))(t).Body.Items
	}
	if l := list(); len(l) != 1 || l[0].State != "valid" || l[0].NetworkName != "office" || l[0].Tags[0] != "tag:server" {
		t.Fatalf("listed: %+v", l)
	}
	must(admin.Call(ctx, w.owner, admin.RevokeJoinKey, admin.OneJoinKeyIn{InTenant: in, Key: made.Body.ID.String()}))(t)
	if l := list(); l[0].State != "revoked" {
		t.Errorf("after revoking: %+v", l)
	}
	_, err = admin.Call(ctx, w.owner, admin.RevokeJoinKey, admin.OneJoinKeyIn{InTenant: in, Key: "j0000000000001"})
	refused(t, err, admin.CodeNotFound)
}

func TestPagesShowEveryItemOnceWhileOthersComeAndGo(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	for i := range 7 {
		must(admin.Call(ctx, w.owner, admin.CreateNetwork, admin.CreateNetworkIn{InTenant: in, Body: admin.NewNetwork{Name: fmt.Sprint("n", i)}}))(t)
		w.pass(time.Second)
	}
	seen := map[string]int{}
	pages := 0
	for n, err := range admin.All(func(cursor string) (admin.List[admin.Network], error) {
		if pages++; pages == 2 { // the one that the cursor names goes, and a new one comes
			must(admin.Call(ctx, w.owner, admin.DeleteNetwork, admin.DeleteNetworkIn{OneNetworkIn: admin.OneNetworkIn{InTenant: in, Network: "n2"}}))(t)
			must(admin.Call(ctx, w.owner, admin.CreateNetwork, admin.CreateNetworkIn{InTenant: in, Body: admin.NewNetwork{Name: "n7"}}))(t)
		}
		l, err := admin.Call(ctx, w.owner, admin.ListNetworks, admin.ListNetworksIn{InTenant: in, Page: admin.Page{Limit: 3, After: cursor}})
		return l.Body, err
	}) {
		if err != nil {
			t.Fatal(err)
		}
		seen[n.Name]++
	}
	if len(seen) != 8 || pages != 3 {
		t.Fatalf("in %d pages saw %v", pages, seen)
	}
	for name, times := range seen {
		if times != 1 {
			t.Errorf("%s was shown %d times", name, times)
		}
	}
	_, err := admin.Call(ctx, w.owner, admin.ListNetworks, admin.ListNetworksIn{InTenant: in, Page: admin.Page{Limit: 3, After: "rubbish"}})
	refused(t, err, admin.CodeInvalid)
	_, err = admin.Call(ctx, w.owner, admin.ListNetworks, admin.ListNetworksIn{InTenant: in, Page: admin.Page{Limit: 1001}})
	if p := refused(t, err, admin.CodeInvalid); len(p.Fields) != 1 || p.Fields[0].Where != "query.limit" {
		t.Errorf("which field: %+v", p)
	}
}

func TestTheTrailSaysWhoDidWhat(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	must(admin.Call(ctx, w.owner, admin.CreateNetwork, admin.CreateNetworkIn{InTenant: in, Body: admin.NewNetwork{Name: "office"}}))(t)
	var all []admin.Event
	for e, err := range admin.All(func(cursor string) (admin.List[admin.Event], error) {
		l, err := admin.Call(ctx, w.owner, admin.ListEvents, admin.ListEventsIn{InTenant: in, Page: admin.Page{Limit: 1, After: cursor}})
		return l.Body, err
	}) {
		if err != nil {
			t.Fatal(err)
		}
		if n := len(all); n > 0 && (e.Prev != all[n-1].Hash || e.Seq <= all[n-1].Seq) {
			t.Errorf("event %d does not follow %d", e.Seq, all[n-1].Seq)
		}
		all = append(all, e)
	}
	last := all[len(all)-1]
	if last.Action != "network.create" || !strings.Contains(last.Actor, "key-own") || !strings.Contains(string(last.Detail), "office") {
		t.Errorf("the last event: %+v", last)
	}
}

func TestAProviderMakesATenantAndItsOwnersKey(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	must(admin.Call(ctx, w.boss, admin.CreateTenant, admin.CreateTenantIn{Body: admin.NewTenant{Name: "acme"}}))(t)
	if l := must(admin.Call(ctx, w.boss, admin.ListTenants, admin.Page{Limit: 10}))(t); len(l.Body.Items) != 2 {
		t.Fatalf("tenants: %+v", l.Body)
	}
	made := must(admin.Call(ctx, w.boss, admin.CreateAPIKey, admin.CreateAPIKeyIn{InTenant: admin.InTenant{Tenant: "acme"}, Body: admin.NewAPIKey{Name: "alice", Scopes: []string{"owner"}}}))(t)
	k, err := ticket.Parse(ticket.Admin, made.Body.Ticket)
	if err != nil {
		t.Fatal(err)
	}
	alice := admin.NewClient(k)
	defer alice.Close()
	me := must(admin.Call(ctx, alice, admin.GetWhoami, admin.Nothing{}))(t)
	if me.Body.TenantName != "acme" || me.Body.Name != "alice" {
		t.Errorf("alice is %+v", me.Body)
	}
	tok, err := admin.ParseToken(made.Body.Token)
	if err != nil || tok.ID != made.Body.ID || tok.Secret != k.Secret {
		t.Errorf("token and ticket differ: %v", err)
	}
	info := must(admin.Call(ctx, w.boss, admin.GetController, admin.Nothing{}))(t)
	if info.Body.ID != w.db.Meta().Controller || info.Body.Addresses[0] != w.addr {
		t.Errorf("controller: %+v", info.Body)
	}
}

func TestAKeyForSomebodyElsesControllerGoesNowhere(t *testing.T) {
	w := newWorld(t)
	k := w.ticket(w.tenant.ID, time.Time{}, "owner")
	k.Pin[0] ^= 1
	c := admin.NewClient(k)
	defer c.Close()
	_, err := admin.Call(t.Context(), c, admin.GetWhoami, admin.Nothing{})
	if !errors.Is(err, trust.ErrPin) || strings.Contains(err.Error(), "https://") {
		t.Errorf("got %v", err)
	}
	gone := w.ticket(w.tenant.ID, time.Time{}, "owner")
	gone.Addrs = []string{"127.0.0.1:1", w.addr} // the second address serves when the first is not reached
	c2 := admin.NewClient(gone)
	defer c2.Close()
	must(admin.Call(t.Context(), c2, admin.GetWhoami, admin.Nothing{}))(t)
}

// TestSecretsStayOut looks for a secret where it must not be.
func TestSecretsStayOut(t *testing.T) {
	tok := admin.Token{ID: 7, Secret: key.NewSecret()}
	whole := tok.Encode()
	if shown := fmt.Sprintf("%v %+v %s", tok, tok, tok); strings.Contains(shown, whole[len(whole)-20:]) {
		t.Errorf("printing a token shows its secret: %s", shown)
	}
}
