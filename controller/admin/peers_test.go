package admin

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/internal/base/key"
)

func (w *world) network(names ...string) {
	w.t.Helper()
	for _, name := range names {
		must(admin.Call(w.t.Context(), w.owner, admin.CreateNetwork, admin.CreateNetworkIn{InTenant: in, Body: admin.NewNetwork{Name: name}}))(w.t)
	}
}

func TestAPlainPeerFromItsMakingToItsEnd(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.network("office")
	web, db := w.join("office", "web", false), w.join("office", "db", false)
	where := netip.MustParseAddrPort("198.51.100.7:41641")
	w.online[web.ID] = Presence{Online: true, LastSeen: w.now, Endpoints: []netip.AddrPort{where}}
	secret := key.NewPreshared()
	want := admin.NewPeer{Name: "phone", Network: "office", Nodes: []string{"web", db.ID.String()}, Key: key.NewWGPrivate().Public().String(),
		Preshared: secret.Text(), Endpoint: netip.MustParseAddrPort("192.0.2.7:51820"), Keepalive: 25}
	made := must(admin.Call(ctx, w.owner, admin.CreatePeer, admin.CreatePeerIn{InTenant: in, Body: want}))(t)
	p := made.Body
	if p.Name != "phone" || p.NetworkName != "office" || p.Key != want.Key || !p.Preshared || p.Endpoint != want.Endpoint || p.Keepalive != 25 || len(p.Addresses) != 2 || made.ETag == "" {
		t.Errorf("%+v", p)
	}
	if n := p.Nodes; len(n) != 2 || n[0] != (admin.PeerNode{ID: web.ID, Name: "web"}) || n[1].Name != "db" {
		t.Errorf("%+v", n)
	}
	if e := p.Ends; len(e) != 2 || e[0].Key != web.WG.String() || e[0].Addresses[0] != web.Address4 || !slices.Equal(e[0].Endpoints, []netip.AddrPort{where}) || e[1].Endpoints == nil || len(e[1].Endpoints) != 0 {
		t.Errorf("%+v", e)
	}
	for _, name := range []string{"phone", "phone.office", p.ID.String()} {
		got := must(admin.Call(ctx, w.owner, admin.GetPeer, admin.OnePeerIn{InTenant: in, Peer: name}))(t)
		if got.Body.ID != p.ID || got.ETag != made.ETag || len(got.Body.Ends) != 2 {
			t.Errorf("%s is %+v", name, got.Body)
		}
	}
	stored, err := w.db.For(w.tenant.ID).Plain(ctx, p.ID)
	if err != nil || stored.Preshared != secret {
		t.Error("the preshared key was not kept", err)
	}
	must(admin.Call(ctx, w.owner, admin.DeleteNode, admin.ChangeNodeIn{OneNodeIn: admin.OneNodeIn{InTenant: in, Node: "web"}}))(t)
	one := admin.OnePeerIn{InTenant: in, Peer: "phone"}
	_, err = admin.Call(ctx, w.owner, admin.DeletePeer, admin.DeletePeerIn{OnePeerIn: one, IfMatch: admin.IfMatch{IfMatch: made.ETag}})
	refused(t, err, admin.CodeChanged) // it has lost a node
	list := must(admin.Call(ctx, w.owner, admin.ListPeers, admin.ListPeersIn{InTenant: in, Page: admin.Page{Limit: 10}, Network: "office"}))(t)
	if l := list.Body.Items; len(l) != 1 || len(l[0].Nodes) != 1 || l[0].Nodes[0].Name != "db" {
		t.Errorf("%+v", l)
	}
	must(admin.Call(ctx, w.owner, admin.DeletePeer, admin.DeletePeerIn{OnePeerIn: one}))(t)
	_, err = admin.Call(ctx, w.owner, admin.GetPeer, one)
	if p := refused(t, err, admin.CodeNotFound); !strings.Contains(p.Hint, "cvlan admin peer list") {
		t.Error(p)
	}
}

