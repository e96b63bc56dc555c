package admit

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cvlan/cvlan/controller/ca"
	"github.com/cvlan/cvlan/internal/base/certtest"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/trust"
	"github.com/cvlan/cvlan/internal/base/trust/trusttest"
	"github.com/cvlan/cvlan/proto/control/pb"
)

var birth = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)

// authority is a controller's, with two tenants.
type authority struct {
	*testing.T
	ca   *ca.CA
	keep ca.Memory
	now  time.Time
	der  map[ident.Tenant][]byte
}

func newAuthority(t *testing.T) *authority {
	a := &authority{T: t, now: birth, der: map[ident.Tenant][]byte{}}
	var err error
	if a.ca, err = ca.Open(t.Context(), ca.Config{Keeper: &a.keep, Domain: "k7mplant", Controller: 3, Now: func() time.Time { return a.now }}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []ident.Tenant{7, 8} {
		inter, err := a.ca.Intermediate(id)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.keep.SetAuthority(t.Context(), inter); err != nil {
			t.Fatal(err)
		}
		a.der[id] = inter.Certificate
	}
	return a
}

func (a *authority) list() *List {
	return New(a.ca.RootCertificate(), func() trust.Instant { return trust.Clock{Local: func() time.Time { return a.now }}.Now() })
}

func (a *authority) request() []byte {
	a.Helper()
	id, err := key.NewIdentity()
	if err != nil {
		a.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, id.Signer())
	if err != nil {
		a.Fatal(err)
	}
	return der
}

// node is what a node shows.
func (a *authority) node(t ident.Tenant, n ident.Node) *x509.Certificate {
	a.Helper()
	chain, _, err := a.ca.IssueNode(a.Context(), t, n, a.request())
	if err != nil {
		a.Fatal(err)
	}
	return a.shown(chain[0])
}

func (a *authority) shown(der []byte) *x509.Certificate {
	a.Helper()
	c, err := x509.ParseCertificate(der)
	if err != nil {
		a.Fatal(err)
	}
	return c
}

// tenants is an update that names some.
func (a *authority) tenants(snapshot bool, ids ...ident.Tenant) *pb.RelayUpdate {
	m := &pb.RelayUpdate{Snapshot: snapshot}
	for _, id := range ids {
		m.Tenants = append(m.Tenants, &pb.RelayTenant{Id: uint64(id), Authority: a.der[id]})
	}
	return m
}

func (a *authority) tell(l *List, m *pb.RelayUpdate) Cut {
	a.Helper()
	cut, _, err := l.Apply(m)
	if err != nil {
		a.Fatal(err)
	}
	return cut
}

func gone(t ident.Tenant, n ident.Node, until time.Time) *pb.RelayUpdate {
	return &pb.RelayUpdate{Removed: []*pb.RemovedNode{{Tenant: uint64(t), Node: uint64(n), Until: until.Unix()}}}
}

func TestOnlyNodesOfServedTenantsAreAdmitted(t *testing.T) {
	a := newAuthority(t)
	l := a.list()
	mine, other := a.node(7, 9), a.node(8, 10)
	if _, _, _, err := l.Admit(mine); err == nil {
		t.Fatal("a relay that has been told nothing admits somebody")
	}
	a.tell(l, a.tenants(true, 7))
	tenant, node, until, err := l.Admit(mine)
	if err != nil || tenant != 7 || node != 9 || !until.Equal(birth.Add(ca.NodeLife)) {
		t.Fatal(tenant, node, until, err)
	}
	stranger := newAuthority(t)
	leaf, _, err := a.ca.IssueRelay(5, a.request())
	if err != nil {
		t.Fatal(err)
	}
	server, err := a.ca.Server()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]*x509.Certificate{
		"a tenant that is not served": other,
		"another controller's node":   stranger.node(7, 9),
		"a relay":                     a.shown(leaf),
		"the controller":              a.shown(server.Certificate[0]),
		"the authority itself":        a.shown(a.der[7]),
		"the root":                    a.shown(a.ca.Root()),
	} {
		if _, n, _, err := l.Admit(c); err == nil {
			t.Errorf("%s is admitted as %s", name, n)
		}
	}
	a.now = birth.Add(ca.NodeLife + time.Hour)
	if _, _, _, err := l.Admit(mine); !errors.Is(err, trust.ErrExpired) {
		t.Errorf("expired: %v", err)
	}
}

