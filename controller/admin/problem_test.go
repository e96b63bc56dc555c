package admin

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/controller/store"
)

func TestErrorsOfTheStoreGetCodes(t *testing.T) {
	s := &server{Config: Config{Log: slog.New(slog.DiscardHandler)}}
	for _, c := range []struct {
		err         error
		conditional bool
		code        admin.Code
		status      int
	}{
		{store.ErrNotFound, false, admin.CodeNotFound, 404},
		{store.ErrExists, false, admin.CodeExists, 409},
		{store.ErrInvalid, false, admin.CodeInvalid, 422},
		{store.ErrConflict, false, admin.CodeConflict, 409},
		{store.ErrConflict, true, admin.CodeChanged, 412},
		{store.ErrReadOnly, false, admin.CodeReadOnly, 503},
		{store.ErrLimit, false, admin.CodeLimit, 409},
		{errors.New("disk image is malformed at /var/secret"), false, admin.CodeInternal, 500},
	} {
		var p *admin.Problem
		err := s.fail(admin.DeleteNode.Route, fmt.Errorf("node x: %w", c.err), c.conditional)
		if !errors.As(err, &p) || p.Code != c.code || p.Status != c.status || p.Title != "remove a node" {
			t.Errorf("%v is %+v", c.err, p)
		}
		if c.code == admin.CodeInternal && strings.Contains(p.Error(), "secret") {
			t.Errorf("the caller sees what only the log may tell: %v", p)
		}
	}
}
