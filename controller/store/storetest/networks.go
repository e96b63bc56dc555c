package storetest

import (
	"net/netip"
	"reflect"
	"testing"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/proto/control"
)

func networksGetRangesOrKeepTheirs(t *testing.T, b *bench) {
	_, h := b.tenant("acme")
	office := b.network(h, "office")
	if office.Range4.Bits() != 16 || office.Range6.Bits() != 64 || office.ID.IsZero() || office.Version == 0 || !office.Created.Equal(b.now) {
		t.Errorf("%+v", office)
	}
	lab := must[store.Network](t)(h.CreateNetwork(ctx(), admin, store.Network{Name: "lab", Range4: netip.MustParsePrefix("192.0.2.0/24")}, true))
	if lab.Range6.IsValid() || lab.Version <= office.Version {
		t.Errorf("%+v", lab)
	}
	for _, got := range []store.Network{
		must[store.Network](t)(h.Network(ctx(), lab.ID)), must[store.Network](t)(h.NetworkByName(ctx(), "lab")), must[[]store.Network](t)(h.Networks(ctx()))[1],
	} {
		if !reflect.DeepEqual(got, lab) {
			t.Errorf("read %+v, want %+v", got, lab)
		}
	}
	for _, c := range []struct {
		n    store.Network
		want error
		says string
	}{
		{store.Network{Name: "lab"}, store.ErrExists, `"lab"`},
		{store.Network{Name: "Lab"}, store.ErrInvalid, "did you mean lab?"},
		{store.Network{Name: "a", Range4: netip.MustParsePrefix("192.0.2.128/25")}, store.ErrExists, `"lab"`},
		{store.Network{Name: "a", Range6: office.Range6}, store.ErrExists, `"office"`},
		{store.Network{Name: "a", Range4: netip.MustParsePrefix("10.0.0.1/16")}, store.ErrInvalid, "did you mean 10.0.0.0/16?"},
		{store.Network{Name: "a", Range4: netip.MustParsePrefix("fd00::/64")}, store.ErrInvalid, "not an IPv4 range"},
	} {
		_, err := h.CreateNetwork(ctx(), admin, c.n, false)
		b.refused(err, c.want, c.says)
	}
	_, err := h.Network(ctx(), 7)
	b.refused(err, store.ErrNotFound)
	_, err = h.NetworkByName(ctx(), "nothing")
	b.refused(err, store.ErrNotFound, "nothing")
}

// spoken gives a network a protocol, and takes it back.
func (b *bench) spoken(h store.Handle, n store.Network) store.Network {
	b.t.Helper()
	set := must[store.Network](b.t)
	one := set(h.SetNetworkProtocol(ctx(), admin, n.ID, control.IPsec, n.Version))
	if kept := set(h.Network(ctx(), n.ID)); kept != one || one.Protocol != control.IPsec || one.Version <= n.Version {
		b.t.Errorf("%+v, want %+v", kept, one)
	}
	if same := set(h.SetNetworkProtocol(ctx(), admin, n.ID, control.IPsec, 0)); same.Version != one.Version {
		b.t.Error("what it is already is a change")
	}
	_, err := h.SetNetworkProtocol(ctx(), admin, n.ID, 0, n.Version)
	b.refused(err, store.ErrConflict, "look at it again")
	_, err = h.SetNetworkProtocol(ctx(), admin, n.ID, control.IPsec|control.WireGuard, 0)
	b.refused(err, store.ErrInvalid)
	_, err = h.SetNetworkProtocol(ctx(), admin, 1, control.IPsec, 0)
	b.refused(err, store.ErrNotFound)
	return set(h.SetNetworkProtocol(ctx(), admin, n.ID, 0, one.Version))
}

func networksChangeAndGo(t *testing.T, b *bench) {
	_, h := b.tenant("acme")
	n := b.network(h, "office")
	node := b.node(h, n, "web")
	b.refused(h.DeleteNetwork(ctx(), admin, n.ID, 0), store.ErrConflict, "it has nodes")
	b.ok(h.DeleteNode(ctx(), admin, node.ID, 0))
	n = b.spoken(h, n)
	b.refused(h.DeleteNetwork(ctx(), admin, n.ID, n.Version+1), store.ErrConflict, "look at it again")
	b.ok(h.DeleteNetwork(ctx(), admin, n.ID, n.Version))
	b.refused(h.DeleteNetwork(ctx(), admin, n.ID, 0), store.ErrNotFound)
	if keys := must[[]store.JoinKey](t)(h.JoinKeys(ctx(), 0)); len(keys) != 0 {
		t.Errorf("keys of a network that is gone: %v", keys)
	}
	again := must[store.Network](t)(h.CreateNetwork(ctx(), admin, store.Network{Name: "office", Range4: n.Range4}, false))
	if again.ID == n.ID {
		t.Error("an identifier was used twice")
	}
	if b.node(h, again, "db").Address4 != node.Address4 {
		t.Error("the new network remembers the addresses of the old one")
	}
}
