package ca

import (
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/cvlan/cvlan/controller/store"
)

// CRLLife is how long a revocation list says that it is in force: long enough for a gateway that gets it once a day from a controller that
// is away for days. It is less than store.CertMemory.
const CRLLife = 7 * 24 * time.Hour

// crlBackdate is how far before its making a list begins, for peers whose clocks are a little behind.
const crlBackdate = 5 * time.Minute

// ErrNoLists: the authority was made before authorities could sign lists.
var ErrNoLists = errors.New("it was made by a version without revocation lists; give it a new key: cvlan admin ca rotate begin")

// CRL signs a revocation list (RFC 5280 §5) of an authority: what was revoked of what it has signed. until zero: CRLLife from now. Its number
// is the time in milliseconds, so that a later list has the higher one.
func (c *CA) CRL(a store.Authority, revoked []store.Certificate, until time.Time) ([]byte, error) {
	s, err := c.unseal(a)
	if err != nil {
		return nil, fmt.Errorf("revocation list: authority of tenant %s: %w", a.Tenant, err)
	}
	if s.cert.KeyUsage&x509.KeyUsageCRLSign == 0 {
		return nil, fmt.Errorf("revocation list: authority of tenant %s: %w", a.Tenant, ErrNoLists)
	}
	now := c.now()
	if until.IsZero() {
		until = now.Add(CRLLife)
	}
	list := &x509.RevocationList{Number: big.NewInt(now.UnixMilli()), ThisUpdate: now.Add(-crlBackdate), NextUpdate: until}
	for _, r := range revoked {
		n, ok := new(big.Int).SetString(r.Serial, 16)
		if !ok {
			return nil, fmt.Errorf("revocation list: %q is not a serial number", r.Serial)
		}
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: n, RevocationTime: r.Revoked, ReasonCode: int(r.Reason)})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, s.cert, s.key)
	if err != nil {
		return nil, fmt.Errorf("revocation list: sign: %w", err)
	}
	return der, nil
}
