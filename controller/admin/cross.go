package admin

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/controller/ca"
	"github.com/cvlan/cvlan/controller/store"
)

func (s *server) requestCertificate(ctx context.Context, t *tenant, in *admin.RequestCertificateIn) (*admin.RequestCertificateOut, error) {
	if in.Body.SameKey {
		return s.requestAgain(ctx, t, in.Body.Subject)
	}
	subject, err := s.CA.DefaultSubject(t.Name), error(nil)
	if in.Body.Subject != "" {
		subject, err = ca.ParseSubject(in.Body.Subject)
	}
	if err != nil {
		return nil, invalid(t.route, err.Error(), "write it like this: CN=CloudVLAN,O=Example Ltd,C=GB")
	}
	if r, err := t.AuthorityRequest(ctx); err == nil {
		shown, err := requestOut(r)
		if err != nil || in.Body.Subject == "" || shown.Body.Subject == subject.String() { // somebody may have it on his desk
			return shown, err
		}
	} else if !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	r, err := s.CA.Request(t.ID, subject)
	if err != nil {
		return nil, err
	}
	if r, err = t.SetAuthorityRequest(ctx, t.actor(), r); err != nil {
		return nil, err
	}
	return requestOut(r)
}

func (s *server) requestAgain(ctx context.Context, t *tenant, subject string) (*admin.RequestCertificateOut, error) {
	if subject != "" {
		return nil, invalid(t.route, "a request for the same key has the same subject", "leave one of the two away")
	}
	a, err := s.Store.Authority(ctx, t.ID)
	if err != nil {
		return nil, err
	}
	csr, err := s.CA.RequestAgain(a)
	if err != nil {
		return nil, err
	}
	return requestOut(store.AuthorityRequest{CSR: csr})
}

func requestOut(r store.AuthorityRequest) (*admin.RequestCertificateOut, error) {
	shown, err := showRequest(r)
	if err != nil {
		return nil, err
	}
	return &admin.RequestCertificateOut{Body: *shown}, nil
}

func showRequest(r store.AuthorityRequest) (*admin.CARequest, error) {
	csr, err := x509.ParseCertificateRequest(r.CSR)
	if err != nil {
		return nil, fmt.Errorf("certificate request of the authority: %w", err)
	}
	return &admin.CARequest{Subject: csr.Subject.String(), CSR: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: r.CSR})),
		Created: r.Created, CreatedBy: r.CreatedBy}, nil
}

// maxGiven bounds how many certificates a file has: a chain, and what people put beside it.
const maxGiven = 16

func (s *server) installChain(ctx context.Context, t *tenant, in *admin.InstallChainIn) (*admin.CAOut, error) {
	given, err := certificatesIn(in.Body.Chain)
	if err != nil {
		return nil, invalid(t.route, err.Error(), "give the certificate that the company has signed and those above it, root included, in PEM")
	}
	err = s.rotation().Certified(ctx, t.actor(), t.ID, given)
	var no *ca.Refusal
	if errors.As(err, &no) {
		return nil, invalid(t.route, no.Why, no.Remedy)
	}
	if err := s.began(t, err); err != nil {
		return nil, err
	}
	return s.caOut(ctx, t)
}

// certificatesIn reads PEM. A private key in it has gone where it should not, and that is said.
func certificatesIn(text string) (all []*x509.Certificate, err error) {
	for rest := []byte(text); ; {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			break
		}
		switch {
		case strings.HasSuffix(b.Type, "PRIVATE KEY"):
			return nil, errors.New("there is a private key in it; the authority's key is here already, and that one should not travel")
		case b.Type != "CERTIFICATE":
			continue
		case len(all) == maxGiven:
			return nil, fmt.Errorf("there are more than %d certificates in it", maxGiven)
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d cannot be read: %w", len(all)+1, err)
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, errors.New("there is no certificate in PEM in it")
	}
	return all, nil
}
