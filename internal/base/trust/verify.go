package trust

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/words"
)

// VerifyController checks what a controller presented (leaf, then the root) against the pin: SHA-256 of the root's
// SubjectPublicKeyInfo (key.Fingerprint). The root travels because a machine that joins knows nothing but the pin.
func VerifyController(chain []*x509.Certificate, pin [32]byte, when Instant) (Name, error) {
	return verifyServer(RoleController, chain, pin, when)
}

// VerifyRelay checks what a relay presented, as VerifyController does.
func VerifyRelay(chain []*x509.Certificate, pin [32]byte, when Instant) (Name, error) {
	return verifyServer(RoleRelay, chain, pin, when)
}

func verifyServer(role Role, chain []*x509.Certificate, pin [32]byte, when Instant) (Name, error) {
	if len(chain) != 2 {
		return Name{}, fmt.Errorf("%w: the %s presented %s, want its own and the root", ErrPin, role, words.Count(len(chain), "certificate"))
	}
	if err := CheckRoot(chain[1], pin); err != nil {
		return Name{}, err
	}
	if err := verifyPath(role, chain, x509.ExtKeyUsageServerAuth, when); err != nil {
		return Name{}, err
	}
	return expect(role, chain[0], chain[1])
}

// VerifyNode checks what a node presented (leaf, then its tenant's intermediate) against the root itself. The name that it returns
// is whose traffic may be believed: the tenant in it is the one that the intermediate speaks for. A node checks the chains that it
// is given for itself with it, too.
func VerifyNode(chain []*x509.Certificate, root *x509.Certificate, when Instant) (Name, error) {
	if len(chain) != 2 {
		return Name{}, fmt.Errorf("node presented %d certificates, want its own and its tenant's authority's", len(chain))
	}
	leaf, inter := chain[0], chain[1]
	if err := verifyPath(RoleNode, []*x509.Certificate{leaf, inter, root}, x509.ExtKeyUsageClientAuth, when); err != nil {
		return Name{}, err
	}
	t, err := expect(RoleTenant, inter, root)
	if err != nil {
		return Name{}, err
	}
	n, err := expect(RoleNode, leaf, root)
	if err != nil {
		return Name{}, err
	}
	if n.Tenant != t.Tenant {
		return Name{}, fmt.Errorf("%w: the authority of tenant %s has issued a certificate for tenant %s", ErrRole, t.Tenant, n.Tenant)
	}
	return n, nil
}

// CheckRoot checks that root is the pinned one and has signed itself, so that nothing in it is somebody else's addition.
func CheckRoot(root *x509.Certificate, pin [32]byte) error {
	if key.Fingerprint(root) != pin {
		return fmt.Errorf("%w: its authority's fingerprint is %x…, the key says %x…; is the address right, or was the controller set up anew?",
			ErrPin, fingerprintStart(root), pin[:4])
	}
	if err := root.CheckSignatureFrom(root); err != nil {
		return fmt.Errorf("%w: its root certificate is not signed by its own key", ErrPin)
	}
	return nil
}

func fingerprintStart(c *x509.Certificate) []byte {
	f := key.Fingerprint(c)
	return f[:4]
}

// verifyPath checks signatures, constraints, usages and validity along path: the leaf, each issuer, the trusted root last.
//
// A NotBefore that lies ahead of the clock is taken as news of the time, not as a fault. That is safe: the certificate is signed
// under a root that we trust not to date ahead, so the clock must be behind, and whoever could forge a signature could as well
// forge an earlier date. What it saves is the machine whose clock stands in 1970. The time so learned counts for the whole path:
// nothing else in it may have expired by then.
func verifyPath(holder Role, path []*x509.Certificate, usage x509.ExtKeyUsage, when Instant) error {
	leaf, root := path[0], path[len(path)-1]
	for _, c := range path {
		if k, ok := c.PublicKey.(*ecdsa.PublicKey); !ok || k.Curve != elliptic.P256() {
			return errors.New("certificate chain has a key that is not ECDSA on P-256")
		}
		when = when.raised(c.NotBefore)
	}
	opts := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: when.At, KeyUsages: []x509.ExtKeyUsage{usage}}
	opts.Roots.AddCert(root)
	for _, c := range path[1 : len(path)-1] {
		opts.Intermediates.AddCert(c)
	}
	if e := firstExpired(holder, path, when); e != nil && signed(path) {
		return e // a stranger's dates would be no reason to doubt the clock
	}
	chains, err := leaf.Verify(opts)
	switch {
	case err != nil:
		return fmt.Errorf("the certificate of the %s does not descend from the authority: %w", holder, err)
	case !slices.ContainsFunc(chains, func(c []*x509.Certificate) bool { return len(c) == len(path) }):
		return fmt.Errorf("%w: the certificate of the %s was not issued by whom it was presented with", ErrRole, holder)
	case leaf.IsCA || leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0 || !slices.Contains(leaf.ExtKeyUsage, usage):
		return fmt.Errorf("%w: the certificate of the %s is not made for that use", ErrRole, holder)
	}
	return nil
}

// firstExpired returns the certificate of the path that ended first, if one has.
func firstExpired(holder Role, path []*x509.Certificate, when Instant) *ExpiredError {
	var e *ExpiredError
	for i, c := range path {
		if !when.At.After(c.NotAfter) || e != nil && c.NotAfter.After(e.NotAfter) {
			continue
		}
		whose := holder.String()
		if i > 0 {
			whose = "authority of the " + whose
		}
		e = &ExpiredError{Whose: whose, NotAfter: c.NotAfter, When: when}
	}
	return e
}

// signed reports whether each certificate of the path is signed by the next one.
func signed(path []*x509.Certificate) bool {
	for i, c := range path[:len(path)-1] {
		if c.CheckSignatureFrom(path[i+1]) != nil {
			return false
		}
	}
	return true
}

// expect returns the certificate's name if it is of the role and of the root's trust domain.
func expect(role Role, c, root *x509.Certificate) (Name, error) {
	n, err := NameOf(c)
	switch {
	case err != nil:
		return Name{}, err
	case n.Role != role:
		return Name{}, fmt.Errorf("%w: a %s's certificate (%s) where a %s's is wanted", ErrRole, n.Role, n, role)
	case n.Domain != root.Subject.CommonName:
		return Name{}, fmt.Errorf("%w: %s is not of the trust domain %.63q", ErrRole, n, root.Subject.CommonName)
	}
	return n, nil
}
