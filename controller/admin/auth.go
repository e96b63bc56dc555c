package admin

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/logx"
)

// principal is who calls.
type principal struct {
	key    store.APIKey
	scopes []admin.Scope
}

// may reports whether the principal has a scope. A tenant's key never has one that is the provider's alone, whatever it says.
func (p *principal) may(s admin.Scope) bool {
	return s == admin.Known || slices.Contains(p.scopes, s) && (p.key.Tenant.IsZero() || !s.AboveTenants())
}

// actor is how the audit trail names the principal.
func (p *principal) actor() string {
	if p.key.User != "" {
		return p.key.ID.String() + " " + p.key.Name + " for " + p.key.User
	}
	return p.key.ID.String() + " " + p.key.Name
}

type principalKey struct{}

// caller returns who calls, or nil for somebody without a key.
func caller(ctx context.Context) *principal {
	p, _ := ctx.Value(principalKey{}).(*principal)
	return p
}

// authenticate finds out who calls. A request without a key goes on as nobody's; one with a key that is not accepted does not.
func (s *server) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := r.Header.Get("Authorization")
		if head == "" {
			r.Body = http.MaxBytesReader(w, r.Body, admin.MaxBody)
			next.ServeHTTP(w, r)
			return
		}
		p, problem := s.admit(r, head)
		if problem != nil {
			answer(w, problem)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), principalKey{}, p)))
	})
}

// admit checks an API key. What exactly is wrong with one is told only to who has its secret.
func (s *server) admit(r *http.Request, head string) (*principal, *admin.Problem) {
	scheme, value, _ := strings.Cut(head, " ")
	token, err := admin.ParseToken(value)
	if err != nil || !strings.EqualFold(scheme, "Bearer") {
		return nil, s.refuse(r, "it is no API key of this form: Bearer cvk_<id>_<secret>")
	}
	if !s.gate.open(r.RemoteAddr, token.ID) {
		return nil, admin.CodeTooMany.Problem("check the API key", "too many wrong keys came from this address", "wait a minute")
	}
	k, err := s.Store.APIKey(r.Context(), token.ID)
	switch {
	case err != nil && !errors.Is(err, store.ErrNotFound):
		s.Log.Warn("admin API: API key not read", logx.Err, err)
		return nil, admin.CodeInternal.Problem("check the API key", "the database does not answer", "see the controller's log")
	case err != nil || !token.Secret.Matches(k.Hash[:]):
		return nil, s.refuse(r, "it is not one of this controller's")
	case k.Revoked:
		return nil, s.refuse(r, "it was revoked")
	case !k.Expires.IsZero() && !s.Now().Before(k.Expires):
		return nil, s.refuse(r, "it expired on "+k.Expires.UTC().Format(time.DateTime)+" UTC")
	}
	scopes, err := admin.Expand(k.Scopes)
	if err != nil {
		return nil, s.refuse(r, "its scopes are not known to this version: "+err.Error())
	}
	s.gate.good(token.ID)
	return &principal{k, scopes}, nil
}

// refuse counts a failure against the address that it came from.
func (s *server) refuse(r *http.Request, why string) *admin.Problem {
	s.gate.bad(r.RemoteAddr)
	s.Log.Debug("admin API: API key refused", logx.Addr, r.RemoteAddr, logx.Reason, why)
	return admin.CodeUnknownKey.Problem("check the API key", why, "log in with another key: cvlan admin login --key-file FILE")
}

// assigning checks that the caller may say whose nodes are and which tags they have.
func (t *tenant) assigning() error {
	if t.who.may(admin.NodesAssign) {
		return nil
	}
	return admin.CodePermission.Problem(title(t.route), "to name a user or tags this key needs the scope "+string(admin.NodesAssign), "ask an owner for a key with a role that includes it, such as admin")
}

// authorize checks that the caller may do an operation.
func authorize(ctx context.Context, r admin.Route) (*principal, error) {
	p := caller(ctx)
	switch {
	case p == nil:
		return nil, admin.CodeUnknownKey.Problem(title(r), "it needs an API key and none was sent", "send Authorization: Bearer cvk_…, or use cvlan admin login")
	case !p.may(r.Scope):
		return nil, admin.CodePermission.Problem(title(r), "this key has not the scope "+string(r.Scope), "ask an owner for a key with a role that includes it")
	}
	return p, nil
}
