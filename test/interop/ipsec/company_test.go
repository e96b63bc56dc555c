//go:build interop && linux

package ipsec

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"testing"
	"time"

	"github.com/cvlan/cvlan/controller/ca"
	"github.com/cvlan/cvlan/internal/base/certtest"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/lab"
)

// The other side knows a company's root and nothing else. Our node has the certificate that its controller has given it, of an authority that the company has
// certified; theirs is of another authority of the company's.
func TestWhoKnowsOnlyACompanysRootMeetsANode(t *testing.T) {
	for _, kind := range []string{"ecdsa-p256", "rsa-3072"} {
		for _, first := range []string{"we", "they"} {
			t.Run(kind+"/"+first, func(t *testing.T) {
				t.Parallel()
				v := modern
				v.kind, v.company = kind, true
				meet(t, v, func(w *world) {
					if first == "they" {
						w.theirs.does("--initiate", "--child", "c", "--timeout", "10")
					}
					w.reach()
					w.ping(20, 5*time.Millisecond)
				})
			})
		}
	}
}

// certifyByCompany writes both sides' certificates, and returns what ours calls us.
func (w *world) certifyByCompany(there *lab.Host, kind string) string {
	w.t.Helper()
	firm := newAuthority(w.t, kind)
	firm.Party = (*certtest.Party)(nil).IssueWith(firm.key(), years("Example Root"))
	branch := &authority{Party: firm.IssueWith(firm.key(), years("Example Issuing 2")), t: w.t, make: signers[kind]}
	branch.issue(w.them, false, there.Path(theirCert), there.Path(theirKey), there.Path(theirLink))
	firm.write(there.Path(theirCA), pem.Block{Type: "CERTIFICATE", Bytes: firm.Cert.Raw})

	var kept ca.Memory
	const tenant ident.Tenant = 7
	authorities, err := ca.Open(w.ctx, ca.Config{Keeper: &kept, Domain: "k7mplant", Controller: 3})
	w.must(err)
	r, err := authorities.Request(tenant, authorities.DefaultSubject("acme"))
	w.must(err)
	csr, err := x509.ParseCertificateRequest(r.CSR)
	w.must(err)
	issuing := firm.IssueWith(firm.key(), years("Example Issuing 1"))
	sub := issuing.IssueFor(csr.PublicKey, func(c *x509.Certificate) {
		years("")(c)
		c.RawSubject, c.MaxPathLenZero, c.SubjectKeyId = csr.RawSubject, true, []byte("as the company counts")
	})
	adopted, err := authorities.Adopt(tenant, r, []*x509.Certificate{sub.Cert, issuing.Cert, firm.Cert})
	w.must(err)
	w.must(kept.SetAuthority(w.ctx, adopted))

	id, err := key.NewIdentity()
	w.must(err)
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, id.Signer())
	w.must(err)
	node, _, err := authorities.IssueNode(w.ctx, tenant, 9, request)
	w.must(err)
	private, err := x509.MarshalPKCS8PrivateKey(id.Signer())
	w.must(err)
	firm.write(w.ours.Path("/run/node/cert"), certs(append(node[:1:1], adopted.Cross[:2]...))...)
	firm.write(w.ours.Path("/run/node/key"), pem.Block{Type: "PRIVATE KEY", Bytes: private})
	firm.write(w.ours.Path("/run/node/ca"), pem.Block{Type: "CERTIFICATE", Bytes: firm.Cert.Raw})
	return "CN=" + ident.Node(9).String()
}

func years(name string) certtest.Edit {
	return func(c *x509.Certificate) {
		certtest.Authority(name)(c)
		c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().AddDate(3, 0, 0)
	}
}

func certs(ders [][]byte) (blocks []pem.Block) {
	for _, der := range ders {
		blocks = append(blocks, pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	return blocks
}
