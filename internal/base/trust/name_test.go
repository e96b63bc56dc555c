package trust

import (
	"strings"
	"testing"
)

func TestNamesSurviveTheirURI(t *testing.T) {
	for _, n := range []Name{TenantName(domain, 1), NodeName(domain, 1, 2), ControllerName(domain, 1<<62), RelayName("a", 5)} {
		if got, err := Parse(n.URI().String()); err != nil || got != n {
			t.Errorf("%v: %v, %v", n, got, err)
		}
	}
}

func TestOnlyOneSpellingOfANameIsRead(t *testing.T) {
	good := NodeName(domain, 1, 2).String()
	for _, s := range []string{
		"", "spiffe://", "https" + good[6:], strings.ToUpper(good), good + "/", good + "?a", good + "#a", strings.Replace(good, domain, domain+":1", 1),
		strings.Replace(good, "/node/n", "/node/N", 1), strings.Replace(good, "/node/n", "/node/%6e", 1), strings.Replace(good, "/node/", "/user/", 1),
		strings.Replace(good, domain, "a.b", 1), strings.Replace(good, domain, "u@"+domain, 1), "spiffe://" + domain, "spiffe://" + domain + "/tenant/t0000000000000",
		strings.Replace(good, "/node/n", "/node/t", 1), RelayName(domain, 1).String() + "/node/" + good[len(good)-14:],
	} {
		if n, err := Parse(s); err == nil {
			t.Errorf("%q passes as %v", s, n)
		}
	}
	for r, want := range map[Role]string{RoleTenant: "tenant authority", RoleNode: "node", RoleController: "controller", RoleRelay: "relay", 0: "nobody"} {
		if r.String() != want {
			t.Error(r, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, n := range []Name{TenantName(domain, 1), NodeName(domain, 1, 2), ControllerName(domain, 3), RelayName(domain, 4)} {
		f.Add(n.String())
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := Parse(s)
		if err != nil {
			return
		}
		if n.String() != s || n.URI().String() != s {
			t.Fatalf("%q reads as %v, which is written %q", s, n, n.URI())
		}
	})
}
