package daemon

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/node/engine"
	"github.com/cvlan/cvlan/internal/node/session"
)

// renewPatience is how long the controller may take to sign.
const renewPatience = 30 * time.Second

// Certificates implements localapi.Backend.
func (d *Daemon) Certificates() local.Certificates {
	out := local.Certificates{Schema: local.Schema, Certificates: []local.Certificate{}}
	for _, m := range d.all() {
		if m.state == nil {
			continue
		}
		if c, err := m.certificate(); err == nil {
			out.Certificates = append(out.Certificates, c)
		}
	}
	return out
}

// chain is what the membership shows of itself now.
func (m *member) chain() [][]byte {
	if e, _ := m.alive(); e != nil {
		return e.Certificate().Certificate
	}
	return m.state.Session().Chain
}

func (m *member) certificate() (c local.Certificate, err error) {
	ders := m.chain()
	if len(ders) != 2 {
		return c, fmt.Errorf("the certificate chain has %d certificates, want 2", len(ders))
	}
	var parsed [3]*x509.Certificate
	for i, der := range [][]byte{ders[0], ders[1], m.state.Session().Root} {
		if parsed[i], err = x509.ParseCertificate(der); err != nil {
			return c, err
		}
	}
	leaf := parsed[0]
	c = local.Certificate{Network: m.label(), ID: m.id.String(), Subject: leaf.Subject.String(), Names: append([]string{}, leaf.DNSNames...), Serial: serial(leaf),
		Fingerprint: fingerprint(leaf), Key: keyKind(leaf), NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter, RenewsFrom: session.Renewal(leaf.NotBefore, leaf.NotAfter),
		Issuer: issuer(parsed[1]), Root: issuer(parsed[2])}
	for _, u := range leaf.URIs {
		c.Names = append(c.Names, u.String())
	}
	c.PEM = textOf(ders)
	if cross := m.cross(); len(cross) > 0 && leaf.CheckSignatureFrom(cross[0]) == nil {
		for _, one := range cross {
			c.Cross = append(c.Cross, issuer(one))
			c.CrossPEM += textOf([][]byte{one.Raw})
		}
	}
	return c, nil
}

func textOf(ders [][]byte) (text string) {
	for _, der := range ders {
		text += string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	return text
}

// cross is what a company's authority has given the membership's, as far as it can be read; nil: nothing.
func (m *member) cross() (all []*x509.Certificate) {
	e, _ := m.alive()
	if e == nil {
		return nil
	}
	for _, der := range e.CrossChain() {
		one, err := x509.ParseCertificate(der)
		if err != nil {
			return nil
		}
		all = append(all, one)
	}
	return all
}

// crossUntil is when the first of these ends; zero: there are none.
func crossUntil(cross []*x509.Certificate) (ends time.Time) {
	for i, c := range cross {
		if i == 0 || c.NotAfter.Before(ends) {
			ends = c.NotAfter
		}
	}
	return ends
}

func serial(c *x509.Certificate) string { return fmt.Sprintf("%032x", c.SerialNumber) }

func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

func keyKind(c *x509.Certificate) string {
	if k, ok := c.PublicKey.(*ecdsa.PublicKey); ok {
		return "ECDSA " + k.Curve.Params().Name
	}
	return c.PublicKeyAlgorithm.String()
}

func issuer(c *x509.Certificate) local.Issuer {
	return local.Issuer{Subject: c.Subject.String(), Serial: serial(c), Fingerprint: fingerprint(c), NotAfter: c.NotAfter}
}

// RenewCertificate implements localapi.Backend. It needs a controller that answers: the old certificate stays good without one.
func (d *Daemon) RenewCertificate(ctx context.Context, r local.RenewRequest) (out local.Renewed, err error) {
	const what = "renew the certificate"
	named, err := d.choose(r.Network)
	if err != nil {
		return out, err
	}
	if len(named) != 1 {
		return out, local.CodeAmbiguous.Problem(what, fmt.Sprintf("this machine is in %d networks", len(named)), "name one: sudo cvlan cert renew --network NAME")
	}
	m := named[0]
	e, _ := m.alive()
	if e == nil {
		return out, local.CodeConflict.Problem(what, m.label()+" is not up on this machine", "bring it up: sudo cvlan up --network "+m.label())
	}
	if e.Status().State != engine.Up {
		return out, local.CodeUnreachable.Problem(what, "the controller of "+m.label()+" is away; the certificate stays good until its end", "try again when cvlan status shows it connected")
	}
	out.Schema = local.Schema
	if out.Old, err = m.certificate(); err != nil {
		return out, err
	}
	ctx, cancel := context.WithTimeout(ctx, renewPatience)
	defer cancel()
	if !m.renewed(ctx, e) {
		return out, local.CodeTimeout.Problem(what, "the controller has sent none; the old one stays good until its end", "the daemon's log may say why; the controller's does")
	}
	out.New, err = m.certificate()
	return out, err
}

// renewed asks for another certificate and waits for it.
func (m *member) renewed(ctx context.Context, e *engine.Engine) bool {
	old := e.Certificate().Certificate[0]
	e.RenewCertificate()
	for {
		changed := m.d.Changed()
		if !bytes.Equal(old, e.Certificate().Certificate[0]) {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return !bytes.Equal(old, e.Certificate().Certificate[0])
		}
	}
}
