package admin

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/logx"
)

// title is what failed, in words: "create a network".
func title(r admin.Route) string {
	c, n := utf8.DecodeRuneInString(r.Summary)
	return string(unicode.ToLower(c)) + strings.TrimRight(r.Summary[n:], ".?")
}

// fail turns an error of the store into the problem that the caller sees. conditional: the caller gave an If-Match.
func (s *server) fail(r admin.Route, err error, conditional bool) error {
	var p *admin.Problem
	if errors.As(err, &p) {
		return p
	}
	code, hint := admin.CodeInternal, "see the controller's log"
	switch {
	case errors.Is(err, store.ErrNoUser):
		code, hint = admin.CodeNotFound, "see which there are: "+lister("Users")
	case errors.Is(err, store.ErrNoGroup):
		code, hint = admin.CodeNotFound, "see which there are: "+lister("Groups")
	case errors.Is(err, store.ErrNotFound):
		code, hint = admin.CodeNotFound, "see which there are: "+lister(r.Tag)
	case errors.Is(err, store.ErrInvalid):
		code, hint = admin.CodeInvalid, ""
	case errors.Is(err, store.ErrExists):
		code, hint = admin.CodeExists, "" // the store says what to choose instead
	case errors.Is(err, store.ErrConflict) && conditional:
		code, hint = admin.CodeChanged, "read it again, and decide again"
	case errors.Is(err, store.ErrConflict):
		code, hint = admin.CodeConflict, ""
	case errors.Is(err, store.ErrReadOnly):
		code, hint = admin.CodeReadOnly, "" // the store says what to do
	case errors.Is(err, store.ErrLimit):
		code, hint = admin.CodeLimit, ""
	default:
		s.Log.Error("admin API: operation failed", logx.Name, r.ID, logx.Err, err)
		return code.Problem(title(r), "the controller failed", hint)
	}
	return code.Problem(title(r), err.Error(), hint)
}

// lister names the command that shows what there is of a kind.
func lister(tag string) string {
	switch tag {
	case "Tenants":
		return "cvlan admin tenant list"
	case "Networks":
		return "cvlan admin network list"
	case "Nodes":
		return "cvlan admin node list"
	case "Users":
		return "cvlan admin user list"
	case "Groups":
		return "cvlan admin group list"
	case "Peers":
		return "cvlan admin peer list"
	case "Policy":
		return "cvlan policy history"
	case "Certificates":
		return "cvlan admin ca list"
	case "Relays":
		return "cvlan admin relay list"
	case "API keys":
		return "cvlan admin api-key list"
	case "Join keys":
		return "cvlan admin key list"
	default:
		return "cvlan admin whoami"
	}
}

func invalid(r admin.Route, why, hint string) error {
	return admin.CodeInvalid.Problem(title(r), why, hint)
}

// answer writes a problem outside of an operation.
func answer(w http.ResponseWriter, p *admin.Problem) {
	w.Header().Set("Content-Type", admin.ProblemType)
	switch p.Code {
	case admin.CodeUnknownKey:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case admin.CodeTooMany:
		w.Header().Set("Retry-After", "60")
	}
	w.WriteHeader(p.Status)
	json.NewEncoder(w).Encode(p)
}

// transform makes Problems of the framework's own errors: what it says when a request does not fit the operation's types.
func transform(ctx huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	code := admin.CodeInvalid
	switch {
	case m.Status == http.StatusRequestEntityTooLarge:
		code = admin.CodeTooLarge
	case m.Status >= 500:
		code = admin.CodeInternal
	}
	p := code.Problem("read the request", m.Detail, "")
	if op := ctx.Operation(); op != nil {
		p.Title = title(admin.Route{Summary: op.Summary})
	}
	p.Status = m.Status
	var why []string
	for _, d := range m.Errors {
		p.Fields = append(p.Fields, admin.Field{Where: d.Location, Why: d.Message})
		why = append(why, strings.TrimPrefix(d.Location, "body.")+": "+d.Message)
	}
	if len(why) > 0 {
		p.Detail = strings.Join(why, "; ")
	}
	return p, nil
}
