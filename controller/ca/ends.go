package ca

import (
	"context"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
)

// Kind says whose certificate an End is about.
type Kind string

// The certificates whose ends somebody has to look after; all others renew themselves.
const (
	OfRoot    Kind = "root"    // this controller's
	OfTenant  Kind = "tenant"  // that of a tenant's authority, under the root
	OfCompany Kind = "company" // of those that a company has for the same key, the first that ends
)

// End is when an authority's certificate is over.
type End struct {
	Kind    Kind
	Tenant  ident.Tenant // zero: the root's
	Subject string
	Serial  string
	At      time.Time

	remedy string
}

// Ends tells when the certificates end of an authority that signs: its own, and the first of the company's, if it has one.
func Ends(a store.Authority) ([]End, error) {
	own, err := x509.ParseCertificate(a.Certificate)
	if err != nil {
		return nil, fmt.Errorf("authority of tenant %s: %w", a.Tenant, err)
	}
	all := []End{endOf(OfTenant, a.Tenant, own, "give the authority a new key: cvlan admin ca rotate begin")}
	if len(a.Cross) == 0 {
		return all, nil
	}
	all[0].remedy = "have the company certify another key: cvlan admin ca request"
	var first End
	for i, der := range a.Cross {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("authority of tenant %s: what another has given it: %w", a.Tenant, err)
		}
		remedy := "have the company renew it, then install the new chain"
		if i == 0 {
			remedy = "have it renewed: cvlan admin ca request --same-key"
		}
		if e := endOf(OfCompany, a.Tenant, c, remedy); i == 0 || e.At.Before(first.At) {
			first = e
		}
	}
	return append(all, first), nil
}

// Ends tells when the root ends, and the authorities of some tenants.
func (c *CA) Ends(ctx context.Context, tenants []ident.Tenant) ([]End, error) {
	all := []End{endOf(OfRoot, 0, c.root.cert, "set up another controller and have machines join that")}
	for _, t := range tenants {
		a, err := c.keeper.Authority(ctx, t)
		if err != nil {
			return nil, err
		}
		ends, err := Ends(a)
		if err != nil {
			return nil, err
		}
		all = append(all, ends...)
	}
	return all, nil
}

func endOf(k Kind, t ident.Tenant, c *x509.Certificate, remedy string) End {
	return End{Kind: k, Tenant: t, Subject: c.Subject.String(), Serial: store.Serial(c), At: c.NotAfter, remedy: remedy}
}

// Urgency says how near an end is.
type Urgency int

// From what number of days before the end on; a root's end, which only another controller helps against, is Noted a year before.
const (
	Far    Urgency = iota
	Noted          // 90
	Near           // 30
	Urgent         // 7
	Over
)

// Days is how many whole days are left.
func (e End) Days(now time.Time) int { return int(e.At.Sub(now).Hours() / 24) }

// Urgency says how near the end is.
func (e End) Urgency(now time.Time) Urgency {
	noted := 90
	if e.Kind == OfRoot {
		noted = 365
	}
	switch days := e.Days(now); {
	case !now.Before(e.At):
		return Over
	case days < 7:
		return Urgent
	case days < 30:
		return Near
	case days < noted:
		return Noted
	}
	return Far
}

// Warning says that it ends soon and what to do, with more weight the sooner; nothing while it is far.
func (e End) Warning(now time.Time) string {
	on := e.At.UTC().Format(time.DateOnly)
	switch e.Urgency(now) {
	case Over:
		return fmt.Sprintf("%q ended on %s: %s; %s", e.Subject, on, e.loss(), e.remedy)
	case Urgent:
		return fmt.Sprintf("%q ends in %d days, on %s: from then on %s; %s now", e.Subject, e.Days(now), on, e.loss(), e.remedy)
	case Near:
		return fmt.Sprintf("%q ends in %d days, on %s: from then on %s; %s", e.Subject, e.Days(now), on, e.loss(), e.remedy)
	case Noted:
		return fmt.Sprintf("%q ends in %d days, on %s; %s", e.Subject, e.Days(now), on, e.remedy)
	}
	return ""
}

// loss is what is lost with the certificate.
func (e End) loss() string {
	switch e.Kind {
	case OfCompany:
		return "who knows only the company's root believes nothing of this authority"
	case OfTenant:
		return "it signs nothing, and nodes believe nothing that it has signed"
	}
	return "nobody believes this controller"
}
