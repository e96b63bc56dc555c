package admin

import (
	"testing"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/ticket"
)

func TestARelayIsMadeAndJoinsWithItsKey(t *testing.T) {
	w := newWorld(t)
	made := must(admin.Call(t.Context(), w.boss, admin.CreateRelay, admin.CreateRelayIn{Body: admin.NewRelay{Name: "fra-1", Region: "eu", Tenant: "default"}}))(t).Body
	tk, err := ticket.Parse(ticket.Relay, made.Key)
	if err != nil || ident.Relay(tk.ID) != made.ID || made.State != "new" || made.Tenant != w.tenant.ID || made.Expires.IsZero() {
		t.Fatalf("%+v: %v", made, err)
	}
	id, err := key.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	must(w.db.RedeemRelay(t.Context(), made.ID, tk.Secret, id.Public()))(t)
	if err := w.db.RelayReported(t.Context(), made.ID, store.RelayReport{Addresses: []string{"192.0.2.9:8443"}, STUN: 3478, Software: "1.2.3"}); err != nil {
		t.Fatal(err)
	}
	got := must(admin.Call(t.Context(), w.boss, admin.GetRelay, admin.OneRelayIn{Relay: made.ID.String()}))(t).Body
	if got.State != "offline" || got.Addresses[0] != "192.0.2.9:8443" || got.STUNPort != 3478 || got.Region != "eu" || got.Software != "1.2.3" {
		t.Fatalf("%+v", got)
	}
	if err := w.db.AddRelayed(t.Context(), store.Metered{Relay: made.ID, Bytes: map[ident.Tenant]uint64{w.tenant.ID: 77}}); err != nil {
		t.Fatal(err)
	}
	if u := must(admin.Call(t.Context(), w.boss, admin.ListRelayUsage, admin.ListRelayUsageIn{Days: 1}))(t).Body.Items; len(u) != 1 || u[0].Bytes != 77 || u[0].TenantName != "default" {
		t.Fatalf("%+v", u)
	}
	_, err = admin.Call(t.Context(), w.owner, admin.ListRelays, admin.Page{Limit: 1})
	refused(t, err, admin.CodePermission)
	_, err = admin.Call(t.Context(), w.boss, admin.DeleteRelay, admin.OneRelayIn{Relay: "nobody"})
	refused(t, err, admin.CodeNotFound)
	must(admin.Call(t.Context(), w.boss, admin.DeleteRelay, admin.OneRelayIn{Relay: "fra-1"}))(t)
}

func TestANodeIsMadeTheRelayOfItsTenant(t *testing.T) {
	w := newWorld(t)
	must(admin.Call(t.Context(), w.owner, admin.CreateNetwork, admin.CreateNetworkIn{InTenant: in, Body: admin.NewNetwork{Name: "office"}}))(t)
	n := w.join("office", "hq", false)
	for _, bad := range []admin.NewRelay{{Name: "x", Node: "hq"}, {Name: "x", Node: "nobody", Tenant: "default"}} {
		if _, err := admin.Call(t.Context(), w.boss, admin.CreateRelay, admin.CreateRelayIn{Body: bad}); err == nil {
			t.Errorf("%+v is made", bad)
		}
	}
	made := must(admin.Call(t.Context(), w.boss, admin.CreateRelay, admin.CreateRelayIn{Body: admin.NewRelay{Name: "branch", Node: "hq", Tenant: "default"}}))(t).Body
	if made.Key != "" || made.Node != n.ID || made.Tenant != w.tenant.ID || !made.Expires.IsZero() || made.State != "new" {
		t.Errorf("%+v", made)
	}
}
