package ca

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/proto/control"
)

// MinCrossLife is for how long at least a chain of another authority has to be good yet: longer than what is signed for nodes.
const MinCrossLife = NodeLife + 30*24*time.Hour

// Refusal is why a certificate of another authority is not taken, and what to tell the people who look after that. It is store.ErrInvalid.
type Refusal struct{ Why, Remedy string }

// Error implements error.
func (r *Refusal) Error() string { return r.Why }

// Unwrap makes it what the store calls invalid.
func (r *Refusal) Unwrap() error { return store.ErrInvalid }

func refuse(remedy, why string, args ...any) error {
	return &Refusal{fmt.Sprintf(why, args...), remedy}
}

// certified finds the chain for a key among certificates, that key's own first and a root last, and refuses it unless whatever the key signs for a
// tenant will be believed by those who know only the root. Checked is, in this order: that it is whole; each certificate for itself; and in the end
// samples of what will be signed, by the code with which others verify.
func (c *CA) certified(t ident.Tenant, k *ecdsa.PrivateKey, all []*x509.Certificate) ([]*x509.Certificate, error) {
	at := slices.IndexFunc(all, func(c *x509.Certificate) bool { return k.PublicKey.Equal(c.PublicKey) })
	if at < 0 {
		return nil, refuse("have the newest request signed: cvlan admin ca request", "none of the %d certificates is for the key of the request", len(all))
	}
	chain, err := ascend(all[at], all)
	if err != nil {
		return nil, err
	}
	if n := len(bytes.Join(raw(chain), nil)); n > control.MaxCrossBytes {
		return nil, refuse("use an authority nearer to the root", "the chain has %d bytes, and at most %d are taken", n, control.MaxCrossBytes)
	}
	for i, one := range chain {
		if err := c.mayCertify(one, i, len(chain)); err != nil {
			return nil, err
		}
	}
	return chain, c.trySamples(t, k, chain)
}

// called names a certificate in a refusal.
func called(c *x509.Certificate) string { return fmt.Sprintf("%.100q", c.Subject.String()) }

// ascend orders certificates from one up to a root.
func ascend(from *x509.Certificate, all []*x509.Certificate) ([]*x509.Certificate, error) {
	chain := []*x509.Certificate{from}
	for c := from; !isRoot(c); c = chain[len(chain)-1] {
		if len(chain) == control.MaxCrossChain {
			return nil, refuse("use an authority nearer to the root", "the chain has more than %d certificates", control.MaxCrossChain)
		}
		if !strongSignature(c) {
			return nil, refuse("have it signed with ECDSA, or RSA from 2048 bits, and SHA-256 or better", "%s is signed with %s", called(c), c.SignatureAlgorithm)
		}
		var why error
		at := slices.IndexFunc(all, func(above *x509.Certificate) bool {
			if !bytes.Equal(above.RawSubject, c.RawIssuer) || slices.Contains(chain, above) {
				return false
			}
			err := above.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature)
			why = errors.Join(why, err)
			return err == nil
		})
		switch {
		case at < 0 && why != nil:
			return nil, refuse("ask for the certificate with which it was signed", "%s is not signed by the certificate of its issuer in the file: %v", called(c), why)
		case at < 0:
			return nil, refuse("append its certificate, and so on up to the root, which is signed by itself", "the issuer of %s is missing: %.100q", called(c), c.Issuer.String())
		}
		chain = append(chain, all[at])
	}
	if len(chain) == 1 {
		return nil, refuse("have the request signed by the company's authority", "the certificate is signed by its own key")
	}
	return chain, nil
}

// isRoot reports whether a certificate is signed by its own key. With which algorithm does not matter: nobody who trusts it looks.
func isRoot(c *x509.Certificate) bool {
	err := c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature)
	var old x509.InsecureAlgorithmError
	return bytes.Equal(c.RawSubject, c.RawIssuer) && (err == nil || errors.As(err, &old))
}

// strongSignature reports whether a certificate is signed with an algorithm that is believed.
func strongSignature(c *x509.Certificate) bool {
	switch c.SignatureAlgorithm {
	case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA, x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
		x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512, x509.PureEd25519:
		return true
	}
	return false
}

