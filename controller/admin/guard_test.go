package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
)

func TestEveryOperationAsksForItsScope(t *testing.T) {
	w := newWorld(t)
	every := admin.Provider.Scopes()
	for _, r := range admin.Routes() {
		path := strings.NewReplacer("{tenant}", "default", "{network}", "x", "{node}", "x", "{key}", "x", "{peer}", "x", "{relay}", "x", "{user}", "a@b", "{group}", "x", "{number}", "1", "{serial}", "1").Replace(r.Path)
		if r.Scope == "" {
			continue
		}
		if resp, body := w.raw(r.Method, path, "", `{}`); resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s without a key: %d %s", r.ID, resp.StatusCode, body)
		}
		if r.Scope == admin.Known {
			continue
		}
		var others []string
		for _, s := range every {
			if s != r.Scope {
				others = append(others, string(s))
			}
		}
		k := w.ticket(store.Provider, time.Time{}, others...)
		token := admin.Token{ID: ident.APIKey(k.ID), Secret: k.Secret}.Encode()
		resp, body := w.raw(r.Method, path, token, sample(r.ID))
		if resp.StatusCode != http.StatusForbidden || !strings.Contains(body, string(r.Scope)) {
			t.Errorf("%s with every other scope: %d %s", r.ID, resp.StatusCode, body)
		}
	}
}

// sample is a body that an operation accepts.
func sample(id string) string {
	return map[string]string{
		"createTenant": `{"name":"a"}`, "createNetwork": `{"name":"a"}`, "setAccess": `{"access":"open"}`, "changeNetwork": `{"protocol":"any"}`, "setPolicy": `{"text":"{}"}`, "checkPolicy": `{"text":"{}"}`, "comparePolicy": `{"text":"{}"}`,
		"explainPolicy": `{"src":"a","dst":"b:1"}`, "createJoinKey": `{"network":"a"}`,
		"createUser": `{"login":"a@b"}`, "changeUser": `{}`, "createGroup": `{"name":"a"}`, "changeMembers": `{}`, "tagNode": `{}`, "changeRoutes": `{}`,
		"renameNode": `{"name":"a"}`, "createPeer": `{"name":"a","network":"a","nodes":["a"],"key":"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}`,
		"createRelay": `{"name":"a"}`, "createAPIKey": `{"name":"a","scopes":["auditor"]}`,
		"createCertificate": `{"name":"a","csr":"x"}`, "revokeCertificate": `{}`, "finishRotation": `{}`,
		"requestCertificate": `{}`, "installChain": `{"chain":"x"}`,
	}[id]
}

func TestATenantsKeySeesNoOtherTenant(t *testing.T) {
	w := newWorld(t)
	other := w.newTenant("other")
	for _, name := range []string{"other", other.ID.String()} {
		_, err := admin.Call(t.Context(), w.owner, admin.ListNetworks, admin.ListNetworksIn{InTenant: admin.InTenant{Tenant: name}, Page: admin.Page{Limit: 1}})
		seen := refused(t, err, admin.CodeNotFound)
		_, err = admin.Call(t.Context(), w.owner, admin.ListNetworks, admin.ListNetworksIn{InTenant: admin.InTenant{Tenant: "nobody"}, Page: admin.Page{Limit: 1}})
		if none := refused(t, err, admin.CodeNotFound); strings.ReplaceAll(seen.Detail, name, "nobody") != none.Detail {
			t.Errorf("another tenant is told from none: %q, %q", seen.Detail, none.Detail)
		}
	}
	// A tenant's key that claims the provider's role has not what is above tenants.
	sly := w.client(w.tenant.ID, time.Time{}, "provider")
	_, err := admin.Call(t.Context(), sly, admin.ListTenants, admin.Page{Limit: 1})
	refused(t, err, admin.CodePermission)
}

func TestAKeyMakesNoMightierKey(t *testing.T) {
	w := newWorld(t)
	weak := w.client(w.tenant.ID, time.Time{}, "api-keys:write", "nodes:read")
	make := func(c *admin.Client, scopes ...string) error {
		_, err := admin.Call(t.Context(), c, admin.CreateAPIKey, admin.CreateAPIKeyIn{InTenant: in, Body: admin.NewAPIKey{Name: "k", Scopes: scopes}})
		return err
	}
	if err := make(weak, "nodes:read"); err != nil {
		t.Error(err)
	}
	refused(t, make(weak, "nodes:write"), admin.CodePermission)
	refused(t, make(weak, "owner"), admin.CodePermission)
	refused(t, make(w.boss, "provider"), admin.CodeInvalid)
	refused(t, make(w.boss, "emperor"), admin.CodeInvalid)
}

