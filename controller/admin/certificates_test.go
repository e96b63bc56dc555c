package admin

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/controller/store"
)

// csr makes a device's request, PEM.
func csr(t *testing.T) string {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, k)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

func parsed(t *testing.T, text string) *x509.Certificate {
	t.Helper()
	b, _ := pem.Decode([]byte(text))
	c, err := x509.ParseCertificate(b.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (w *world) issue(c *admin.Client, name string) (admin.CreatedCertificate, error) {
	out, err := admin.Call(w.t.Context(), c, admin.CreateCertificate, admin.CreateCertificateIn{InTenant: in,
		Body: admin.NewCertificate{Name: name, CSR: csr(w.t), DNS: []string{name + ".example.com"}, IP: []string{"192.0.2.1"}}})
	return out.Body, err
}

// list fetches a revocation list as a gateway does: without a key.
func (w *world) list(path string) *x509.RevocationList {
	w.t.Helper()
	resp, body := w.raw(http.MethodGet, path, "", "")
	l, err := x509.ParseRevocationList([]byte(body))
	if err != nil || resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/pkix-crl" {
		w.t.Fatal(resp.StatusCode, resp.Header, err)
	}
	return l
}

func TestADeviceGetsACertificateAndLosesIt(t *testing.T) {
	w := newWorld(t)
	gate := must(w.issue(w.owner, "gate"))(t)
	if gate.State != "valid" || len(gate.DNS) != 1 || gate.IP[0] != "192.0.2.1" {
		t.Errorf("%+v", gate)
	}
	roots, inters := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(w.ca.RootCertificate())
	inters.AppendCertsFromPEM([]byte(gate.Chain))
	leaf := parsed(t, gate.PEM)
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: inters, DNSName: "gate.example.com"}); err != nil {
		t.Error(err)
	}
	_, err := admin.Call(t.Context(), w.owner, admin.CreateCertificate, admin.CreateCertificateIn{InTenant: in, Body: admin.NewCertificate{Name: "gate", CSR: "none", DNS: []string{"a"}}})
	if p := refused(t, err, admin.CodeInvalid); !strings.Contains(p.Hint, "openssl req") {
		t.Error(p)
	}
	_, err = w.issue(w.client(w.tenant.ID, time.Time{}, "operator"), "gate")
	refused(t, err, admin.CodePermission)

	path := must(admin.Call(t.Context(), w.owner, admin.ListCRLs, in))(t).Body.Items[0].Path
	if l := w.list(path); len(l.RevokedCertificateEntries) != 0 {
		t.Error("somebody is revoked already")
	}
	was := must(admin.Call(t.Context(), w.owner, admin.RevokeCertificate, admin.RevokeCertificateIn{OneCertificateIn: admin.OneCertificateIn{InTenant: in, Serial: strings.ToUpper(gate.Serial)}}))(t)
	if was.Body.State != "revoked" || was.Body.Reason != "unspecified" {
		t.Errorf("%+v", was.Body)
	}
	w.pass(crlFresh)
	l := w.list(path)
	if len(l.RevokedCertificateEntries) != 1 || l.RevokedCertificateEntries[0].SerialNumber.Cmp(leaf.SerialNumber) != 0 {
		t.Errorf("%+v", l.RevokedCertificateEntries)
	}
	if err := l.CheckSignatureFrom(parsed(t, gate.Chain)); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"/crl/x/y.crl", path + "x", strings.Replace(path, ".crl", ".der", 1), "/crl/" + w.tenant.ID.String() + "/" + strings.Repeat("0", 32) + ".crl"} {
		if resp, _ := w.raw(http.MethodGet, bad, "", ""); resp.StatusCode != http.StatusNotFound {
			t.Error(bad, resp.StatusCode)
		}
	}
	all := must(admin.Call(t.Context(), w.owner, admin.ListCertificates, admin.ListCertificatesIn{InTenant: in, Page: admin.Page{Limit: 10}}))(t)
	if len(all.Body.Items) != 1 || all.Body.Items[0].State != "revoked" {
		t.Errorf("%+v", all.Body.Items)
	}
}

func (w *world) ofNode(n store.Node, serial, issuer string) {
	w.t.Helper()
	if err := w.db.For(w.tenant.ID).Renewed(w.t.Context(), n.ID, store.Certificate{Serial: serial, Issuer: issuer, NotAfter: w.clock().Add(60 * 24 * time.Hour)}); err != nil {
		w.t.Fatal(err)
	}
}

