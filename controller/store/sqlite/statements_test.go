package sqlite

import (
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// ofTenants are the tables whose rows belong to a tenant.
var ofTenants = regexp.MustCompile(`\b(network|node|plain|tombstone|join_key|api_key|event|authority|removed_node|relayed|user|user_group|membership|policy|certificate|old_authority)\b`)

// global are the statements that may look across tenants, each with the reason.
var global = map[string]string{
	"selectJoinKeyTenant": "asks whose key it is; the id is random",
	"selectAPIKeyByID":    "asks whose key it is; the id is random",
	"countNodes":          "a number for people, after a restore",
	"selectRemovedNodes":  "relays serve all tenants",
	"selectRelayed":       "the provider's bill",
}

// constants evaluates the constants of statements.go, which therefore imports nothing.
func constants(t *testing.T) map[string]string {
	t.Helper()
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, "statements.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	p, err := new(types.Config).Check("sqlite", files, []*ast.File{f}, nil)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, name := range p.Scope().Names() {
		if c, ok := p.Scope().Lookup(name).(*types.Const); ok && strings.HasSuffix(c.Type().String(), ".statement") {
			all[name] = constant.StringVal(c.Val())
		}
	}
	return all
}

// confined says what is wrong with a statement: it must name the tenant as its first parameter wherever it reads or writes what is a tenant's.
func confined(sql string) (fault string) {
	verb, _, _ := strings.Cut(sql, " ")
	switch {
	case !ofTenants.MatchString(regexp.MustCompile(`(?i)\b(from|into|update|join)\s+\w+`).FindString(sql)):
		return ""
	case verb == "INSERT":
		if !regexp.MustCompile(`^INSERT INTO \w+ \(tenant, .*\) VALUES \(\?1, `).MatchString(sql) {
			return "does not insert the tenant first"
		}
		return ""
	}
	_, where, _ := strings.Cut(sql, " WHERE ")
	if !strings.HasPrefix(where, "tenant = ?1") && !strings.HasPrefix(where, "tenant = ?1)") {
		return "does not begin its condition with tenant = ?1"
	}
	if strings.Contains(strings.ReplaceAll(where, "(identity = ?2 OR wg = ?3)", ""), " OR ") && !regexp.MustCompile(`AND \([^()]* OR [^()]*\)$`).MatchString(where) {
		return "has an OR that could lead around the tenant"
	}
	if strings.Count(sql, "SELECT") > 1 && strings.Count(sql, "tenant = ?1") < strings.Count(sql, " FROM ") {
		return "has a subquery without the tenant"
	}
	return ""
}

func TestNoStatementIsWithoutItsTenant(t *testing.T) {
	all := constants(t)
	if len(all) < 50 {
		t.Fatalf("only %d statements found", len(all))
	}
	for name, sql := range all {
		fault := confined(sql)
		if fault != "" && global[name] == "" {
			t.Errorf("%s %s: %s", name, fault, sql)
		}
		if fault == "" && global[name] != "" {
			t.Errorf("%s need not be an exception", name)
		}
	}
}

func TestAStatementWithoutItsTenantIsFound(t *testing.T) {
	for _, sql := range []string{
		`SELECT id FROM node WHERE id = ?1`, `DELETE FROM node`, `UPDATE network SET rules = ?3 WHERE id = ?2 AND tenant = ?1`, `SELECT id FROM node WHERE tenant = ?2`,
		`INSERT INTO event (seq, tenant) VALUES (?1, ?2)`, `SELECT id FROM node WHERE tenant = ?1 AND id = ?2 OR id = ?3`,
		`SELECT id FROM node WHERE tenant = ?1 AND network IN (SELECT id FROM network)`, `SELECT EXISTS (SELECT 1 FROM node WHERE network = ?2)`,
	} {
		if confined(sql) == "" {
			t.Errorf("passes: %s", sql)
		}
	}
}

// All SQL that touches rows stands in statements.go; elsewhere there are only schema, pragmas, and the schema's own table.
func TestThereIsNoOtherSQL(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	sql := regexp.MustCompile(`(?i)^\s*(select|insert|update|delete|replace|with)\b.*\b(from|into|set)\b`)
	for _, name := range files {
		if name == "statements.go" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			l, ok := n.(*ast.BasicLit)
			if !ok || l.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(l.Value)
			if err == nil && sql.MatchString(text) && !strings.Contains(text, "schema") {
				t.Errorf("%s: %s", name, text)
			}
			return true
		})
	}
}
