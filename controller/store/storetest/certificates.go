package storetest

import (
	"crypto/x509"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/certtest"
	"github.com/cvlan/cvlan/internal/base/ident"
)

// authority makes one that can be parsed.
func authority(t *testing.T, id ident.Tenant) store.Authority {
	t.Helper()
	return store.Authority{Tenant: id, Certificate: certtest.New(certtest.Authority("")).Cert.Raw, Key: []byte("private key")}
}

func serialOf(t *testing.T, a store.Authority) string {
	t.Helper()
	c, err := x509.ParseCertificate(a.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	return store.Serial(c)
}

func certificatesAreIssuedAndRevoked(t *testing.T, b *bench) {
	_, h := b.tenant("acme")
	_, other := b.tenant("other")
	node := b.node(h, b.network(h, "office"), "web")
	gate := store.Certificate{Serial: "0a", Issuer: "ff", Name: "gate", DNS: []string{"gate.example.com"}, IP: []netip.Addr{netip.MustParseAddr("192.0.2.1")},
		NotBefore: b.now, NotAfter: b.now.Add(24 * time.Hour), DER: []byte{1}}
	made := must[store.Certificate](t)(h.AddCertificate(ctx(), admin, gate))
	if !made.Created.Equal(b.now) || made.CreatedBy != admin || !made.InForce(b.now) {
		t.Errorf("%+v", made)
	}
	if got := must[store.Certificate](t)(h.Certificate(ctx(), "0a")); got.DNS[0] != "gate.example.com" || got.IP[0] != gate.IP[0] || len(got.DER) != 1 {
		t.Errorf("%+v", got)
	}
	for _, bad := range []store.Certificate{{Name: "No label"}, {Name: "x"}, {Name: "x", Serial: "1", Issuer: "ff", DER: []byte{1}, Node: node.ID}} {
		_, err := h.AddCertificate(ctx(), admin, bad)
		b.refused(err, store.ErrInvalid)
	}
	b.ok(h.Renewed(ctx(), node.ID, store.Certificate{Serial: "0b", Issuer: "ff", NotAfter: b.now.Add(60 * 24 * time.Hour)}))
	_, err := h.RevokeCertificate(ctx(), admin, "0b", store.KeyCompromise)
	b.refused(err, store.ErrConflict, "node "+node.ID.String())
	_, err = other.RevokeCertificate(ctx(), admin, "0a", store.KeyCompromise)
	b.refused(err, store.ErrNotFound)
	if all := must[[]store.Certificate](t)(h.Revocations(ctx(), "ff")); len(all) != 0 {
		t.Errorf("%+v", all)
	}

	must[store.Certificate](t)(h.RevokeCertificate(ctx(), admin, "0a", store.KeyCompromise))
	was := b.now
	b.now = b.now.Add(time.Hour)
	if again := must[store.Certificate](t)(h.RevokeCertificate(ctx(), admin, "0a", store.Superseded)); !again.Revoked.Equal(was) || again.Reason != store.KeyCompromise {
		t.Errorf("revoked twice: %+v", again)
	}
	b.ok(h.DeleteNode(ctx(), admin, node.ID, 0))
	all := must[[]store.Certificate](t)(h.Revocations(ctx(), "ff"))
	if len(all) != 2 || all[0].Serial != "0a" || all[1].Node != node.ID || all[1].Reason != store.CessationOfOperation {
		t.Errorf("a list without the deleted node: %+v", all)
	}
	b.now = b.now.Add(24*time.Hour + store.CertMemory)
	if all := must[[]store.Certificate](t)(h.Revocations(ctx(), "ff")); len(all) != 1 || all[0].Node != node.ID {
		t.Errorf("what has ended long ago is still on the list: %+v", all)
	}
}

func anAuthorityIsReplaced(t *testing.T, b *bench) {
	acme, h := b.tenant("acme")
	b.refused(h.ReplaceAuthority(ctx(), admin, store.Authority{Tenant: acme.ID}), store.ErrInvalid)
	id := ident.New[ident.Tenant]()
	first := authority(t, id)
	must[store.Tenant](t)(b.s.CreateTenant(ctx(), admin, "globex", first, id))
	h = b.s.For(id)
	second := authority(t, id)
	b.ok(h.ReplaceAuthority(ctx(), admin, second))
	b.refused(h.ReplaceAuthority(ctx(), admin, authority(t, id)), store.ErrConflict, "has not ended")
	if a := must[store.Authority](t)(b.s.Authority(ctx(), id)); string(a.Certificate) != string(second.Certificate) {
		t.Error("the old one still signs")
	}
	old := must[[]store.OldAuthority](t)(h.OldAuthorities(ctx()))
	if len(old) != 1 || old[0].Serial != serialOf(t, first) || string(old[0].Key) != "private key" || !old[0].Replaced.Equal(b.now) {
		t.Fatalf("%+v", old)
	}
	node := b.node(h, b.network(h, "office"), "web")
	b.ok(h.Renewed(ctx(), node.ID, store.Certificate{Serial: "0b", Issuer: old[0].Serial, NotAfter: b.now.Add(time.Hour)}))
	b.refused(h.EndAuthority(ctx(), admin, old[0].Serial, []byte("list")), store.ErrConflict, "1 certificates")
	if n := must[int](t)(h.RevokeAllOf(ctx(), admin, old[0].Serial)); n != 1 {
		t.Error(n)
	}
	b.ok(h.EndAuthority(ctx(), admin, old[0].Serial, []byte("list")))
	b.refused(h.EndAuthority(ctx(), admin, old[0].Serial, []byte("list")), store.ErrNotFound)
	if old := must[[]store.OldAuthority](t)(h.OldAuthorities(ctx())); len(old[0].Key) != 0 || string(old[0].LastCRL) != "list" || !old[0].Ended.Equal(b.now) {
		t.Errorf("its key is not gone, or its list is: %+v", old)
	}
	b.ok(h.ReplaceAuthority(ctx(), admin, authority(t, id)))
}

func anAuthorityIsCertifiedByAnother(t *testing.T, b *bench) {
	id := ident.New[ident.Tenant]()
	first := authority(t, id)
	must[store.Tenant](t)(b.s.CreateTenant(ctx(), admin, "globex", first, id))
	h := b.s.For(id)
	_, err := h.AuthorityRequest(ctx())
	b.refused(err, store.ErrNotFound)
	_, err = h.SetAuthorityRequest(ctx(), admin, store.AuthorityRequest{Key: []byte("k")})
	b.refused(err, store.ErrInvalid)
	second := authority(t, id)
	second.Key = []byte("requested key")
	must[store.AuthorityRequest](t)(h.SetAuthorityRequest(ctx(), admin, store.AuthorityRequest{Key: []byte("forgotten"), CSR: []byte("1")}))
	must[store.AuthorityRequest](t)(h.SetAuthorityRequest(ctx(), admin, store.AuthorityRequest{Key: second.Key, CSR: []byte("2")}))
	if r := must[store.AuthorityRequest](t)(h.AuthorityRequest(ctx())); string(r.CSR) != "2" || !r.Created.Equal(b.now) || r.CreatedBy != admin {
		t.Errorf("%+v", r)
	}
	_, other := b.tenant("other")
	_, err = other.AuthorityRequest(ctx())
	b.refused(err, store.ErrNotFound)

	second.Cross = [][]byte{second.Certificate, first.Certificate}
	b.ok(h.ReplaceAuthority(ctx(), admin, second))
	_, err = h.AuthorityRequest(ctx())
	b.refused(err, store.ErrNotFound)
	if a := must[store.Authority](t)(b.s.Authority(ctx(), id)); !reflect.DeepEqual(a, second) {
		t.Errorf("%+v", a)
	}
	b.refused(h.SetCross(ctx(), admin, serialOf(t, first), nil), store.ErrConflict, "another one signs")
	b.ok(h.SetCross(ctx(), admin, serialOf(t, second), [][]byte{first.Certificate}))
	old := must[[]store.OldAuthority](t)(h.OldAuthorities(ctx()))
	b.ok(h.EndAuthority(ctx(), admin, old[0].Serial, []byte("list")))
	b.ok(h.ReplaceAuthority(ctx(), admin, authority(t, id)))
	if old = must[[]store.OldAuthority](t)(h.OldAuthorities(ctx())); len(old[0].Cross) != 1 || len(old[1].Cross) != 0 {
		t.Errorf("the one that signed until now has lost its chain: %+v", old)
	}
}