// mayCertify checks one certificate of a chain of n, the i-th from below, for itself.
func (c *CA) mayCertify(one *x509.Certificate, i, n int) error {
	const made = "ask for a certificate of a subordinate authority (AD CS: template SubCA; OpenSSL: basicConstraints=critical,CA:TRUE,pathlen:0 and keyUsage=critical,keyCertSign,cRLSign)"
	now, name := c.now(), called(one)
	switch {
	case !one.BasicConstraintsValid || !one.IsCA:
		return refuse(made, "%s is not an authority's certificate: CA:TRUE is missing", name)
	case one.KeyUsage&x509.KeyUsageCertSign == 0 && (i < n-1 || one.KeyUsage != 0):
		return refuse(made, "%s may not sign certificates: keyCertSign is missing", name)
	case i == 0 && one.KeyUsage&x509.KeyUsageCRLSign == 0:
		return refuse(made, "%s may not sign revocation lists: cRLSign is missing", name)
	case i == 0 && len(one.SubjectKeyId) == 0:
		return refuse("ask for one: OpenSSL: subjectKeyIdentifier=hash", "%s has no subject key identifier (RFC 5280 §4.2.1.2)", name)
	case (one.MaxPathLen > 0 || one.MaxPathLenZero) && one.MaxPathLen < i:
		return refuse("use an authority nearer to the root, or have its path length (pathlen) raised", "%s allows %d authorities below it, and there are %d", name, one.MaxPathLen, i)
	case now.Before(one.NotBefore):
		return refuse("see whether this machine's clock is right", "%s is good only from %s on", name, one.NotBefore.UTC().Format(time.DateTime))
	case one.NotAfter.Before(now):
		return refuse("have it renewed, and ask for a new one under it", "%s has ended on %s", name, one.NotAfter.UTC().Format(time.DateOnly))
	case one.NotAfter.Before(now.Add(MinCrossLife)):
		return refuse("ask for one that lives for some years, under authorities that do", "%s ends on %s; it has to be good for %d days yet, longer than the certificates of nodes", name,
			one.NotAfter.UTC().Format(time.DateOnly), int(MinCrossLife.Hours()/24))
	case len(one.UnhandledCriticalExtensions) > 0:
		return refuse("have it signed without", "%s has a critical extension that peers may not know: %s", name, one.UnhandledCriticalExtensions[0])
	}
	return strongKey(one)
}

// strongKey refuses keys that FIPS 186-5 does not allow.
func strongKey(one *x509.Certificate) error {
	switch k := one.PublicKey.(type) {
	case *ecdsa.PublicKey:
		if k.Curve.Params().BitSize >= 256 {
			return nil
		}
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n >= minRSA && n <= maxRSA {
			return nil
		}
	case ed25519.PublicKey:
		return nil
	}
	return refuse(fmt.Sprintf("use an authority with ECDSA from P-256 on, or RSA of %d to %d bits", minRSA, maxRSA), "the key of %s is of a kind or size that is not taken", called(one))
}

// trySamples signs what a node and a device would get, and has it verified by the root alone: so name constraints (RFC 5280 §4.2.1.10) and usages are seen
// as others see them.
func (c *CA) trySamples(t ident.Tenant, k *ecdsa.PrivateKey, chain []*x509.Certificate) error {
	by := signer{cert: chain[0], key: k}
	node := c.nodeTemplate(t, 1, by.cert)
	device := deviceTemplate(c.Domain(), c.now(), Device{Name: "sample", Life: NodeLife}, by.cert.NotAfter)
	for _, tmpl := range []*x509.Certificate{node, device} {
		leaf, err := sign(tmpl, by, &k.PublicKey)
		if err != nil {
			return err
		}
		if err := verifyCross(leaf, chain, c.now()); err != nil {
			return c.explain(err)
		}
	}
	return nil
}

// verifyCross verifies a certificate by the root of a chain alone.
func verifyCross(leaf *x509.Certificate, chain []*x509.Certificate, now time.Time) error {
	o := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: now}
	o.Roots.AddCert(chain[len(chain)-1])
	for _, one := range chain[:len(chain)-1] {
		o.Intermediates.AddCert(one)
	}
	for _, use := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		o.KeyUsages = []x509.ExtKeyUsage{use}
		if _, err := leaf.Verify(o); err != nil {
			return err
		}
	}
	return nil
}

// explain says of what samples fail for what the company's people have to change.
func (c *CA) explain(err error) error {
	var bad x509.CertificateInvalidError
	if errors.As(err, &bad) {
		switch bad.Reason {
		case x509.CANotAuthorizedForThisName, x509.UnconstrainedName, x509.TooManyConstraints:
			return refuse("have the constraints on URIs left out, or the host "+c.Domain()+" permitted there",
				"the chain's name constraints do not allow the names of nodes, spiffe://%s/…: %v", c.Domain(), err)
		case x509.IncompatibleUsage, x509.CANotAuthorizedForExtKeyUsage:
			return refuse("have them left out of authorities' certificates, or serverAuth and clientAuth put in", "the chain's extended key usages do not allow certificates for servers and clients")
		case x509.NoValidChains, x509.TooManyIntermediates, x509.NotAuthorizedToSign:
			return refuse("ask for the certificates with which it was signed", "the chain does not lead to its root: %v", err)
		}
	}
	return refuse("ask for the certificates with which it was signed", "what the key signs is not believed by the chain's root: %v", err)
}
