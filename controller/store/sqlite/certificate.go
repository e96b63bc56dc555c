package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/ident"
)

// Renewed implements store.Handle.
func (h handle) Renewed(ctx context.Context, id ident.Node, c store.Certificate) error {
	return h.write(ctx, func(w *work) error {
		switch n, err := w.change(renewNode, int64(id), micro(c.NotAfter)); {
		case err != nil:
			return err
		case n == 0:
			return missing(store.ErrNotFound, "node", id)
		}
		born, err := w.audit(system, "node.renew", id, slog.String("serial", c.Serial), slog.Time("until", c.NotAfter))
		if err != nil {
			return err
		}
		if err := w.exec(forgetCertificatesOf, int64(id), micro(w.now.Add(-store.CertMemory))); err != nil {
			return err
		}
		c.Node, c.CreatedBy, c.DER = id, system, []byte{}
		return w.insertCertificate(c, born)
	})
}

// AddCertificate implements store.Handle.
func (h handle) AddCertificate(ctx context.Context, actor string, c store.Certificate) (store.Certificate, error) {
	if err := store.CheckCertificate(c); err != nil {
		return c, err
	}
	err := h.write(ctx, func(w *work) error {
		if err := w.exec(forgetCertificatesOf, 0, micro(w.now.Add(-store.CertMemory))); err != nil {
			return err
		}
		if n, err := own(w, value[int], countCertificates); err != nil {
			return err
		} else if n >= store.MaxCertificates {
			return fmt.Errorf("certificate %q: %w: the tenant has %d; they go %d days after their end", c.Name, store.ErrLimit, n, int(store.CertMemory.Hours()/24))
		}
		born, err := w.audit(actor, "certificate.issue", text(c.Serial), slog.String("name", c.Name), slog.Any("dns", c.DNS), slog.Any("ip", c.IP),
			slog.Any("email", c.Email), slog.Time("until", c.NotAfter))
		if err != nil {
			return err
		}
		c.Created, c.CreatedBy = w.now, clean.Line(actor, maxActor)
		return w.insertCertificate(c, born)
	})
	return c, err
}

// text is a target of the audit trail that has no type of its own.
type text string

func (t text) String() string { return string(t) }

func (w *work) insertCertificate(c store.Certificate, born uint64) error {
	dns, err1 := json.Marshal(c.DNS)
	ip, err2 := json.Marshal(c.IP)
	email, err3 := json.Marshal(c.Email)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	return w.exec(insertCertificate, c.Serial, c.Issuer, int64(c.Node), c.Name, string(dns), string(ip), string(email), micro(c.NotBefore), micro(c.NotAfter),
		c.DER, micro(w.now), c.CreatedBy, int64(born))
}

// Certificate implements store.Handle.
func (h handle) Certificate(ctx context.Context, serial string) (store.Certificate, error) {
	c, err := read(ctx, h, scanCertificate, selectCertificate, serial)
	return c, missing(err, "certificate", text(serial))
}

// Certificates implements store.Handle.
func (h handle) Certificates(ctx context.Context, nodes bool) ([]store.Certificate, error) {
	if nodes {
		return readAll(ctx, h, scanCertificate, selectCertificates, micro(h.s.Now()))
	}
	return readAll(ctx, h, scanCertificate, selectDevices, micro(h.s.Now()))
}

// Revocations implements store.Handle.
func (h handle) Revocations(ctx context.Context, issuer string) ([]store.Certificate, error) {
	return readAll(ctx, h, scanCertificate, selectRevocations, issuer, micro(h.s.Now().Add(-store.CertMemory)))
}

// RevokeCertificate implements store.Handle.
func (h handle) RevokeCertificate(ctx context.Context, actor, serial string, why store.Revocation) (c store.Certificate, err error) {
	err = h.write(ctx, func(w *work) error {
		if c, err = own(w, scanCertificate, selectCertificate, serial); err != nil {
			return missing(err, "certificate", text(serial))
		}
		switch {
		case !c.Node.IsZero():
			return fmt.Errorf("certificate %s: %w: it is node %s's, and is revoked when that is deleted", serial, store.ErrConflict, c.Node)
		case !c.Revoked.IsZero():
			return nil
		}
		c.Revoked, c.Reason = w.now, why
		if _, err := w.audit(actor, "certificate.revoke", text(serial), slog.String("name", c.Name), slog.Int("reason", int(why))); err != nil {
			return err
		}
		return w.exec(revokeCertificate, serial, micro(w.now), int(why))
	})
	return c, err
}

// RevokeAllOf implements store.Handle.
func (h handle) RevokeAllOf(ctx context.Context, actor, issuer string) (int, error) {
	var revoked int64
	err := h.write(ctx, func(w *work) (err error) {
		if revoked, err = w.change(revokeAllOf, issuer, micro(w.now), int(store.Superseded)); err != nil || revoked == 0 {
			return err
		}
		_, err = w.audit(actor, "authority.revoke", text(issuer), slog.Int64("certificates", revoked))
		return err
	})
	return int(revoked), err
}

func scanCertificate(rows *sql.Rows) (c store.Certificate, err error) {
	var dns, ip, email string
	var from, to, created, revoked int64
	if err := rows.Scan(&c.Serial, &c.Issuer, &c.Node, &c.Name, &dns, &ip, &email, &from, &to, &c.DER, &created, &c.CreatedBy, &revoked, &c.Reason); err != nil {
		return c, err
	}
	c.NotBefore, c.NotAfter, c.Created, c.Revoked = instant(from), instant(to), instant(created), instant(revoked)
	err = errors.Join(json.Unmarshal([]byte(dns), &c.DNS), json.Unmarshal([]byte(ip), &c.IP), json.Unmarshal([]byte(email), &c.Email))
	if err != nil {
		return c, fmt.Errorf("certificate %s: its names: %w", c.Serial, err)
	}
	return c, nil
}

// revokeNode revokes what a node that is deleted has in force. Nobody renews those, so what has ended is forgotten here.
func (w *work) revokeNode(id ident.Node) error {
	if err := w.exec(forgetRevoked, micro(w.now.Add(-store.CertMemory))); err != nil {
		return err
	}
	return w.exec(revokeCertificatesOf, int64(id), micro(w.now), int(store.CessationOfOperation))
}
