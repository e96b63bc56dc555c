//go:build e2e && linux

package e2e

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/certtest"
)

// depends counts the connected nodes' certificates that the old key of the tenant's authority has signed.
func (c *controller) depends() (n int) {
	c.w.t.Helper()
	var ca admin.CA
	c.w.must(json.Unmarshal([]byte(c.admin("ca", "rotate", "status", "--json")), &ca))
	for _, a := range ca.Authorities {
		if a.State == "trusted" {
			n += a.Nodes
		}
	}
	return n
}

// An owner has a whole network speak IPsec, gives its authority another key and ends the old one, all under a steady stream of packets through a relay. Not one
// is lost until the end, and few then.
func TestAnAuthorityGetsAnotherKeyUnderTraffic(t *testing.T) {
	w := begin(t)
	c, n, _, _ := w.apart(0, "sym", "sym")
	n[0].reaches("n2", soon)
	n[0].reachesBy("n2", local.PathRelay, heals)
	flow := n[0].sends(n[1])
	start := time.Now()
	c.admin("network", "set", "office", "--protocol", "ipsec")
	n[0].speaks("n2", local.IPsecProtocol, heals)
	n[1].speaks("n1", local.IPsecProtocol, heals)
	c.admin("ca", "rotate", "begin")
	began := time.Now()
	w.eventually(heals, "all connected nodes have certificates of the new key", func() error {
		if left := c.depends(); left > 0 {
			return fmt.Errorf("%d have not", left)
		}
		return nil
	})
	t.Logf("renewed within %v", time.Since(began).Round(time.Millisecond))
	if tally := w.flows(flow, start, heals); tally.Lost > 0 {
		t.Errorf("until the old key ends: %v", tally)
	}
	ends, was := time.Now(), n[0].pair("n2").In
	c.admin("ca", "rotate", "finish")
	w.eventually(heals, "the pair has proved itself anew", func() error {
		if now := n[0].pair("n2").In; now == was || now == "" {
			return fmt.Errorf("its association is %q", now)
		}
		return nil
	})
	tally := w.flows(flow, ends, heals)
	t.Logf("from the end of the old key: %v", tally)
	if tally.Silence > 2*time.Second {
		t.Errorf("the old key has ended: %v", tally)
	}
	n[0].speaks("n2", local.IPsecProtocol, heals)
}

// An owner puts the authority under a company's root while packets pass by IPsec: what is wrong is refused with words, what is right is a rotation like any other, and
// in the end a node's certificate is believed by the company's root alone.
func TestAnAuthorityComesUnderACompanysRootUnderTraffic(t *testing.T) {
	w := begin(t)
	c, n, _, _ := w.apart(0, "sym", "sym")
	n[0].reaches("n2", soon)
	c.admin("network", "set", "office", "--protocol", "ipsec")
	n[0].speaks("n2", local.IPsecProtocol, heals)
	n[1].speaks("n1", local.IPsecProtocol, heals)
	flow := n[0].sends(n[1])
	start := time.Now()

	root := certtest.New(certtest.Authority("Example Root"))
	request := c.admin("ca", "request", "--subject", "CN=CloudVLAN,O=Example Ltd")
	install := func(change certtest.Edit) (string, error) {
		return c.Admin(w.ctx, companySigns(t, root, request, change), "ca", "install", "-")
	}
	out, err := install(func(x *x509.Certificate) {
		x.IsCA, x.MaxPathLenZero, x.KeyUsage = false, false, x509.KeyUsageDigitalSignature
	})
	if err == nil || !strings.Contains(err.Error(), "CA:TRUE is missing") {
		t.Errorf("a server's certificate is installed: %s %v", out, err)
	}
	_, err = install(nil)
	w.must(err)
	w.eventually(heals, "all connected nodes have certificates of the new key", func() error {
		if left := c.depends(); left > 0 {
			return fmt.Errorf("%d have not", left)
		}
		return nil
	})
	c.admin("ca", "rotate", "finish")
	n[0].speaks("n2", local.IPsecProtocol, heals)
	tally := w.flows(flow, start, heals)
	t.Logf("over all of it: %v", tally)
	if tally.Silence > 2*time.Second {
		t.Errorf("under a company's root: %v", tally)
	}
	leaf, above := split(t, n[0].types("cert", "show", "--company"))
	roots := x509.NewCertPool()
	roots.AddCert(root.Cert)
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: above, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Error(err)
	}
}

// companySigns makes of a request what a company's authority would, with its own certificate behind it.
func companySigns(t *testing.T, root *certtest.Party, request string, change certtest.Edit) string {
	t.Helper()
	b, _ := pem.Decode([]byte(request))
	if b == nil {
		t.Fatalf("no request: %s", request)
	}
	csr, err := x509.ParseCertificateRequest(b.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	sub := root.IssueFor(csr.PublicKey, func(x *x509.Certificate) {
		certtest.Authority("")(x)
		x.RawSubject, x.MaxPathLenZero, x.SubjectKeyId = csr.RawSubject, true, []byte("as the company counts")
		if change != nil {
			change(x)
		}
	})
	var text []byte
	for _, c := range []*x509.Certificate{sub.Cert, root.Cert} {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return string(text)
}

// split reads a certificate and those behind it.
func split(t *testing.T, text string) (leaf *x509.Certificate, above *x509.CertPool) {
	t.Helper()
	b, rest := pem.Decode([]byte(text))
	if b == nil {
		t.Fatalf("no certificate: %s", text)
	}
	leaf, err := x509.ParseCertificate(b.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	above = x509.NewCertPool()
	above.AppendCertsFromPEM(rest)
	return leaf, above
}

// A node is deleted while packets pass both ways through a relay: within two seconds nothing of it comes through any more.
func TestADeletedNodeIsCutOffWithinTwoSeconds(t *testing.T) {
	w := begin(t)
	c, n, _, _ := w.apart(0, "sym", "sym")
	n[0].reaches("n2", soon)
	c.admin("network", "set", "office", "--protocol", "ipsec")
	n[0].speaks("n2", local.IPsecProtocol, heals)
	out := n[1].sends(n[0])
	w.flows(out, time.Now(), heals)
	c.admin("node", "delete", "n2", "--yes")
	deleted := time.Now()
	var quiet time.Duration
	w.eventually(4*time.Second, "nothing has come from n2 for two seconds", func() error {
		if quiet = out.Since(deleted, late).Quiet; quiet < 2*time.Second {
			return fmt.Errorf("it is quiet for %v", quiet)
		}
		return nil
	})
	t.Logf("nothing came %v after the command any more", max(0, time.Since(deleted)-quiet).Round(time.Millisecond))
	if got := n[0].types("status"); strings.Contains(got, "n2") {
		t.Errorf("n1 still shows it:\n%s", got)
	}
}
