package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/ticket"
)

func TestARequestIsWhatItsTagsSay(t *testing.T) {
	q, err := encode(SetAccess.Route, SetAccessIn{
		OneNetworkIn: OneNetworkIn{InTenant: InTenant{"acme"}, Network: "a b/c"},
		IfMatch:      IfMatch{`"7"`},
		Body:         NewAccess{Open},
	})
	want := request{path: "/api/v1/tenants/acme/networks/a%20b%2Fc/access", query: map[string][]string{}, header: http.Header{"If-Match": {`"7"`}},
		body: []byte(`{"access":"open"}`)}
	if err != nil || !reflect.DeepEqual(q, want) {
		t.Errorf("got %+v, %v", q, err)
	}
	q, err = encode(ListNodes.Route, ListNodesIn{InTenant: InTenant{"acme"}, Page: Page{Limit: 7}, Pending: true})
	if err != nil || q.query.Encode() != "limit=7&pending=true" || q.body != nil {
		t.Errorf("got %+v, %v", q, err)
	}
	if _, err := encode(GetNode.Route, OneNodeIn{InTenant: InTenant{"acme"}}); err == nil {
		t.Error("a path with a hole passed")
	}
}

func TestEveryRouteIsWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range Routes() {
		if seen[r.ID] || seen[r.Method+r.Path] || r.Summary == "" || r.Tag == "" || !strings.HasPrefix(r.Path, "/api/v1/") {
			t.Errorf("%+v", r)
		}
		seen[r.ID], seen[r.Method+r.Path] = true, true
	}
}

func TestRolesGrow(t *testing.T) {
	names := RoleNames()
	for i := 1; i < len(names); i++ {
		weaker, _ := Expand(names[i-1 : i])
		mightier, err := Expand(names[i : i+1])
		for _, s := range weaker {
			if names[i-1] != "auditor" && !slices.Contains(mightier, s) {
				t.Errorf("%s may %s, %s may not: %v", names[i-1], s, names[i], err)
			}
		}
	}
	if s, err := Expand([]string{"nodes:read", "auditor", "nodes:read"}); err != nil || len(s) != 9 {
		t.Errorf("got %v, %v", s, err)
	}
	if _, err := Expand([]string{"nodes:fly"}); err == nil {
		t.Error("a scope that there is not")
	}
}

func TestALoginFileKeepsItsSecretsAndItsShape(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cvlan", "admin.json")
	p, err := ReadProfiles(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := p.Ticket(""); !errors.Is(err, ErrNoLogin) {
		t.Errorf("an empty file: %v", err)
	}
	whole, err := ticket.Ticket{Kind: ticket.Admin, Addrs: []string{"ctl:443"}, ID: 7, Secret: key.NewSecret()}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	p.Logins["work"], p.Current = Profile{Ticket: whole, Tenant: "acme"}, "work"
	if err := p.Write(); err != nil {
		t.Fatal(err)
	}
	p, err = ReadProfiles(path)
	if err != nil {
		t.Fatal(err)
	}
	name, tk, l, err := p.Ticket("")
	if err != nil || name != "work" || tk.ID != 7 || l.Tenant != "acme" {
		t.Errorf("got %s, %v, %v", name, tk, err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".admin-*")); left != nil {
		t.Errorf("left behind: %v", left)
	}
	if runtime.GOOS != "windows" {
		if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v", info.Mode())
		}
		os.Chmod(path, 0o644)
		if _, err := ReadProfiles(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("a file that others may read: %v", err)
		}
		os.Chmod(path, 0o600)
	}
	for _, bad := range []string{"{", `{"schema":99}`} {
		os.WriteFile(path, []byte(bad), 0o600)
		if _, err := ReadProfiles(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestAProblemTravels(t *testing.T) {
	b, _ := json.Marshal(CodeNotFound.Problem("show a node", "no node \"x\"", "look"))
	resp := &http.Response{StatusCode: 404, Status: "404 Not Found", Header: http.Header{"Content-Type": {ProblemType + "; charset=utf-8"}}}
	var p *Problem
	if err := problem(GetNode.Route, resp, b); !errors.As(err, &p) || p.Code != CodeNotFound || p.Hint != "look" || err.Error() != `show a node: no node "x"` {
		t.Errorf("got %+v", p)
	}
	resp.Header = nil
	if err := problem(GetNode.Route, resp, []byte("404 page not found")); !errors.As(err, &p) || p.Code != CodeUnknownRoute {
		t.Errorf("from a controller without the operation: %+v", p)
	}
}

func FuzzParseToken(f *testing.F) {
	f.Add(Token{ID: 7, Secret: key.NewSecret()}.Encode())
	f.Add("cvk_k0000000000007_")
	f.Fuzz(func(t *testing.T, s string) {
		tok, err := ParseToken(s)
		if err != nil {
			if len(s) > 8 && strings.Contains(err.Error(), s) {
				t.Errorf("the error quotes the token: %v", err)
			}
			return
		}
		again, err := ParseToken(tok.Encode())
		if err != nil || again != tok {
			t.Fatalf("%v does not survive: %v", tok, err)
		}
		if strings.Contains(fmt.Sprint(tok), tok.Encode()[19:]) {
			t.Fatal("printing it shows the secret")
		}
	})
}