// Which authority a certificate is of, it says itself, and so may lie.
func TestWhoseAuthorityIsNotTheirTenantsIsNotAdmitted(t *testing.T) {
	root := trusttest.Root()
	ours, other := root.Mint(trust.TenantName(trusttest.Domain, 7)), root.Mint(trust.TenantName(trusttest.Domain, 8))
	name := trust.NodeName(trusttest.Domain, 7, 9)
	double := certtest.New(func(c *x509.Certificate) {
		certtest.Authority("double")(c)
		c.RawSubject, c.SubjectKeyId = ours.Cert.RawSubject, ours.Cert.SubjectKeyId
	})
	l := New(root.Cert, trust.Clock{}.Now)
	if _, _, err := l.Apply(&pb.RelayUpdate{Snapshot: true, Tenants: []*pb.RelayTenant{{Id: 7, Authority: ours.Cert.Raw}, {Id: 8, Authority: other.Cert.Raw}}}); err != nil {
		t.Fatal(err)
	}
	admits := func(p *trusttest.Party) error {
		_, _, _, err := l.Admit(p.Cert)
		return err
	}
	if err := admits(ours.Mint(name)); err != nil {
		t.Fatal(err)
	}
	forged := (&trusttest.Party{Party: *double}).Mint(name)
	if !bytes.Equal(forged.Cert.AuthorityKeyId, ours.Cert.SubjectKeyId) {
		t.Fatal("the forged certificate does not name our authority's key")
	}
	for what, p := range map[string]*trusttest.Party{
		"of another tenant's authority":       other.Mint(name),
		"of the root":                         root.Mint(name),
		"of an authority that copied a key's": forged,
		"that ended":                          ours.MintUntil(name, time.Now().Add(-time.Hour)),
	} {
		if err := admits(p); err == nil {
			t.Errorf("a certificate %s is admitted", what)
		}
	}
}

func TestRemovedNodesStayOutUntilTheirCertificatesEnd(t *testing.T) {
	a := newAuthority(t)
	l := a.list()
	a.tell(l, a.tenants(true, 7))
	mine := a.node(7, 9)
	if cut := a.tell(l, gone(7, 9, birth.Add(ca.NodeLife))); !slices.Equal(cut.Nodes, []ident.Node{9}) {
		t.Fatalf("%+v", cut)
	}
	if cut := a.tell(l, gone(7, 9, birth.Add(ca.NodeLife))); len(cut.Nodes) != 0 {
		t.Fatalf("cut off twice: %+v", cut)
	}
	if _, _, _, err := l.Admit(mine); err == nil {
		t.Fatal("a removed node is admitted")
	}
	again := a.list()
	if err := again.Load(l.Encode()); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := again.Admit(mine); err == nil || !bytes.Equal(again.Encode(), l.Encode()) {
		t.Fatal("a restart forgets it")
	}
	a.now = birth.Add(ca.NodeLife + time.Hour)
	a.tell(again, gone(7, 77, a.now.Add(time.Hour)))
	if _, n := again.Len(); n != 1 {
		t.Errorf("%d removed nodes, want the one whose certificate may last", n)
	}
}

func TestASuspendedNodeIsAdmittedAgainWhenItIsApproved(t *testing.T) {
	a := newAuthority(t)
	l := a.list()
	a.tell(l, a.tenants(true, 7))
	mine := a.node(7, 9)
	suspended := &pb.RelayUpdate{Removed: []*pb.RemovedNode{{Tenant: 7, Node: 9, Until: math.MaxInt64}}}
	approved := &pb.RelayUpdate{Removed: []*pb.RemovedNode{{Tenant: 7, Node: 9}}}
	for range 2 {
		if cut := a.tell(l, suspended); !slices.Equal(cut.Nodes, []ident.Node{9}) {
			t.Fatalf("%+v", cut)
		}
		if _, _, _, err := l.Admit(mine); err == nil {
			t.Fatal("a suspended node is admitted")
		}
		if cut := a.tell(l, approved); len(cut.Nodes) != 0 {
			t.Fatalf("%+v", cut)
		}
		if _, _, _, err := l.Admit(mine); err != nil {
			t.Fatal(err)
		}
	}
	if cut := a.tell(l, approved); len(cut.Nodes) != 0 {
		t.Errorf("who is admitted is cut off for that: %+v", cut)
	}
}

func TestASnapshotReplacesAndPiecesComeTogether(t *testing.T) {
	a := newAuthority(t)
	l := a.list()
	a.tell(l, a.tenants(true, 7, 8))
	a.tell(l, gone(7, 9, birth.Add(time.Hour)))
	first := a.tenants(true, 8)
	first.More = true
	if cut := a.tell(l, first); len(cut.Tenants) != 0 {
		t.Fatal("half a snapshot counts")
	}
	last := gone(8, 10, birth.Add(time.Hour))
	last.Neighbours = &pb.Relays{Relays: []*pb.Relay{{Id: 4, Name: "sfo", Addresses: []string{"192.0.2.1:8443"}}, {Id: 5}}}
	cut := a.tell(l, last)
	if !slices.Equal(cut.Tenants, []ident.Tenant{7}) || !slices.Equal(cut.Nodes, []ident.Node{10}) {
		t.Fatalf("%+v", cut)
	}
	if _, _, _, err := l.Admit(a.node(7, 9)); err == nil {
		t.Error("a tenant that is served no longer")
	}
	if n := l.Neighbours(); len(n) != 1 || n[0].Name != "sfo" {
		t.Errorf("%+v", n)
	}
	first = a.tenants(true, 7)
	first.More = true
	a.tell(l, first)
	l.Begin() // the session broke
	a.tell(l, &pb.RelayUpdate{RemoveTenants: []uint64{99}})
	if _, _, _, err := l.Admit(a.node(8, 11)); err != nil {
		t.Error("half a snapshot of a former session counts:", err)
	}
	for name, m := range map[string]*pb.RelayUpdate{
		"no certificate":      {Snapshot: true, Tenants: []*pb.RelayTenant{{Id: 7, Authority: []byte("x")}}},
		"another's authority": {Snapshot: true, Tenants: []*pb.RelayTenant{{Id: 7, Authority: a.der[8]}}},
		"too many":            {Snapshot: true, Tenants: slices.Repeat([]*pb.RelayTenant{{}}, MaxTenants+MaxRemoved)},
	} {
		if _, changed, err := l.Apply(m); err == nil || changed {
			t.Errorf("%s: taken", name)
		}
	}
	if _, _, _, err := l.Admit(a.node(8, 11)); err != nil {
		t.Error("a refused update has changed something:", err)
	}
}

