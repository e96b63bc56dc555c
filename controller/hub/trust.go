package hub

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/core/view"
	"github.com/cvlan/cvlan/proto/control"
)

// renewals is how many certificates a second a tenant's nodes are asked to renew when its authority has got a new key. One costs a signature, two
// verifications and a place in a group commit: this is a small part of one core.
const renewals = 500

// AuthoritiesChanged tells a tenant's nodes what its authorities are worth now. A tenant that is not loaded is told when it is.
func (h *Hub) AuthoritiesChanged(ctx context.Context, id ident.Tenant) error {
	t := h.known(id)
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.view == nil {
		return nil
	}
	c, err := t.setAuthorities(ctx, t.view)
	if err == nil {
		t.markAll(c)
	}
	return err
}

// setAuthorities asks the store under the tenant's lock, so that the last word is the newest.
func (t *tenant) setAuthorities(ctx context.Context, v *view.View) (view.Change, error) {
	now, err := t.hub.Store.Authority(ctx, t.id)
	if err != nil {
		return view.Change{}, err
	}
	old, err := t.hub.Store.For(t.id).OldAuthorities(ctx)
	if err != nil {
		return view.Change{}, err
	}
	return v.SetAuthorities(control.Authorities{Signing: control.AuthorityOf(now.Certificate), Ended: ended(old, t.hub.Now()), Spread: spread(len(t.nodes)), Cross: crossOf(now, old)}), nil
}

// crossOf is what other authorities have given those that count.
func crossOf(now store.Authority, old []store.OldAuthority) (all []control.Cross) {
	for _, a := range append([]store.OldAuthority{{Authority: now}}, old...) {
		if len(a.Cross) > 0 && a.Ended.IsZero() && len(all) < control.MaxCross {
			all = append(all, control.Cross{Authority: control.AuthorityOf(a.Certificate), Chain: a.Cross})
		}
	}
	return all
}

// ended are the authorities that have ended while certificates of theirs may not have, in order: the newest of them if there are many.
func ended(old []store.OldAuthority, now time.Time) (all []control.AuthorityID) {
	var last []store.OldAuthority
	for _, a := range old {
		if !a.Ended.IsZero() && now.Before(a.Ended.Add(store.CertLife)) {
			last = append(last, a)
		}
	}
	slices.SortStableFunc(last, func(a, b store.OldAuthority) int { return b.Ended.Compare(a.Ended) })
	for _, a := range last[:min(len(last), control.MaxEnded)] {
		all = append(all, control.AuthorityOf(a.Certificate))
	}
	slices.SortFunc(all, func(a, b control.AuthorityID) int { return bytes.Compare(a[:], b[:]) })
	return all
}

// spread is the time within which so many nodes renew their certificates.
func spread(nodes int) time.Duration {
	return min(time.Duration(nodes)*time.Second/renewals, control.MaxRenewalSpread)
}
