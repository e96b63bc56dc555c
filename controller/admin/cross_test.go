package admin

import (
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/internal/base/certtest"
	"github.com/cvlan/cvlan/internal/base/ident"
)

// company signs requests of authorities.
type company struct {
	w    *world
	root *certtest.Party
}

func (c company) signs(request admin.CARequest, years int) string {
	c.w.t.Helper()
	b, _ := pem.Decode([]byte(request.CSR))
	csr, err := x509.ParseCertificateRequest(b.Bytes)
	if err != nil {
		c.w.t.Fatal(err)
	}
	sub := c.root.IssueFor(csr.PublicKey, func(x *x509.Certificate) {
		certtest.Authority("")(x)
		x.Subject, x.MaxPathLenZero, x.SubjectKeyId = csr.Subject, true, []byte("a key of the company's counting")
		x.NotAfter = c.w.clock().AddDate(years, 0, 0)
	})
	return textOf(sub.Cert, c.root.Cert)
}

func (w *world) requests(subject string, same bool) (admin.RequestCertificateOut, error) {
	q := admin.RequestCertificateIn{InTenant: in}
	q.Body.Subject, q.Body.SameKey = subject, same
	return admin.Call(w.t.Context(), w.owner, admin.RequestCertificate, q)
}

func (w *world) installs(chain string) (admin.CAOut, error) {
	q := admin.InstallChainIn{InTenant: in}
	q.Body.Chain = chain
	return admin.Call(w.t.Context(), w.owner, admin.InstallChain, q)
}

// A company certifies the tenant's authority: its key is changed beside the old one, devices get the company's chain, and renewing the certificate later
// disturbs nobody.
func TestACompanyCertifiesTheAuthority(t *testing.T) {
	w := newWorld(t)
	firm := company{w, certtest.New(certtest.Authority("Example Root"))}
	_, err := w.installs(textOf(firm.root.Cert))
	if p := refused(t, err, admin.CodeInvalid); !strings.Contains(p.Detail, "no request waits") || !strings.Contains(p.Hint, "ca request") {
		t.Error(p)
	}
	before := must(w.issue(w.owner, "before"))(t)
	asked := must(w.requests("CN=CloudVLAN,O=Example Ltd", false))(t).Body
	if shown := must(admin.Call(t.Context(), w.owner, admin.GetCA, in))(t).Body.Request; shown == nil || shown.Subject != "CN=CloudVLAN,O=Example Ltd" || shown.CSR != asked.CSR {
		t.Fatalf("%+v", shown)
	}
	chain := firm.signs(asked, 3)
	got := must(w.installs(chain))(t).Body
	now := got.Authorities[0]
	if len(got.Authorities) != 2 || now.Subject != "CN=CloudVLAN,O=Example Ltd" || len(now.Cross) != 2 || now.Warning != "" || got.Request != nil {
		t.Fatalf("%+v", got)
	}
	gate := must(w.issue(w.owner, "gate"))(t)
	roots, inters := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(firm.root.Cert)
	inters.AppendCertsFromPEM([]byte(gate.Chain))
	if _, err := parsed(t, gate.PEM).Verify(x509.VerifyOptions{Roots: roots, Intermediates: inters, DNSName: "gate.example.com"}); err != nil {
		t.Error(err)
	}
	if before.Issuer != got.Authorities[1].Serial || gate.Issuer != now.Serial {
		t.Error("the new key does not sign")
	}
	_, err = w.installs(firm.signs(must(w.requests("", false))(t).Body, 3))
	refused(t, err, admin.CodeConflict) // while the first one has not ended

	again := must(w.requests("", true))(t).Body
	longer := must(w.installs(firm.signs(again, 5)))(t).Body
	if a := longer.Authorities; len(a) != 2 || a[0].Serial != now.Serial || !a[0].Cross[0].NotAfter.After(now.Cross[0].NotAfter) {
		t.Errorf("%+v", a)
	}
	q := admin.FinishRotationIn{InTenant: in}
	q.Body.Revoke = true
	must(admin.Call(t.Context(), w.owner, admin.FinishRotation, q))(t)
	_, err = admin.Call(t.Context(), w.owner, admin.BeginRotation, admin.BeginRotationIn{InTenant: in})
	if p := refused(t, err, admin.CodeConflict); !strings.Contains(p.Hint, "--own") {
		t.Error(p)
	}
	left := must(admin.Call(t.Context(), w.owner, admin.BeginRotation, admin.BeginRotationIn{InTenant: in, Own: true}))(t).Body.Authorities
	if len(left[0].Cross) != 0 || len(left[1].Cross) != 2 {
		t.Errorf("%+v", left)
	}
}