func TestANodesCertificateGoesWithTheNode(t *testing.T) {
	w := newWorld(t)
	must(admin.Call(t.Context(), w.owner, admin.CreateNetwork, admin.CreateNetworkIn{InTenant: in, Body: admin.NewNetwork{Name: "office"}}))(t)
	n := w.join("office", "web", false)
	lists := must(admin.Call(t.Context(), w.owner, admin.ListCRLs, in))(t).Body.Items
	serial := strings.Repeat("0", 31) + "b"
	w.ofNode(n, serial, lists[0].Issuer)
	if l := must(admin.Call(t.Context(), w.owner, admin.ListCertificates, admin.ListCertificatesIn{InTenant: in, Node: "web"}))(t).Body.Items; len(l) != 1 || l[0].Serial != serial || l[0].Node != n.ID {
		t.Errorf("%+v", l)
	}
	_, err := admin.Call(t.Context(), w.owner, admin.ListCertificates, admin.ListCertificatesIn{InTenant: in, Node: "nobody"})
	refused(t, err, admin.CodeNotFound)
	one := admin.OneCertificateIn{InTenant: in, Serial: "0B"}
	_, err = admin.Call(t.Context(), w.owner, admin.RevokeCertificate, admin.RevokeCertificateIn{OneCertificateIn: one})
	if p := refused(t, err, admin.CodeConflict); !strings.Contains(p.Detail, n.ID.String()) {
		t.Error(p)
	}
	must(admin.Call(t.Context(), w.owner, admin.DeleteNode, admin.ChangeNodeIn{OneNodeIn: admin.OneNodeIn{InTenant: in, Node: "web"}}))(t)
	if c := must(admin.Call(t.Context(), w.owner, admin.GetCertificate, one))(t); c.Body.State != "revoked" || c.Body.Reason != "cessation-of-operation" {
		t.Errorf("%+v", c.Body)
	}
	if l := w.list(lists[0].Path); len(l.RevokedCertificateEntries) != 1 {
		t.Errorf("%+v", l.RevokedCertificateEntries)
	}
}

func TestARotationIsNoFlagDay(t *testing.T) {
	w := newWorld(t)
	must(admin.Call(t.Context(), w.owner, admin.CreateNetwork, admin.CreateNetworkIn{InTenant: in, Body: admin.NewNetwork{Name: "office"}}))(t)
	n := w.join("office", "web", false)
	finish := func(revoke bool) (admin.CAOut, error) {
		q := admin.FinishRotationIn{InTenant: in}
		q.Body.Revoke = revoke
		return admin.Call(t.Context(), w.owner, admin.FinishRotation, q)
	}
	before := must(admin.Call(t.Context(), w.owner, admin.GetCA, in))(t).Body
	_, err := finish(false)
	refused(t, err, admin.CodeConflict)
	w.ofNode(n, strings.Repeat("0", 31)+"b", before.Authorities[0].Serial)
	old := must(w.issue(w.owner, "gate"))(t)
	during := must(admin.Call(t.Context(), w.owner, admin.BeginRotation, admin.BeginRotationIn{InTenant: in}))(t).Body
	if during.Pin != before.Pin || len(during.Authorities) != 2 || during.Authorities[0].State != "signing" || during.Authorities[1].State != "trusted" ||
		during.Authorities[1].Serial != before.Authorities[0].Serial || during.Authorities[1].InForce != 2 || during.Authorities[1].Nodes != 1 {
		t.Fatalf("%+v", during)
	}
	_, err = admin.Call(t.Context(), w.owner, admin.BeginRotation, admin.BeginRotationIn{InTenant: in})
	refused(t, err, admin.CodeConflict)
	fresh := must(w.issue(w.owner, "gate"))(t)
	if fresh.Issuer != during.Authorities[0].Serial || old.Issuer != during.Authorities[1].Serial {
		t.Error("the new key does not sign")
	}
	_, err = finish(false)
	if p := refused(t, err, admin.CodeConflict); !strings.Contains(p.Detail, "1 certificates of nodes and 1 of devices") {
		t.Error(p)
	}
	w.ofNode(n, strings.Repeat("0", 31)+"c", during.Authorities[0].Serial)
	_, err = finish(false)
	if p := refused(t, err, admin.CodeConflict); !strings.Contains(p.Detail, "0 certificates of nodes and 1 of devices") {
		t.Error("a node that has renewed is waited for:", p)
	}
	after := must(finish(true))(t).Body
	if a := after.Authorities[1]; a.State != "ended" || a.InForce != 0 {
		t.Errorf("%+v", a)
	}
	for _, l := range must(admin.Call(t.Context(), w.owner, admin.ListCRLs, in))(t).Body.Items {
		want := 0
		if l.Issuer == before.Authorities[0].Serial {
			want = 2
		}
		if l.Entries != want || len(w.list(l.Path).RevokedCertificateEntries) != want {
			t.Errorf("%+v, want %d", l, want)
		}
	}
	// The last list counts for as long as what is on it would have.
	if last := w.list("/crl/" + w.tenant.ID.String() + "/" + before.Authorities[0].Serial + ".crl"); last.NextUpdate.Before(old.NotAfter) {
		t.Error(last.NextUpdate)
	}
	must(admin.Call(t.Context(), w.owner, admin.BeginRotation, admin.BeginRotationIn{InTenant: in}))(t)
	if got := must(finish(true))(t).Body; len(got.Authorities) != 3 || got.Authorities[1].State != "ended" {
		t.Errorf("%+v", got)
	}
}
