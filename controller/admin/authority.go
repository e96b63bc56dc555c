package admin

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/controller/ca"
	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/logx"
)

func (s *server) getCA(ctx context.Context, t *tenant, _ *admin.InTenant) (*admin.CAOut, error) {
	return s.caOut(ctx, t)
}

// issuers returns a tenant's authorities, the one that signs first. The others have nothing but a certificate once they have ended.
func (s *server) issuers(ctx context.Context, h store.Handle, id ident.Tenant) ([]store.OldAuthority, error) {
	now, err := s.Store.Authority(ctx, id)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(now.Certificate)
	if err != nil {
		return nil, fmt.Errorf("authority of tenant %s: %w", id, err)
	}
	old, err := h.OldAuthorities(ctx)
	return append([]store.OldAuthority{{Authority: now, Serial: store.Serial(cert)}}, old...), err
}

func (s *server) caOut(ctx context.Context, t *tenant) (*admin.CAOut, error) {
	all, err := s.issuers(ctx, t.Handle, t.ID)
	if err != nil {
		return nil, err
	}
	signed, err := t.Certificates(ctx, true)
	if err != nil {
		return nil, err
	}
	pin := s.CA.Pin()
	out := &admin.CAOut{Body: admin.CA{Domain: s.CA.Domain(), Pin: hex.EncodeToString(pin[:]), Root: showCACert(s.CA.RootCertificate()), Authorities: []admin.Authority{}}}
	for _, a := range all {
		shown, err := s.showAuthority(a, signed)
		if err != nil {
			return nil, err
		}
		out.Body.Authorities = append(out.Body.Authorities, shown)
	}
	r, err := t.AuthorityRequest(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return out, nil
	}
	if err == nil {
		out.Body.Request, err = showRequest(r)
	}
	return out, err
}

func (s *server) showAuthority(a store.OldAuthority, signed []store.Certificate) (admin.Authority, error) {
	cert, err := x509.ParseCertificate(a.Certificate)
	if err != nil {
		return admin.Authority{}, fmt.Errorf("authority %s: %w", a.Serial, err)
	}
	out := admin.Authority{CACert: showCACert(cert), State: "signing", Replaced: a.Replaced, Ended: a.Ended}
	switch {
	case !a.Ended.IsZero():
		out.State = "ended"
	case !a.Replaced.IsZero():
		out.State = "trusted"
	}
	for _, der := range a.Cross {
		one, err := x509.ParseCertificate(der)
		if err != nil {
			return out, fmt.Errorf("authority %s: what another has given it: %w", a.Serial, err)
		}
		out.Cross = append(out.Cross, showCACert(one))
	}
	if out.State == "signing" {
		if out.Warning, err = s.warning(a.Authority); err != nil {
			return out, err
		}
	}
	newest := map[ident.Node]string{}
	for _, c := range signed {
		newest[c.Node] = c.Serial // they are in the order of their making
	}
	for _, c := range signed {
		if c.Issuer != a.Serial || !c.InForce(s.Now()) || !c.Node.IsZero() && newest[c.Node] != c.Serial {
			continue
		}
		out.InForce++
		if !c.Node.IsZero() {
			out.Nodes++
		}
		if c.NotAfter.After(out.LastEnds) {
			out.LastEnds = c.NotAfter
		}
	}
	return out, nil
}

// warning says what of an authority's ends soon.
func (s *server) warning(a store.Authority) (string, error) {
	ends, err := ca.Ends(a)
	var all []string
	for _, e := range ends {
		if w := e.Warning(s.Now()); w != "" {
			all = append(all, w)
		}
	}
	return strings.Join(all, "; "), err
}

func (s *server) beginRotation(ctx context.Context, t *tenant, in *admin.BeginRotationIn) (*admin.CAOut, error) {
	now, err := s.Store.Authority(ctx, t.ID)
	if err != nil {
		return nil, err
	}
	if len(now.Cross) > 0 && !in.Own {
		return nil, admin.CodeConflict.Problem(title(t.route), "the authority has a company's certificate, and a key made here has none",
			"have the company certify the next key: cvlan admin ca request; or leave it: cvlan admin ca rotate begin --own")
	}
	if err := s.began(t, s.rotation().Begin(ctx, t.actor(), t.ID)); err != nil {
		return nil, err
	}
	return s.caOut(ctx, t)
}

// began says of what begins a rotation that one is under way already.
func (s *server) began(t *tenant, err error) error {
	if errors.Is(err, store.ErrConflict) {
		return admin.CodeConflict.Problem(title(t.route), "a rotation is under way already", "finish it first: cvlan admin ca rotate finish")
	}
	return err
}

func (s *server) rotation() ca.Rotation {
	return ca.Rotation{CA: s.CA, Store: s.Store, Told: s.Rotated}
}

