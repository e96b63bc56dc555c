package store

import (
	"strings"
	"testing"

	"github.com/cvlan/cvlan/policy/acl"
)

func TestLoginsHaveOneForm(t *testing.T) {
	for in, want := range map[string]string{"Alice@Example.COM": "alice@example.com", " a@b ": "a@b", "jürg@zürich.example": "jürg@zürich.example", "O'Hara@example.com": "o'hara@example.com", "a+b@example.com": "a+b@example.com",
		strings.Repeat("a", 250) + "@b.c": "a", strings.Repeat("a", 251) + "@b.c": ""} {
		got, err := ParseLogin(in)
		if (err == nil) != (want != "") || !strings.HasPrefix(got, want) {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestRolesHaveNames(t *testing.T) {
	for _, r := range []Role{Member, Admin, Owner} {
		if got, err := ParseRole(r.String()); got != r || err != nil {
			t.Errorf("%v, %v", got, err)
		}
	}
	if _, err := ParseRole(Role(9).String()); err == nil {
		t.Error("a role that is none has a name")
	}
}

func TestOldPoliciesGoByNumberAndBySize(t *testing.T) {
	sizes := func(n, bytes int) (all []PolicySize) {
		for i := range n {
			all = append(all, PolicySize{uint64(n - i), bytes})
		}
		return all
	}
	for _, c := range []struct {
		all  []PolicySize
		want uint64 // the newest that goes
	}{
		{nil, 0}, {sizes(1, acl.MaxSize), 0}, {sizes(1, 2*MaxPolicyBytes), 0}, {sizes(2, 2*MaxPolicyBytes), 1},
		{sizes(MaxPolicies, 1), 0}, {sizes(MaxPolicies+2, 1), 2}, {sizes(100, MaxPolicyBytes/10), 90},
	} {
		old := OldPolicies(c.all)
		if (len(old) == 0) != (c.want == 0) || c.want > 0 && old[0].Number != c.want {
			t.Errorf("%d policies: %v go, want %d and older", len(c.all), old, c.want)
		}
	}
}

func FuzzParseLogin(f *testing.F) {
	for _, s := range []string{"Alice@Example.com", "İ@x", "a@\u2028", "a b@c", "@", "user:a@b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		login, err := ParseLogin(s)
		if err != nil {
			return
		}
		if again, err := ParseLogin(login); again != login || err != nil {
			t.Errorf("%q becomes %q, which becomes %q, %v", s, login, again, err)
		}
	})
}
