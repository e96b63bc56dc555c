package admin

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"hash/fnv"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/controller/ca"
	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/clean"
)

func (s *server) listCertificates(ctx context.Context, t *tenant, in *admin.ListCertificatesIn) (*admin.ListCertificatesOut, error) {
	all, err := t.Certificates(ctx, in.Nodes || in.Node != "")
	if err != nil {
		return nil, err
	}
	if in.Node != "" {
		n, err := t.node(ctx, in.Node)
		if err != nil {
			return nil, err
		}
		all = slices.DeleteFunc(all, func(c store.Certificate) bool { return c.Node != n.ID })
	}
	l, err := page(t.route, all, in.Page, func(c store.Certificate) mark { return mark{place(c.Serial), c.Created} }, s.showCertificate)
	return &admin.ListCertificatesOut{Body: l}, err
}

// place is a serial number as a cursor names it.
func place(serial string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(serial))
	return h.Sum64()
}

func (s *server) createCertificate(ctx context.Context, t *tenant, in *admin.CreateCertificateIn) (*admin.CreateCertificateOut, error) {
	d := ca.Device{Name: in.Body.Name, DNS: in.Body.DNS, Email: in.Body.Email, Life: time.Duration(or(in.Body.Days, admin.DefaultCertificateDays)) * 24 * time.Hour}
	block, _ := pem.Decode([]byte(in.Body.CSR))
	if block == nil || block.Type != "CERTIFICATE REQUEST" && block.Type != "NEW CERTIFICATE REQUEST" {
		return nil, invalid(t.route, "csr is no certificate request in PEM", "make one with: openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout gate.key -out gate.csr")
	}
	d.Request = block.Bytes
	for _, text := range in.Body.IP {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return nil, invalid(t.route, strconv.Quote(clean.Line(text, 80))+" is not an address", "such as 192.0.2.1 or 2001:db8::1")
		}
		d.IP = append(d.IP, a)
	}
	leaf, issuer, chain, err := s.CA.IssueDevice(ctx, t.ID, d)
	if err != nil {
		return nil, err
	}
	c := store.CertificateOf(leaf, issuer)
	c.Name, c.DER, c.DNS = d.Name, leaf.Raw, d.DNS
	if c, err = t.AddCertificate(ctx, t.actor(), c); err != nil {
		return nil, err
	}
	return &admin.CreateCertificateOut{Body: admin.CreatedCertificate{Certificate: s.showCertificate(c), Chain: textOf(chain...)}}, nil
}

func (s *server) getCertificate(ctx context.Context, t *tenant, in *admin.OneCertificateIn) (*admin.CertificateOut, error) {
	c, err := t.Certificate(ctx, tidySerial(in.Serial))
	return &admin.CertificateOut{Body: s.showCertificate(c)}, err
}

func (s *server) revokeCertificate(ctx context.Context, t *tenant, in *admin.RevokeCertificateIn) (*admin.CertificateOut, error) {
	why := store.Unspecified
	for r, name := range reasons {
		if name == in.Body.Reason {
			why = r
		}
	}
	c, err := t.RevokeCertificate(ctx, t.actor(), tidySerial(in.Serial), why)
	return &admin.CertificateOut{Body: s.showCertificate(c)}, err
}

// reasons are the names of reasons.
var reasons = map[store.Revocation]string{store.Unspecified: "unspecified", store.KeyCompromise: "key-compromise", store.Superseded: "superseded",
	store.CessationOfOperation: "cessation-of-operation"}

// tidySerial reads a serial number as other programs write it: in capitals, with colons, without leading zeros.
func tidySerial(s string) string {
	s = strings.ToLower(strings.ReplaceAll(s, ":", ""))
	if len(s) < 32 {
		s = strings.Repeat("0", 32-len(s)) + s
	}
	return s
}

func (s *server) showCertificate(c store.Certificate) admin.Certificate {
	out := admin.Certificate{Serial: c.Serial, State: s.state(!c.Revoked.IsZero(), c.NotAfter), Node: c.Node, Name: c.Name, DNS: list(c.DNS), IP: []string{}, Email: list(c.Email),
		Issuer: c.Issuer, NotBefore: c.NotBefore, NotAfter: c.NotAfter, Revoked: c.Revoked, Created: c.Created, CreatedBy: c.CreatedBy}
	for _, a := range c.IP {
		out.IP = append(out.IP, a.String())
	}
	if !c.Revoked.IsZero() {
		out.Reason = reasons[c.Reason]
	}
	if len(c.DER) > 0 {
		out.PEM = textOfDER(c.DER)
	}
	return out
}

// textOf writes certificates in PEM.
func textOf(certs ...*x509.Certificate) (text string) {
	for _, c := range certs {
		text += textOfDER(c.Raw)
	}
	return text
}

func textOfDER(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func showCACert(c *x509.Certificate) admin.CACert {
	sum := sha256.Sum256(c.Raw)
	return admin.CACert{Serial: store.Serial(c), Subject: c.Subject.String(), Fingerprint: hex.EncodeToString(sum[:]), Key: keyKind(c),
		NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC(), PEM: textOf(c)}
}