// rotates gives a tenant's authority another key, and returns the certificate of the one before.
func (a *authority) rotates(t ident.Tenant) (old []byte) {
	a.Helper()
	next, err := a.ca.Intermediate(t)
	if err != nil {
		a.Fatal(err)
	}
	kept := a.keep.Replace(next)
	a.der[t] = next.Certificate
	return kept.Certificate
}

// While a tenant's key is changed, nodes with certificates of either are admitted; when the old one ends, whoever it has signed for is cut off.
func TestBothAuthoritiesAdmitUntilTheOldOneEnds(t *testing.T) {
	a := newAuthority(t)
	l := a.list()
	a.tell(l, a.tenants(true, 7, 8))
	before := a.node(7, 9)
	old := a.rotates(7)
	after := a.node(7, 9)
	if _, _, _, err := l.Admit(after); err == nil {
		t.Fatal("an authority that nobody has named admits")
	}
	both := a.tenants(false, 7)
	both.Tenants[0].Former = [][]byte{old}
	if cut := a.tell(l, both); len(cut.Tenants) != 0 {
		t.Fatalf("a new key cuts nodes off: %+v", cut)
	}
	again := a.list()
	if err := again.Load(l.Encode()); err != nil {
		t.Fatal(err)
	}
	for _, l := range []*List{l, again} {
		for name, c := range map[string]*x509.Certificate{"old": before, "new": after} {
			if _, _, _, err := l.Admit(c); err != nil {
				t.Errorf("a certificate of the %s key: %v", name, err)
			}
		}
	}
	if cut := a.tell(l, a.tenants(false, 7)); !slices.Equal(cut.Tenants, []ident.Tenant{7}) {
		t.Errorf("the old key ends, and %+v is cut off", cut)
	}
	if _, _, _, err := l.Admit(before); err == nil {
		t.Error("a certificate of the key that has ended admits")
	}
	if _, _, _, err := l.Admit(after); err != nil {
		t.Error(err)
	}
	both.Tenants[0].Former = [][]byte{a.der[8]}
	if _, changed, err := l.Apply(both); err == nil || changed {
		t.Error("another tenant's authority is taken for a former one")
	}
	both.Tenants[0].Former = slices.Repeat([][]byte{old}, maxFormer+1)
	if _, changed, err := l.Apply(both); err == nil || changed {
		t.Error("any number of former ones is taken")
	}
}

// FuzzApply lets a controller say anything, in any order.
func FuzzApply(f *testing.F) {
	m, _ := proto.Marshal(gone(7, 9, birth))
	f.Add(m, []byte{})
	m, _ = proto.Marshal(&pb.RelayUpdate{Snapshot: true, More: true, Tenants: []*pb.RelayTenant{{Id: 7, Authority: []byte{1}}}})
	f.Add(m, m)
	m, _ = proto.Marshal(&pb.RelayUpdate{RemoveTenants: []uint64{7}, Neighbours: &pb.Relays{Relays: []*pb.Relay{{Id: 1, Name: "a", Addresses: []string{"a:1"}}}}})
	f.Add(m, m)
	f.Fuzz(func(t *testing.T, one, two []byte) {
		l := New(&x509.Certificate{}, func() trust.Instant { return trust.Instant{At: birth} })
		for _, b := range [][]byte{one, two} {
			m := new(pb.RelayUpdate)
			if proto.Unmarshal(b, m) != nil {
				return
			}
			before := l.Encode()
			if _, changed, err := l.Apply(m); (err != nil || !changed) && !bytes.Equal(before, l.Encode()) {
				t.Fatal("half applied")
			}
		}
		again := New(&x509.Certificate{}, l.now)
		if err := again.Load(l.Encode()); err != nil || !bytes.Equal(again.Encode(), l.Encode()) {
			t.Fatal("does not survive:", err)
		}
	})
}
