package cli

import (
	"strings"
	"testing"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/policy/acl"
)

// A document is said to have as many errors as it has, not as many as are told.
func TestWhatIsNotToldIsCounted(t *testing.T) {
	_, problems := acl.Parse([]byte(`{"acls": [`+strings.Repeat(`{"src": ["nobody"], "dst": ["*:*"]},`, 10_000)+`]}`), acl.Options{})
	r := &admin.PolicyReview{Problems: admin.TellProblems(problems)}
	if err := verdict("check", "", r); err == nil || !strings.Contains(err.Error(), "10000 errors") {
		t.Error(err)
	}
}