func TestKeysEnd(t *testing.T) {
	w := newWorld(t)
	whoami := func(c *admin.Client) error {
		_, err := admin.Call(t.Context(), c, admin.GetWhoami, admin.Nothing{})
		return err
	}
	short := w.client(w.tenant.ID, w.clock().Add(time.Hour), "auditor")
	if err := whoami(short); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Hour)
	if p := refused(t, whoami(short), admin.CodeUnknownKey); !strings.Contains(p.Detail, "expired") {
		t.Error(p)
	}
	k := w.ticket(w.tenant.ID, time.Time{}, "auditor")
	c := admin.NewClient(k)
	defer c.Close()
	must(admin.Call(t.Context(), w.owner, admin.RevokeAPIKey, admin.OneAPIKeyIn{InTenant: in, Key: ident.APIKey(k.ID).String()}))(t)
	if p := refused(t, whoami(c), admin.CodeUnknownKey); !strings.Contains(p.Detail, "revoked") {
		t.Error(p)
	}
	// Without the secret nobody learns that the key was revoked.
	k.Secret = key.NewSecret()
	guess := admin.NewClient(k)
	defer guess.Close()
	if p := refused(t, whoami(guess), admin.CodeUnknownKey); strings.Contains(p.Detail, "revoked") {
		t.Error("a stranger learns of a revoked key")
	}
}

func TestGuessingIsSlowedAndNeighboursAreNot(t *testing.T) {
	w := newWorld(t)
	good := w.ticket(w.tenant.ID, time.Time{}, "auditor")
	token := admin.Token{ID: ident.APIKey(good.ID), Secret: good.Secret}.Encode()
	fresh := w.ticket(w.tenant.ID, time.Time{}, "auditor")
	freshToken := admin.Token{ID: ident.APIKey(fresh.ID), Secret: fresh.Secret}.Encode()
	try := func(token string) int {
		resp, _ := w.raw("GET", "/api/v1/whoami", token, "")
		return resp.StatusCode
	}
	if got := try(token); got != http.StatusOK {
		t.Fatal(got)
	}
	codes := map[int]int{}
	for range burst + 5 {
		codes[try(admin.Token{ID: ident.New[ident.APIKey](), Secret: key.NewSecret()}.Encode())]++
	}
	if codes[http.StatusUnauthorized] != burst || codes[http.StatusTooManyRequests] != 5 {
		t.Errorf("guesses were answered %v", codes)
	}
	if got := try(token); got != http.StatusOK {
		t.Errorf("a key that worked before: %d", got)
	}
	if got := try(freshToken); got != http.StatusTooManyRequests {
		t.Errorf("a key that was never seen: %d", got)
	}
	w.pass(burst * perWrong)
	if got := try(freshToken); got != http.StatusOK {
		t.Errorf("after a minute: %d", got)
	}
}

func TestTheGateForgets(t *testing.T) {
	now := time.Unix(1e9, 0)
	g := newGate(func() time.Time { return now })
	for i := range maxBad + 100 {
		g.bad(fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255))
	}
	for i := range maxGood + 100 {
		g.good(ident.APIKey(i + 1))
	}
	if len(g.bads) > maxBad || len(g.keys) > maxGood {
		t.Errorf("remembers %d addresses and %d keys", len(g.bads), len(g.keys))
	}
	for range burst { // the addresses of one site count as one
		g.bad("[2001:db8::1]:5")
	}
	if g.open("[2001:db8::ffff]:9", 77777) || !g.open("[2001:db8:0:1::1]:9", 77777) {
		t.Error("a site is not its /64")
	}
}