func TestAPresharedKeyIsNeverShownAgain(t *testing.T) {
	w := newWorld(t)
	w.network("office")
	w.join("office", "web", false)
	secret := key.NewPreshared()
	want := admin.NewPeer{Name: "phone", Network: "office", Nodes: []string{"web"}, Key: key.NewWGPrivate().Public().String(), Preshared: secret.Text()}
	made := must(admin.Call(t.Context(), w.owner, admin.CreatePeer, admin.CreatePeerIn{InTenant: in, Body: want}))(t)
	got := must(admin.Call(t.Context(), w.owner, admin.GetPeer, admin.OnePeerIn{InTenant: in, Peer: "phone"}))(t)
	list := must(admin.Call(t.Context(), w.owner, admin.ListPeers, admin.ListPeersIn{InTenant: in, Page: admin.Page{Limit: 10}}))(t)
	trail := must(admin.Call(t.Context(), w.owner, admin.ListEvents, admin.ListEventsIn{InTenant: in, Page: admin.Page{Limit: 100}}))(t)
	for _, v := range []any{made, got, list, trail} {
		b, err := json.Marshal(v)
		if err != nil || strings.Contains(string(b), secret.Text()) || strings.Contains(string(b), secret.Hex()) {
			t.Errorf("%v %s", err, b)
		}
	}
	last := trail.Body.Items[len(trail.Body.Items)-1]
	if last.Action != "peer.create" || last.Target != made.Body.ID.String() || !strings.Contains(string(last.Detail), `"preshared":true`) {
		t.Errorf("%+v", last)
	}
}

func TestPeersThatCannotBeAreRefusedInWords(t *testing.T) {
	w := newWorld(t)
	w.network("office", "plant")
	web, far := w.join("office", "web", false), w.join("plant", "far", false)
	good := admin.NewPeer{Name: "phone", Network: "office", Nodes: []string{"web"}, Key: key.NewWGPrivate().Public().String()}
	for what, c := range map[string]struct {
		change func(*admin.NewPeer)
		code   admin.Code
		says   string
	}{
		"a node's name":       {func(p *admin.NewPeer) { p.Name = "web" }, admin.CodeExists, "web"},
		"no label":            {func(p *admin.NewPeer) { p.Name = "my phone" }, admin.CodeInvalid, "my-phone"},
		"a node's key":        {func(p *admin.NewPeer) { p.Key = web.WG.String() }, admin.CodeExists, "WireGuard key"},
		"a bad key":           {func(p *admin.NewPeer) { p.Key = strings.Repeat("#", 44) }, admin.CodeInvalid, "base64"},
		"a bad preshared key": {func(p *admin.NewPeer) { p.Preshared = "AAAA" }, admin.CodeInvalid, "preshared"},
		"no such network":     {func(p *admin.NewPeer) { p.Network = "lab" }, admin.CodeNotFound, "lab"},
		"no such node":        {func(p *admin.NewPeer) { p.Nodes = []string{"web", "wbe"} }, admin.CodeNotFound, "wbe"},
		"another network's":   {func(p *admin.NewPeer) { p.Nodes = []string{far.ID.String()} }, admin.CodeNotFound, "in network"},
		"a node twice":        {func(p *admin.NewPeer) { p.Nodes = []string{"web", "web.office"} }, admin.CodeInvalid, "twice"},
		"no node":             {func(p *admin.NewPeer) { p.Nodes = []string{} }, admin.CodeInvalid, "nodes"},
		"its own endpoint":    {func(p *admin.NewPeer) { p.Endpoint = netip.AddrPortFrom(web.Address4, 1) }, admin.CodeInvalid, "inside of network"},
	} {
		bad := good
		c.change(&bad)
		_, err := admin.Call(t.Context(), w.owner, admin.CreatePeer, admin.CreatePeerIn{InTenant: in, Body: bad})
		if p := refused(t, err, c.code); !strings.Contains(p.Detail, c.says) || strings.Contains(p.Detail, bad.Key) {
			t.Errorf("%s: %+v", what, p)
		}
	}
	for _, network := range []string{"office", "plant"} {
		p := good
		p.Network, p.Key, p.Nodes = network, key.NewWGPrivate().Public().String(), []string{map[string]string{"office": "web", "plant": "far"}[network]}
		must(admin.Call(t.Context(), w.owner, admin.CreatePeer, admin.CreatePeerIn{InTenant: in, Body: p}))(t)
	}
	_, err := admin.Call(t.Context(), w.owner, admin.GetPeer, admin.OnePeerIn{InTenant: in, Peer: "phone"})
	if p := refused(t, err, admin.CodeAmbiguous); !strings.Contains(p.Hint, "phone.office") || !strings.Contains(p.Hint, "phone.plant") {
		t.Error(p)
	}
}