// What lies on somebody's desk to be signed stays worth it, until another subject is asked for.
func TestARequestThatWaitsIsGivenAgain(t *testing.T) {
	w := newWorld(t)
	first := must(w.requests("CN=CloudVLAN,O=Example Ltd", false))(t).Body
	for _, subject := range []string{"", "O=Example Ltd,CN=CloudVLAN"} {
		if again := must(w.requests(subject, false))(t).Body; again.CSR != first.CSR || !again.Created.Equal(first.Created) {
			t.Errorf("%q: %+v, not %+v", subject, again, first)
		}
	}
	if other := must(w.requests("CN=CloudVLAN,O=Another Ltd", false))(t).Body; other.CSR == first.CSR {
		t.Error("another subject is not asked for")
	}
}

func TestAFileThatIsNoChainIsRefused(t *testing.T) {
	w := newWorld(t)
	root := certtest.New(certtest.Authority("root")).Cert
	for why, text := range map[string]string{
		"no certificate":     "hello",
		"private key":        string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: []byte{1}})),
		"cannot be read":     string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1}})),
		"more than 16":       strings.Repeat(textOf(root), 17),
		"no request waits":   textOf(root),
		"the same subject":   "",
		"KIND=VALUE":         "",
		"no common name (CN": "",
	} {
		var err error
		switch why {
		case "the same subject":
			_, err = w.requests("CN=a", true)
		case "KIND=VALUE":
			_, err = w.requests("Example", false)
		case "no common name (CN":
			_, err = w.requests("O=Example", false)
		default:
			_, err = w.installs(text)
		}
		if p := refused(t, err, admin.CodeInvalid); !strings.Contains(p.Detail, why) || p.Hint == "" {
			t.Errorf("%s: %+v", why, p)
		}
	}
	_, err := admin.Call(t.Context(), w.client(w.tenant.ID, time.Time{}, "admin"), admin.RequestCertificate, admin.RequestCertificateIn{InTenant: in})
	refused(t, err, admin.CodePermission)
}

// What ends soon is told: everybody whether something does, the provider what.
func TestWhatEndsIsTold(t *testing.T) {
	w := newWorld(t)
	other := w.newTenant("other")
	ends, err := w.ca.Ends(t.Context(), []ident.Tenant{w.tenant.ID, other.ID})
	if err != nil {
		t.Fatal(err)
	}
	w.ends = ends
	for _, c := range []struct {
		days   int // before the end
		health string
		told   int
	}{{400, "", 0}, {60, "", 2}, {29, "ending", 2}, {-1, "ended", 2}} {
		w.mu.Lock()
		w.now = ends[1].At.AddDate(0, 0, -c.days)
		w.mu.Unlock()
		health := must(admin.Call(t.Context(), w.boss, admin.GetHealth, admin.Nothing{}))(t).Body
		told := must(admin.Call(t.Context(), w.boss, admin.GetController, admin.Nothing{}))(t).Body.Warnings
		if health.Authorities != c.health || health.Status != "ok" || len(told) != c.told {
			t.Errorf("%d days before: %+v, %q", c.days, health, told)
		}
	}
	if got := must(admin.Call(t.Context(), w.owner, admin.GetCA, admin.InTenant{Tenant: "default"}))(t).Body.Authorities[0].Warning; !strings.Contains(got, "rotate begin") {
		t.Errorf("ca show says %q", got)
	}
}