// finishRotation ends the old authority. Certificates of it that their nodes have replaced by newer ones are revoked in any case.
func (s *server) finishRotation(ctx context.Context, t *tenant, in *admin.FinishRotationIn) (*admin.CAOut, error) {
	all, err := s.issuers(ctx, t.Handle, t.ID)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(all[1:], func(a store.OldAuthority) bool { return a.Ended.IsZero() }) + 1
	if at == 0 {
		return nil, admin.CodeConflict.Problem(title(t.route), "no rotation is under way", "begin one with: cvlan admin ca rotate begin")
	}
	old := all[at]
	signed, err := t.Certificates(ctx, true)
	if err != nil {
		return nil, err
	}
	shown, err := s.showAuthority(old, signed)
	if err != nil {
		return nil, err
	}
	if shown.InForce > 0 && !in.Body.Revoke {
		return nil, admin.CodeConflict.Problem(title(t.route), fmt.Sprintf("%d certificates of nodes and %d of devices that it has signed are in force, the last until %s",
			shown.Nodes, shown.InForce-shown.Nodes, shown.LastEnds.Format(time.DateOnly)), "wait until nodes have renewed theirs, or revoke them: cvlan admin ca rotate finish --revoke")
	}
	if err := s.rotation().End(ctx, t.actor(), t.ID, old); err != nil {
		return nil, err
	}
	return s.caOut(ctx, t)
}

// crl makes an authority's list, or returns the last of one that has ended; nil if it has none.
func (s *server) crl(ctx context.Context, h store.Handle, a store.OldAuthority) ([]byte, error) {
	if !a.Ended.IsZero() {
		return a.LastCRL, nil
	}
	revoked, err := h.Revocations(ctx, a.Serial)
	if err != nil {
		return nil, err
	}
	return s.CA.CRL(a.Authority, revoked, time.Time{})
}

func (s *server) listCRLs(ctx context.Context, t *tenant, _ *admin.InTenant) (*admin.ListCRLsOut, error) {
	all, err := s.issuers(ctx, t.Handle, t.ID)
	if err != nil {
		return nil, err
	}
	out := &admin.ListCRLsOut{}
	out.Body.Items = []admin.CRL{}
	for i, a := range all {
		der, err := s.crl(ctx, t.Handle, a)
		switch {
		case errors.Is(err, ca.ErrNoLists) && i == 0:
			return nil, admin.CodeConflict.Problem(title(t.route), "the tenant's authority was made by a version without revocation lists", "give it a new key: cvlan admin ca rotate begin")
		case errors.Is(err, ca.ErrNoLists) || err == nil && len(der) == 0:
			continue
		case err != nil:
			return nil, err
		}
		l, err := x509.ParseRevocationList(der)
		if err != nil {
			return nil, err
		}
		out.Body.Items = append(out.Body.Items, admin.CRL{Issuer: a.Serial, Number: l.Number.String(), ThisUpdate: l.ThisUpdate, NextUpdate: l.NextUpdate,
			Entries: len(l.RevokedCertificateEntries), Path: "/crl/" + t.ID.String() + "/" + a.Serial + ".crl",
			PEM: string(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))})
	}
	return out, nil
}

// crlFresh is how long a list that everybody may ask for is served again before it is made anew.
const crlFresh = 10 * time.Second

// maxShelf bounds how many lists are kept.
const maxShelf = 1024

// shelf keeps lists for whoever asks without a key, so that asking often costs nothing.
type shelf struct {
	mu    sync.Mutex
	lists map[string]shelved
}

type shelved struct {
	der []byte
	at  time.Time
}

// publicCRL serves GET /crl/{tenant}/{file}, where the file is the authority's serial and .crl. It is no secret, and gateways have no key.
func (s *server) publicCRL(w http.ResponseWriter, r *http.Request) {
	serial, ok := strings.CutSuffix(r.PathValue("file"), ".crl")
	var id ident.Tenant
	if !ok || id.UnmarshalText([]byte(r.PathValue("tenant"))) != nil || len(serial) != 32 {
		unknown(w, r)
		return
	}
	der, err := s.shelved(r.Context(), id, serial)
	switch {
	case errors.Is(err, store.ErrNotFound):
		answer(w, admin.CodeNotFound.Problem("get a revocation list", "there is no such authority, or it has none", "see which there are: cvlan admin ca crl"))
	case err != nil:
		s.Log.Warn("revocation list not served", logx.Err, err)
		answer(w, admin.CodeInternal.Problem("get a revocation list", "the controller failed", "see the controller's log"))
	default:
		w.Header().Set("Content-Type", "application/pkix-crl") // RFC 2585 §4.2
		w.Header().Set("Cache-Control", "max-age=60")
		w.Write(der)
	}
}

func (s *server) shelved(ctx context.Context, id ident.Tenant, serial string) ([]byte, error) {
	key := id.String() + "/" + serial
	s.lists.mu.Lock()
	defer s.lists.mu.Unlock()
	if l, ok := s.lists.lists[key]; ok && s.Now().Sub(l.at).Abs() < crlFresh {
		return l.der, nil
	}
	all, err := s.issuers(ctx, s.Store.For(id), id)
	if err != nil {
		return nil, err
	}
	for _, a := range all {
		if a.Serial != serial {
			continue
		}
		der, err := s.crl(ctx, s.Store.For(id), a)
		if errors.Is(err, ca.ErrNoLists) || err == nil && len(der) == 0 {
			return nil, store.ErrNotFound
		}
		if err != nil {
			return nil, err
		}
		if s.lists.lists == nil || len(s.lists.lists) >= maxShelf {
			s.lists.lists = map[string]shelved{}
		}
		s.lists.lists[key] = shelved{der, s.Now()}
		return der, nil
	}
	return nil, store.ErrNotFound
}

// keyKind names a certificate's kind of key.
func keyKind(c *x509.Certificate) string {
	if k, ok := c.PublicKey.(*ecdsa.PublicKey); ok {
		return "ECDSA " + k.Curve.Params().Name
	}
	return c.PublicKeyAlgorithm.String()
}
