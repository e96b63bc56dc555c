package ca

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/trust"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
	"github.com/cvlan/cvlan/internal/core/ike/pki"
)

// stage is an authority with one tenant, number 7.
type stage struct {
	*CA
	t    *testing.T
	kept Memory
	c    *clock
}

func newStage(t *testing.T) *stage {
	s := &stage{t: t, c: &clock{birth}}
	s.CA = open(t, &s.kept, s.c)
	tenant(t, s.CA, &s.kept, 7)
	return s
}

func (s *stage) device(k any, d Device) (leaf, issuer *x509.Certificate, err error) {
	s.t.Helper()
	d.Request = request(s.t, k, &x509.CertificateRequest{})
	leaf, issuer, _, err = s.IssueDevice(context.Background(), 7, d)
	return leaf, issuer, err
}

func (s *stage) list(revoked ...store.Certificate) *x509.RevocationList {
	s.t.Helper()
	a, err := s.kept.Authority(context.Background(), 7)
	if err != nil {
		s.t.Fatal(err)
	}
	der, err := s.CRL(a, revoked, time.Time{})
	if err != nil {
		s.t.Fatal(err)
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		s.t.Fatal(err)
	}
	return list
}

var gate = Device{Name: "gate", DNS: []string{"gate.example.com"}, IP: []netip.Addr{netip.MustParseAddr("192.0.2.1")}, Email: []string{"ops@example.com"}}

// What IKE peers look at accepts a device's certificate until a list of the same authority says otherwise.
func TestADeviceIsTrustedInIKEUntilItIsRevoked(t *testing.T) {
	s := newStage(t)
	k, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf, issuer, err := s.device(k, gate)
	if err != nil {
		t.Fatal(err)
	}
	peers := pki.Store{Roots: []*x509.Certificate{s.RootCertificate()}, Intermediates: []*x509.Certificate{issuer}, Strict: true}
	certs := []msg.Cert{{Encoding: msg.CertX509, Data: leaf.Raw}}
	id := msg.Identity{Kind: msg.IDFQDN, Data: []byte("gate.example.com")}
	// Strict asks for a list of each authority on the path, and the root has none.
	peers.Roots, peers.Intermediates = []*x509.Certificate{issuer}, nil
	if _, err := peers.Key(id, certs, birth); err == nil {
		t.Fatal("strict, without a list")
	}
	peers.CRLs = []*x509.RevocationList{s.list()}
	if got, err := peers.Key(id, certs, birth); err != nil || !k.PublicKey.Equal(got) {
		t.Fatal(err)
	}
	if _, err := peers.Key(msg.Identity{Kind: msg.IDIPv4, Data: []byte{192, 0, 2, 1}}, certs, birth); err != nil {
		t.Error("its address:", err)
	}
	old := store.CertificateOf(leaf, issuer)
	old.Revoked, old.Reason = birth, store.KeyCompromise
	peers.CRLs = []*x509.RevocationList{s.list(old)}
	if _, err := peers.Key(id, certs, birth); err == nil || !strings.Contains(err.Error(), "revoked") {
		t.Error("a revoked device is trusted:", err)
	}
}

func TestADeviceIsNobodyWithinTheMesh(t *testing.T) {
	s := newStage(t)
	k, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	leaf, issuer, err := s.device(k, gate)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := trust.VerifyNode([]*x509.Certificate{leaf, issuer}, s.RootCertificate(), s.c.instant()); err == nil {
		t.Error("a device passes for node", n)
	}
	if n, err := trust.VerifyRelay([]*x509.Certificate{leaf, issuer}, s.Pin(), s.c.instant()); err == nil {
		t.Error("a device passes for relay", n)
	}
	if !leaf.NotAfter.Equal(birth.Add(DeviceLife)) || leaf.IsCA || len(leaf.URIs) != 0 || leaf.DNSNames[1] != "192.0.2.1" {
		t.Errorf("%+v", leaf)
	}
}

func TestWhatIsNoDeviceIsRefused(t *testing.T) {
	s := newStage(t)
	k, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	for why, d := range map[string]Device{
		"not a label":      {Name: "Gate 1", DNS: []string{"a"}},
		"no name that":     {Name: "gate"},
		"not a DNS name":   {Name: "gate", DNS: []string{"*.example.com"}},
		"not an address":   {Name: "gate", IP: []netip.Addr{{}}},
		"not a mailbox":    {Name: "gate", Email: []string{"Ops <ops@example.com>"}},
		"more than 16":     {Name: "gate", DNS: make([]string, 17)},
		"more than 825":    {Name: "gate", DNS: []string{"a"}, Life: MaxDeviceLife + 1},
		"is not a DNS nam": {Name: "gate", DNS: []string{"a..b"}},
	} {
		if _, _, err := s.device(k, d); !errors.Is(err, store.ErrInvalid) || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", why, err)
		}
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err == nil {
		if _, _, err := s.device(weak, gate); !errors.Is(err, store.ErrInvalid) || !strings.Contains(err.Error(), "1024 bits") {
			t.Error(err)
		}
	}
	if _, _, _, err := s.IssueDevice(context.Background(), 7, Device{Name: "gate", Request: []byte("x")}); !errors.Is(err, store.ErrInvalid) {
		t.Error(err)
	}
}

func TestAListIsOfItsAuthorityAndRises(t *testing.T) {
	s := newStage(t)
	first := s.list()
	s.c.t = birth.Add(time.Minute)
	second := s.list(store.Certificate{Serial: "0f", Revoked: birth, Reason: store.CessationOfOperation})
	inter, err := s.issuer(context.Background(), 7)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.CheckSignatureFrom(inter.cert); err != nil {
		t.Error(err)
	}
	if second.Number.Cmp(first.Number) <= 0 || second.NextUpdate.Sub(second.ThisUpdate) != CRLLife+crlBackdate {
		t.Error(first.Number, second.Number, second.ThisUpdate, second.NextUpdate)
	}
	if e := second.RevokedCertificateEntries; len(e) != 1 || e[0].SerialNumber.Int64() != 15 || e[0].ReasonCode != 5 {
		t.Errorf("%+v", e)
	}
}

// A node that joined under the old key, and one under the new, are known by the same root: nobody has to do anything on one day.
func TestTwoKeysOfATenantAreTrustedSideBySide(t *testing.T) {
	s := newStage(t)
	k, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	csr := request(t, k, &x509.CertificateRequest{})
	old, _, err := s.IssueNode(context.Background(), 7, 9, csr)
	if err != nil {
		t.Fatal(err)
	}
	next, err := s.Intermediate(7)
	if err != nil {
		t.Fatal(err)
	}
	s.kept.Replace(next)
	fresh, _, err := s.IssueNode(context.Background(), 7, 9, csr)
	if err != nil {
		t.Fatal(err)
	}
	for _, ders := range [][][]byte{old, fresh} {
		if _, err := trust.VerifyNode(parse(t, ders), s.RootCertificate(), s.c.instant()); err != nil {
			t.Error(err)
		}
	}
	if string(old[1]) == string(fresh[1]) {
		t.Error("the new key does not sign")
	}
}
