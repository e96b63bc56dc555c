package ca

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/trust"
)

// How long certificates live. Nodes and relays renew at half of theirs.
const (
	RootLife   = 20 * 365 * 24 * time.Hour
	TenantLife = 10 * 365 * 24 * time.Hour
	ServerLife = 365 * 24 * time.Hour
	NodeLife   = 60 * 24 * time.Hour // less than store.CertLife
	RelayLife  = 60 * 24 * time.Hour
	// Backdate is how far before its making a certificate begins, for peers whose clocks are a little behind.
	Backdate = time.Hour
)

// Keeper keeps the authorities' certificates and keys; a store.Store is one. Tenant zero is the root.
type Keeper interface {
	// Authority returns store.ErrNotFound, perhaps wrapped, for one that was never set.
	Authority(ctx context.Context, id ident.Tenant) (store.Authority, error)
	// SetAuthority writes one that was never set; store.ErrExists otherwise.
	SetAuthority(ctx context.Context, a store.Authority) error
}

// Sealer encrypts private keys at rest, for machines that have where to keep the key for it (a TPM, a KMS).
type Sealer interface {
	Seal(plain []byte) ([]byte, error)
	Unseal(sealed []byte) ([]byte, error)
}

// Config says what the authority works with.
type Config struct {
	Keeper     Keeper
	Domain     string           // trust domain, for the root that is made if there is none; one label
	Controller ident.Controller // whose server certificate it makes
	Now        func() time.Time // nil: time.Now
	Sealer     Sealer           // nil: keys are as safe as the database's folder
}

// CA issues certificates. Its methods may be called from any goroutine.
type CA struct {
	keeper     Keeper
	sealer     Sealer
	now        func() time.Time
	controller ident.Controller
	root       signer

	mu      sync.Mutex
	server  *tls.Certificate
	renewAt time.Time
}

// signer is an authority that can sign.
type signer struct {
	cert  *x509.Certificate
	key   *ecdsa.PrivateKey
	cross []*x509.Certificate // see store.Authority
}

// Open loads the root, or makes it at first start.
func Open(ctx context.Context, cfg Config) (*CA, error) {
	clock := trust.Clock{Local: cfg.Now} // what is issued must be good by the clock that nodes check with
	c := &CA{keeper: cfg.Keeper, sealer: cfg.Sealer, controller: cfg.Controller, now: func() time.Time { return clock.Now().At }}
	if cfg.Controller.IsZero() {
		return nil, errors.New("certificate authority: the controller has no identifier")
	}
	var err error
	c.root, err = c.load(ctx, 0)
	if errors.Is(err, store.ErrNotFound) {
		c.root, err = c.makeRoot(ctx, cfg.Domain)
	}
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	return c, nil
}

// Root returns the root certificate in DER.
func (c *CA) Root() []byte { return c.root.cert.Raw }

// RootCertificate returns what trust.VerifyNode checks against. It is not to be changed.
func (c *CA) RootCertificate() *x509.Certificate { return c.root.cert }

// Pin returns what join keys carry: SHA-256 of the root's SubjectPublicKeyInfo.
func (c *CA) Pin() [32]byte { return key.Fingerprint(c.root.cert) }

// Domain returns the trust domain.
func (c *CA) Domain() string { return c.root.cert.Subject.CommonName }

func (c *CA) makeRoot(ctx context.Context, domain string) (signer, error) {
	if !clean.IsLabel(domain) {
		return signer{}, fmt.Errorf("trust domain %.63q: want one label of lower case letters, digits and hyphens", domain)
	}
	s, err := selfSign(domain, c.now())
	if err != nil {
		return signer{}, err
	}
	a, err := c.seal(0, s)
	if err != nil {
		return signer{}, err
	}
	if err := c.keeper.SetAuthority(ctx, a); err != nil && !errors.Is(err, store.ErrExists) {
		return signer{}, fmt.Errorf("keep the root: %w", err)
	}
	return c.load(ctx, 0) // what is kept, also if another was quicker
}

// load reads an authority and opens its key.
func (c *CA) load(ctx context.Context, t ident.Tenant) (signer, error) {
	whose := "root"
	if !t.IsZero() {
		whose = "authority of tenant " + t.String()
	}
	a, err := c.keeper.Authority(ctx, t)
	if err != nil {
		return signer{}, fmt.Errorf("%s: %w", whose, err)
	}
	s, err := c.unseal(a)
	if err != nil {
		return signer{}, fmt.Errorf("%s: %w; restore the database from a backup", whose, err)
	}
	return s, nil
}

func (c *CA) seal(t ident.Tenant, s signer) (store.Authority, error) {
	der, err := c.sealKey(s.key)
	return store.Authority{Tenant: t, Certificate: s.cert.Raw, Key: der}, err
}

func (c *CA) sealKey(k *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err == nil && c.sealer != nil {
		der, err = c.sealer.Seal(der)
	}
	return der, err
}

func (c *CA) unseal(a store.Authority) (signer, error) {
	cert, err := x509.ParseCertificate(a.Certificate)
	if err != nil {
		return signer{}, errors.New("its certificate is damaged")
	}
	k, err := c.unsealKey(a.Key)
	if err != nil {
		return signer{}, err
	}
	if !k.PublicKey.Equal(cert.PublicKey) {
		return signer{}, errNotItsKey
	}
	s := signer{cert: cert, key: k}
	for _, der := range a.Cross {
		one, err := x509.ParseCertificate(der)
		if err != nil {
			return signer{}, errors.New("a certificate that another authority has given is damaged")
		}
		s.cross = append(s.cross, one)
	}
	return s, nil
}

var errNotItsKey = errors.New("its key is not the certificate's")

func (c *CA) unsealKey(der []byte) (_ *ecdsa.PrivateKey, err error) {
	if c.sealer != nil {
		if der, err = c.sealer.Unseal(der); err != nil {
			return nil, fmt.Errorf("unseal its key: %w", err)
		}
	}
	k, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errors.New("its key is damaged") // the cause could quote the key
	}
	ec, ok := k.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errNotItsKey
	}
	return ec, nil
}