func TestARepeatedPostIsDoneOnce(t *testing.T) {
	w := newWorld(t)
	k := w.ticket(w.tenant.ID, time.Time{}, "owner")
	token := admin.Token{ID: ident.APIKey(k.ID), Secret: k.Secret}.Encode()
	post := func(name, body string) (*http.Response, string) {
		return w.raw("POST", "/api/v1/tenants/default/networks", token, body, "Idempotency-Key", name, "Content-Type", "application/json")
	}
	var wait sync.WaitGroup
	bodies := make([]string, 8)
	for i := range bodies { // all at once: one does it, the others wait for its answer
		wait.Go(func() { _, bodies[i] = post("a", `{"name":"office"}`) })
	}
	wait.Wait()
	for _, b := range bodies {
		if b != bodies[0] || !strings.Contains(b, `"name":"office"`) {
			t.Fatalf("answers differ: %s and %s", bodies[0], b)
		}
	}
	if resp, b := post("a", `{"name":"plant"}`); resp.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(b, string(admin.CodeReused)) {
		t.Errorf("the key with another request: %d %s", resp.StatusCode, b)
	}
	if resp, b := post("b", `{"name":"office"}`); resp.StatusCode != http.StatusConflict {
		t.Errorf("another key: %d %s", resp.StatusCode, b)
	}
	w.pass(replayWhile)
	if resp, b := post("a", `{"name":"plant"}`); resp.StatusCode != http.StatusCreated {
		t.Errorf("after an hour: %d %s", resp.StatusCode, b)
	}
}

func TestBadRequestsGetProblems(t *testing.T) {
	w := newWorld(t)
	k := w.ticket(w.tenant.ID, time.Time{}, "owner")
	token := admin.Token{ID: ident.APIKey(k.ID), Secret: k.Secret}.Encode()
	networks := "/api/v1/tenants/default/networks"
	for _, c := range []struct {
		name, method, path, token, body string
		status                          int
		code                            admin.Code
	}{
		{"no such path", "GET", "/api/v1/nothing", token, "", 404, admin.CodeUnknownRoute},
		{"no such method", "PATCH", networks, token, "{}", 404, admin.CodeUnknownRoute},
		{"broken JSON", "POST", networks, token, `{"name":`, 400, admin.CodeInvalid},
		{"unknown field", "POST", networks, token, `{"name":"a","colour":"red"}`, 422, admin.CodeInvalid},
		{"field missing", "POST", networks, token, `{}`, 422, admin.CodeInvalid},
		{"no body", "POST", networks, token, ``, 400, admin.CodeInvalid},
		{"bad range", "POST", networks, token, `{"name":"a","range4":"10.0.0.0/99"}`, 422, admin.CodeInvalid},
		{"range that cannot be", "POST", networks, token, `{"name":"a","range4":"127.0.0.0/8"}`, 422, admin.CodeInvalid},
		{"unknown query", "GET", networks + "?colour=red", token, "", 422, admin.CodeInvalid},
		{"too long", "POST", networks, token, `{"name":"` + strings.Repeat("a", admin.MaxBody) + `"}`, 413, admin.CodeTooLarge},
		{"token of another form", "GET", networks, "hello", "", 401, admin.CodeUnknownKey},
	} {
		resp, body := w.raw(c.method, c.path, c.token, c.body, "Content-Type", "application/json")
		var p admin.Problem
		if err := json.Unmarshal([]byte(body), &p); err != nil || resp.StatusCode != c.status || p.Code != c.code || p.Status != c.status || p.Title == "" || p.Detail == "" ||
			resp.Header.Get("Content-Type") != admin.ProblemType {
			t.Errorf("%s: %d %s %s", c.name, resp.StatusCode, resp.Header.Get("Content-Type"), body)
		}
		if strings.Contains(body, token[20:]) {
			t.Errorf("%s: the answer holds the key", c.name)
		}
	}
}

func TestAStrangerLearnsHealthAndTheDocument(t *testing.T) {
	w := newWorld(t)
	if resp, body := w.raw("GET", "/api/v1/health", "", ""); resp.StatusCode != 200 || strings.TrimSpace(body) != `{"status":"ok"}` {
		t.Errorf("health: %d %s", resp.StatusCode, body)
	}
	if resp, body := w.raw("GET", "/openapi.yaml", "", ""); resp.StatusCode != 200 || !strings.Contains(body, "openapi: 3.1") {
		t.Errorf("document: %d", resp.StatusCode)
	}
	if resp, _ := w.raw("GET", "/openapi.json", "", ""); resp.StatusCode != 200 {
		t.Errorf("document: %d", resp.StatusCode)
	}
}
