package pki

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// Store is what is trusted.
type Store struct {
	Roots         []*x509.Certificate
	Intermediates []*x509.Certificate // that peers need not send
	CRLs          []*x509.RevocationList
	// Strict refuses a certificate for whose authority there is no revocation list that is in force.
	Strict bool
	// Signatures are those that the certificates may have (RFC 8603 §4.1, for CNSA); nil: what the standard library believes, which has no SHA-1.
	Signatures *crypt.Signatures
}

// Limits on what a peer that has proved nothing yet can have us look at.
const (
	maxChain = 8    // certificates
	maxRSA   = 8192 // bits of a key: to verify a signature of 65,536 takes a second
)

var (
	errNone    = errors.New("the peer sent no certificate")
	errRevoked = errors.New("a certificate is revoked")
	errNoList  = errors.New("there is no revocation list in force for a certificate")
	errUse     = errors.New("the certificate is not for authentication in IKE")
	errName    = errors.New("the certificate is not for the identity that the peer claims")
)

// ikeUsage is the extended key usage for IPsec's key exchange (RFC 4945 §5.1.3.12). None at all, any, and those of TLS will do too.
var ikeUsage = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 17}

// Key is the public key of the peer whose certificate is the first of certs, if that proves id at the time now. Others are links to a
// root.
func (s *Store) Key(id msg.Identity, certs []msg.Cert, now time.Time) (crypto.PublicKey, error) {
	chain, err := parse(certs)
	if err != nil {
		return nil, err
	}
	leaf := chain[0]
	pool, roots := x509.NewCertPool(), x509.NewCertPool()
	for _, c := range slices.Concat(chain[1:], s.Intermediates) {
		pool.AddCert(c)
	}
	for _, c := range s.Roots {
		roots.AddCert(c)
	}
	paths, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: pool, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err != nil {
		return nil, fmt.Errorf("verify the peer's certificate: %w", err)
	}
	switch {
	case leaf.IsCA || leaf.KeyUsage != 0 && leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0 || !forIKE(leaf):
		return nil, errUse
	case !names(leaf, id):
		return nil, errName
	}
	for _, path := range paths {
		if err = s.good(path, now); err == nil {
			return leaf.PublicKey, nil
		}
	}
	return nil, err
}

func parse(certs []msg.Cert) (chain []*x509.Certificate, err error) {
	for _, c := range certs {
		if c.Encoding != msg.CertX509 {
			continue
		}
		if len(chain) == maxChain {
			return nil, fmt.Errorf("the peer sent more than %d certificates", maxChain)
		}
		one, err := x509.ParseCertificate(c.Data)
		if err != nil {
			return nil, fmt.Errorf("read the peer's certificate %d: %w", len(chain)+1, err)
		}
		if k, ok := one.PublicKey.(*rsa.PublicKey); ok && k.N.BitLen() > maxRSA {
			return nil, fmt.Errorf("read the peer's certificate %d: a key of %d bits; the most are %d", len(chain)+1, k.N.BitLen(), maxRSA)
		}
		chain = append(chain, one)
	}
	if len(chain) == 0 {
		return nil, errNone
	}
	return chain, nil
}

func forIKE(c *x509.Certificate) bool {
	if len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) == 0 {
		return true
	}
	for _, u := range c.ExtKeyUsage {
		if u == x509.ExtKeyUsageAny || u == x509.ExtKeyUsageServerAuth || u == x509.ExtKeyUsageClientAuth {
			return true
		}
	}
	return slices.ContainsFunc(c.UnknownExtKeyUsage, ikeUsage.Equal)
}

// names reports whether an identity is in a certificate.
func names(c *x509.Certificate, id msg.Identity) bool {
	switch id.Kind {
	case msg.IDFQDN:
		return slices.ContainsFunc(c.DNSNames, func(n string) bool { return strings.EqualFold(n, string(id.Data)) && !strings.Contains(n, "*") })
	case msg.IDEmail:
		return slices.Contains(c.EmailAddresses, string(id.Data))
	case msg.IDIPv4, msg.IDIPv6:
		a, ok := id.Addr()
		return ok && slices.ContainsFunc(c.IPAddresses, func(ip net.IP) bool {
			in, ok := netip.AddrFromSlice(ip)
			return ok && in.Unmap() == a.Unmap()
		})
	case msg.IDDN:
		return bytes.Equal(c.RawSubject, id.Data)
	}
	return false
}

// good reports whether a path, from the certificate to the root, is signed as it must be, and nothing on it is revoked.
func (s *Store) good(path []*x509.Certificate, now time.Time) error {
	if s.Signatures != nil {
		if err := s.Signatures.Chain(path); err != nil {
			return err
		}
	}
	return s.inForce(path, now)
}

// inForce reports whether nothing on a path is revoked.
func (s *Store) inForce(path []*x509.Certificate, now time.Time) error {
	for i, c := range path[:len(path)-1] {
		known := false
		for _, list := range s.CRLs {
			if !bytes.Equal(list.RawIssuer, c.RawIssuer) || list.CheckSignatureFrom(path[i+1]) != nil {
				continue
			}
			if slices.ContainsFunc(list.RevokedCertificateEntries, func(r x509.RevocationListEntry) bool { return r.SerialNumber.Cmp(c.SerialNumber) == 0 }) {
				return errRevoked // also by a list that is old: what was revoked stays so
			}
			signed := s.Signatures == nil || s.Signatures.Certify(list.SignatureAlgorithm)
			known = known || signed && !now.Before(list.ThisUpdate) && (list.NextUpdate.IsZero() || now.Before(list.NextUpdate))
		}
		if s.Strict && !known {
			return errNoList
		}
	}
	return nil
}
