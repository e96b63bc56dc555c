package store

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/ident"
)

// Bounds of certificates.
const (
	// MaxCertificates is how many certificates of devices a tenant may have in force. Those of nodes are bounded by the nodes.
	MaxCertificates = 10_000
	// MaxNames is how many names of each kind a device's certificate may have.
	MaxNames = 16
	// CertMemory is how long a certificate is remembered after its end: longer than any revocation list says that it is in force, so
	// that none that was revoked is missing on a list while it could count (RFC 5280 §3.3).
	CertMemory = 8 * 24 * time.Hour
)

// Revocation is why a certificate was revoked: a CRLReason of RFC 5280 §5.3.1.
type Revocation int

// The reasons that are given here.
const (
	Unspecified          Revocation = 0
	KeyCompromise        Revocation = 1
	Superseded           Revocation = 4
	CessationOfOperation Revocation = 5
)

// Certificate is what the store remembers of a certificate that a tenant's authority has signed, for a node or for a device without an
// agent.
type Certificate struct {
	Serial    string     // 32 hexadecimal digits
	Issuer    string     // serial of the authority's certificate
	Node      ident.Node // whose; zero: a device's
	Name      string     // of the device, a label; names need not be unique
	DNS       []string
	IP        []netip.Addr
	Email     []string
	NotBefore time.Time
	NotAfter  time.Time
	DER       []byte // empty for nodes
	Created   time.Time
	CreatedBy string
	Revoked   time.Time // zero: it is not
	Reason    Revocation
}

// InForce reports whether the certificate counts at an instant.
func (c Certificate) InForce(now time.Time) bool { return c.Revoked.IsZero() && now.Before(c.NotAfter) }

// Serial writes a certificate's serial number as it is kept and shown.
func Serial(c *x509.Certificate) string { return fmt.Sprintf("%032x", c.SerialNumber) }

// CertificateOf says of a certificate what there is to keep besides whose it is.
func CertificateOf(leaf, issuer *x509.Certificate) Certificate {
	c := Certificate{Serial: Serial(leaf), Issuer: Serial(issuer), DNS: leaf.DNSNames, Email: leaf.EmailAddresses, NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter}
	for _, ip := range leaf.IPAddresses {
		if a, ok := netip.AddrFromSlice(ip); ok {
			c.IP = append(c.IP, a.Unmap())
		}
	}
	return c
}

// CheckCertificate reports why a device's certificate cannot be kept, or nil.
func CheckCertificate(c Certificate) error {
	switch {
	case !clean.IsLabel(c.Name):
		return fmt.Errorf("certificate %.64q: %w: its name is not a label", c.Name, ErrInvalid)
	case c.Serial == "" || c.Issuer == "" || len(c.DER) == 0 || !c.Node.IsZero():
		return fmt.Errorf("certificate %q: %w: it is not whole", c.Name, ErrInvalid)
	case len(c.DNS) > 2*MaxNames || len(c.IP) > MaxNames || len(c.Email) > MaxNames:
		return fmt.Errorf("certificate %q: %w: it has too many names", c.Name, ErrInvalid)
	}
	return nil
}

// OldAuthority is an authority of a tenant that does not sign certificates any more. While its certificates are trusted it signs revocation
// lists; when it has ended its key is gone, and the last of them is kept.
type OldAuthority struct {
	Authority
	Serial   string
	Replaced time.Time
	Ended    time.Time // zero: what it has signed is still trusted
	LastCRL  []byte    // DER, once it has ended
}

// AuthorityRequest is the key of a tenant's next authority, and the request that another authority certify it. What is not certified is of no use.
type AuthorityRequest struct {
	Key       []byte // as Authority.Key
	CSR       []byte // PKCS #10, DER
	Created   time.Time
	CreatedBy string
}

// Certificates is what is kept of what a tenant's authority has signed, and of the authorities that it had before.
type Certificates interface {
	// Renewed notes a new certificate of a node, and its end.
	Renewed(ctx context.Context, id ident.Node, c Certificate) error
	// AddCertificate notes a device's.
	AddCertificate(ctx context.Context, actor string, c Certificate) (Certificate, error)
	Certificate(ctx context.Context, serial string) (Certificate, error)
	// Certificates returns those that have not ended, in the order of their making: of devices, or of all.
	Certificates(ctx context.Context, nodes bool) ([]Certificate, error)
	// Revocations returns those of an authority that are to be on its list.
	Revocations(ctx context.Context, issuer string) ([]Certificate, error)
	// RevokeCertificate revokes a device's; one that is revoked already stays as it is. A node's is revoked by deleting the node: ErrConflict.
	RevokeCertificate(ctx context.Context, actor, serial string, why Revocation) (Certificate, error)

	// ReplaceAuthority puts another authority in the place of the tenant's, which becomes an old one. Two at a time are enough: ErrConflict
	// while one that is older has not ended.
	ReplaceAuthority(ctx context.Context, actor string, next Authority) error
	OldAuthorities(ctx context.Context) ([]OldAuthority, error) // the newest first
	// SetCross replaces the certificates that another authority has given the one that signs, which must have this serial: ErrConflict.
	SetCross(ctx context.Context, actor, serial string, cross [][]byte) error
	// AuthorityRequest returns the one that waits, SetAuthorityRequest puts another in its place. ReplaceAuthority by one of its key ends it.
	AuthorityRequest(ctx context.Context) (AuthorityRequest, error)
	SetAuthorityRequest(ctx context.Context, actor string, r AuthorityRequest) (AuthorityRequest, error)
	// RevokeAllOf revokes what an old authority has signed and is still in force, and returns how many that were.
	RevokeAllOf(ctx context.Context, actor, issuer string) (int, error)
	// EndAuthority forgets the key of an old authority and keeps its last list. While certificates of it are in force it is ErrConflict.
	EndAuthority(ctx context.Context, actor, serial string, last []byte) error
}
