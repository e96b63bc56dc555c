package sqlite

import (
	"bytes"
	"context"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/clean"
)

// ReplaceAuthority implements store.Handle.
func (h handle) ReplaceAuthority(ctx context.Context, actor string, next store.Authority) error {
	cert, err := x509.ParseCertificate(next.Certificate)
	if err != nil || next.Tenant != h.tenant || len(next.Key) == 0 {
		return fmt.Errorf("authority of tenant %s: %w: the next one is not whole", h.tenant, store.ErrInvalid)
	}
	return h.write(ctx, func(w *work) error {
		if n, err := own(w, value[int], countOldAuthorities); err != nil || n > 0 {
			return errors.Join(err, fmt.Errorf("authority of tenant %s: %w: the one before it has not ended", h.tenant, store.ErrConflict))
		}
		was, old, err := h.signing(w)
		if err != nil {
			return err
		}
		if _, err := w.audit(actor, "authority.replace", h.tenant, slog.String("old", store.Serial(old)), slog.String("new", store.Serial(cert)), slog.Bool("certified", len(next.Cross) > 0)); err != nil {
			return err
		}
		if err := w.exec(insertOldAuthority, store.Serial(old), was.Certificate, was.Key, micro(w.now), together(was.Cross)); err != nil {
			return err
		}
		if err := w.exec(endRequest, next.Key); err != nil {
			return err
		}
		return w.exec(replaceAuthority, next.Certificate, next.Key, together(next.Cross))
	})
}

// signing is the tenant's authority, and its certificate.
func (h handle) signing(w *work) (a store.Authority, cert *x509.Certificate, err error) {
	if a, err = own(w, scanAuthority, selectAuthority); err != nil {
		return a, nil, missing(err, "authority of tenant", h.tenant)
	}
	if cert, err = x509.ParseCertificate(a.Certificate); err != nil {
		err = fmt.Errorf("authority of tenant %s: its certificate: %w", h.tenant, err)
	}
	return a, cert, err
}

// OldAuthorities implements store.Handle.
func (h handle) OldAuthorities(ctx context.Context) ([]store.OldAuthority, error) {
	return readAll(ctx, h, scanOldAuthority, selectOldAuthorities)
}

// SetCross implements store.Handle.
func (h handle) SetCross(ctx context.Context, actor, serial string, cross [][]byte) error {
	return h.write(ctx, func(w *work) error {
		_, cert, err := h.signing(w)
		if err != nil {
			return err
		}
		if store.Serial(cert) != serial {
			return fmt.Errorf("authority %s: %w: another one signs meanwhile", serial, store.ErrConflict)
		}
		if _, err := w.audit(actor, "authority.certify", text(serial), slog.Int("certificates", len(cross))); err != nil {
			return err
		}
		return w.exec(setCross, together(cross))
	})
}

// AuthorityRequest implements store.Handle.
func (h handle) AuthorityRequest(ctx context.Context) (store.AuthorityRequest, error) {
	r, err := read(ctx, h, scanRequest, selectRequest)
	return r, missing(err, "certificate request of tenant", h.tenant)
}

// SetAuthorityRequest implements store.Handle.
func (h handle) SetAuthorityRequest(ctx context.Context, actor string, r store.AuthorityRequest) (store.AuthorityRequest, error) {
	if len(r.Key) == 0 || len(r.CSR) == 0 {
		return r, fmt.Errorf("certificate request of tenant %s: %w: it is not whole", h.tenant, store.ErrInvalid)
	}
	err := h.write(ctx, func(w *work) error {
		if _, err := w.audit(actor, "authority.request", h.tenant); err != nil {
			return err
		}
		r.Created, r.CreatedBy = w.now, clean.Line(actor, maxActor)
		return w.exec(setRequest, r.Key, r.CSR, micro(r.Created), r.CreatedBy)
	})
	return r, err
}

// EndAuthority implements store.Handle.
func (h handle) EndAuthority(ctx context.Context, actor, serial string, last []byte) error {
	return h.write(ctx, func(w *work) error {
		if n, err := own(w, value[int], countInForceOf, serial, micro(w.now)); err != nil {
			return err
		} else if n > 0 {
			return fmt.Errorf("authority %s: %w: %d certificates of it are in force", serial, store.ErrConflict, n)
		}
		switch n, err := w.change(endAuthority, serial, micro(w.now), last); {
		case err != nil:
			return err
		case n == 0:
			return fmt.Errorf("authority %s: %w among those to be ended", serial, store.ErrNotFound)
		}
		_, err := w.audit(actor, "authority.end", text(serial))
		return err
	})
}

func scanOldAuthority(rows *sql.Rows) (a store.OldAuthority, err error) {
	var replaced, ended int64
	var cross []byte
	if err := rows.Scan(&a.Tenant, &a.Serial, &a.Certificate, &a.Key, &replaced, &ended, &a.LastCRL, &cross); err != nil {
		return a, err
	}
	a.Replaced, a.Ended = instant(replaced), instant(ended)
	a.Cross, err = apart(cross)
	return a, err
}

func scanRequest(rows *sql.Rows) (r store.AuthorityRequest, err error) {
	var created int64
	err = rows.Scan(&r.Key, &r.CSR, &created, &r.CreatedBy)
	r.Created = instant(created)
	return r, err
}

// together writes certificates one behind the other, never NULL; apart takes them apart again.
func together(ders [][]byte) []byte { return append([]byte{}, bytes.Join(ders, nil)...) }

func apart(ders []byte) (all [][]byte, err error) {
	if len(ders) == 0 {
		return nil, nil
	}
	certs, err := x509.ParseCertificates(ders)
	if err != nil {
		return nil, errors.New("the certificates that another authority has given are damaged; restore the database from a backup")
	}
	for _, c := range certs {
		all = append(all, c.Raw)
	}
	return all, nil
}
