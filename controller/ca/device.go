package ca

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"net/mail"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/trust"
)

// How long certificates of devices live. Apple's systems take none that lives for more than 825 days.
const (
	DeviceLife    = 365 * 24 * time.Hour
	MaxDeviceLife = 825 * 24 * time.Hour
)

// Bounds of RSA keys, in bits: less is weak, more only costs its peers time.
const (
	minRSA = 2048
	maxRSA = 8192
)

// Device is what a certificate for a device without an agent is made of: an IPsec gateway, a phone, a router. It has no URI, so it is
// nobody's to package trust: its holder is no node, no relay and no controller.
type Device struct {
	Request []byte // PKCS #10, DER; only its key counts
	Name    string // label; the common name, for people
	DNS     []string
	IP      []netip.Addr
	Email   []string
	Life    time.Duration // 0: DeviceLife
}

// IssueDevice issues a certificate for a device and returns it, its tenant's authority's, and the chain that its holder shows: up to our root, or to
// that of the authority which has certified the tenant's. What it may not be is store.ErrInvalid.
//
// Its extended usages are those of servers, clients and IKE. Strict peers ask for the third, Windows and Apple's systems for the first
// (of a gateway). Windows compares the address that it dials with DNS names too, so addresses stand there as well.
func (c *CA) IssueDevice(ctx context.Context, t ident.Tenant, d Device) (leaf, issuer *x509.Certificate, chain []*x509.Certificate, err error) {
	public, err := parseDevice(d.Request)
	if err == nil {
		err = d.check()
	}
	if err != nil {
		return nil, nil, nil, fmt.Errorf("certificate for %.63q: %w: %w", d.Name, store.ErrInvalid, err)
	}
	inter, err := c.issuer(ctx, t)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("certificate for %q: %w", d.Name, err)
	}
	if d.Life == 0 {
		d.Life = DeviceLife
	}
	tmpl := deviceTemplate(c.Domain(), c.now(), d, inter.cert.NotAfter)
	der, err := x509.CreateCertificate(rand.Reader, tmpl, inter.cert, public, inter.key)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("certificate for %q: sign: %w", d.Name, err)
	}
	if leaf, err = x509.ParseCertificate(der); err != nil || len(inter.cross) == 0 {
		return leaf, inter.cert, []*x509.Certificate{inter.cert, c.root.cert}, err
	}
	if err := verifyCross(leaf, inter.cross, c.now()); err != nil {
		return nil, nil, nil, fmt.Errorf("certificate for %q: %w: those who know only %s would not believe it: %w", d.Name, store.ErrInvalid,
			called(inter.cross[len(inter.cross)-1]), err)
	}
	return leaf, inter.cert, inter.cross, nil
}

func deviceTemplate(domain string, now time.Time, d Device, issuerEnds time.Time) *x509.Certificate {
	tmpl := template(trust.Name{}, now, d.Life, issuerEnds)
	tmpl.Subject.CommonName = d.Name
	tmpl.Subject.Organization = []string{domain}
	tmpl.DNSNames, tmpl.EmailAddresses = slices.Clone(d.DNS), d.Email
	for _, a := range d.IP {
		tmpl.IPAddresses = append(tmpl.IPAddresses, a.AsSlice())
		tmpl.DNSNames = append(tmpl.DNSNames, a.String())
	}
	tmpl.KeyUsage = x509.KeyUsageDigitalSignature
	tmpl.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	tmpl.UnknownExtKeyUsage = []asn1.ObjectIdentifier{ikeUsage}
	return tmpl
}

func (d Device) check() error {
	switch {
	case !clean.IsLabel(d.Name):
		return errors.New("its name is not a label: lower case letters, digits and hyphens")
	case len(d.DNS)+len(d.IP)+len(d.Email) == 0:
		return errors.New("it has no name that a peer could know it by; give a DNS name, an address or a mailbox")
	case len(d.DNS) > store.MaxNames || len(d.IP) > store.MaxNames || len(d.Email) > store.MaxNames:
		return fmt.Errorf("it has more than %d names of a kind", store.MaxNames)
	case d.Life < 0 || d.Life > MaxDeviceLife:
		return fmt.Errorf("it would live for more than %d days", int(MaxDeviceLife.Hours()/24))
	}
	for _, n := range d.DNS {
		if !isHost(n) {
			return fmt.Errorf("%.255q is not a DNS name; wildcards are not taken", n)
		}
	}
	for _, a := range d.IP {
		if !a.IsValid() || a.Zone() != "" || a.IsUnspecified() || a.IsMulticast() {
			return fmt.Errorf("%s is not an address of one machine", a)
		}
	}
	for _, m := range d.Email {
		if p, err := mail.ParseAddress(m); err != nil || p.Address != m || len(m) > 254 {
			return fmt.Errorf("%.254q is not a mailbox", m)
		}
	}
	return nil
}

// isHost reports whether a string is a DNS name of one host, in ASCII.
func isHost(n string) bool {
	if n == "" || len(n) > 253 {
		return false
	}
	for l := range strings.SplitSeq(n, ".") {
		if !clean.IsLabel(strings.ToLower(l)) {
			return false
		}
	}
	return true
}

// parseDevice reads a device's request. Old gear and smart cards have RSA keys, so more kinds of keys are taken than of nodes.
func parseDevice(der []byte) (crypto.PublicKey, error) {
	if len(der) > maxDeviceRequest {
		return nil, fmt.Errorf("%w: %d bytes, want at most %d", errRequest, len(der), maxDeviceRequest)
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, fmt.Errorf("%w: not PKCS #10", errRequest)
	}
	switch k := csr.PublicKey.(type) {
	case *ecdsa.PublicKey:
		if k.Curve.Params().BitSize < 256 {
			return nil, fmt.Errorf("%w: its curve is too small; use P-256 or P-384", errRequest)
		}
	case ed25519.PublicKey:
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n < minRSA || n > maxRSA {
			return nil, fmt.Errorf("%w: its RSA key has %d bits, want %d to %d", errRequest, n, minRSA, maxRSA)
		}
	default:
		return nil, fmt.Errorf("%w: its kind of key is not known; use ECDSA, RSA or Ed25519", errRequest)
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, fmt.Errorf("%w: it is not signed by its own key", errRequest)
	}
	return csr.PublicKey, nil
}
