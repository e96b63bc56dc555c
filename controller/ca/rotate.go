package ca

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
)

// Rotation gives tenants' authorities other keys.
type Rotation struct {
	CA    *CA
	Store store.Store
	// Told hears, once it is committed, that what a tenant's authorities are worth has changed; nil: nobody does.
	Told func(context.Context, ident.Tenant)
}

// Begin has another key sign from now on. It is store.ErrConflict while an older one has not ended.
func (r Rotation) Begin(ctx context.Context, actor string, t ident.Tenant) error {
	next, err := r.CA.Intermediate(t)
	if err != nil {
		return err
	}
	return r.begin(ctx, actor, next)
}

func (r Rotation) begin(ctx context.Context, actor string, next store.Authority) error {
	if err := r.Store.For(next.Tenant).ReplaceAuthority(ctx, actor, next); err != nil {
		return err
	}
	r.tell(ctx, next.Tenant)
	return nil
}

// Certified takes what another authority has given: for the key that signs already it is put beside it, and nobody has to do anything; for the key of
// the request that waits it is a rotation that begins. See CA.Adopt.
func (r Rotation) Certified(ctx context.Context, actor string, t ident.Tenant, given []*x509.Certificate) error {
	h := r.Store.For(t)
	now, err := r.Store.Authority(ctx, t)
	if err != nil {
		return err
	}
	cert, err := x509.ParseCertificate(now.Certificate)
	if err != nil {
		return fmt.Errorf("authority of tenant %s: %w", t, err)
	}
	if slices.ContainsFunc(given, func(c *x509.Certificate) bool {
		return bytes.Equal(c.RawSubjectPublicKeyInfo, cert.RawSubjectPublicKeyInfo)
	}) {
		cross, err := r.CA.AdoptAgain(now, given)
		if err != nil {
			return err
		}
		if err := h.SetCross(ctx, actor, store.Serial(cert), cross); err != nil {
			return err
		}
		r.tell(ctx, t)
		return nil
	}
	request, err := h.AuthorityRequest(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return refuse("make a request first, and have that signed: cvlan admin ca request", "no request waits, and none of the %d certificates is for the key that signs now", len(given))
	}
	if err != nil {
		return err
	}
	next, err := r.CA.Adopt(t, request, given)
	if err != nil {
		return err
	}
	return r.begin(ctx, actor, next)
}

// End ends an old authority, and revokes what it has signed and is in force. Its key signs one more list, which is in force until the last
// of its certificates would have ended.
func (r Rotation) End(ctx context.Context, actor string, t ident.Tenant, old store.OldAuthority) error {
	h := r.Store.For(t)
	if _, err := h.RevokeAllOf(ctx, actor, old.Serial); err != nil {
		return err
	}
	last, err := r.lastList(ctx, h, old)
	if err != nil {
		return err
	}
	if err := h.EndAuthority(ctx, actor, old.Serial, last); err != nil {
		return err
	}
	r.tell(ctx, t)
	return nil
}

// lastList is empty for an authority that can sign none.
func (r Rotation) lastList(ctx context.Context, h store.Handle, old store.OldAuthority) ([]byte, error) {
	revoked, err := h.Revocations(ctx, old.Serial)
	if err != nil {
		return nil, err
	}
	ends := r.CA.now()
	for _, c := range revoked {
		if c.NotAfter.After(ends) {
			ends = c.NotAfter
		}
	}
	list, err := r.CA.CRL(old.Authority, revoked, ends.Add(store.CertMemory))
	if errors.Is(err, ErrNoLists) {
		return []byte{}, nil
	}
	return list, err
}

// tell has whoever must know told, also if the caller has gone meanwhile.
func (r Rotation) tell(ctx context.Context, t ident.Tenant) {
	if r.Told != nil {
		r.Told(context.WithoutCancel(ctx), t)
	}
}
