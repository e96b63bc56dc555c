package acl

import (
	"go/ast"
	goparser "go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var shownDocument = regexp.MustCompile("(?s)```jsonc\n(\\{.*?)```")

// TestTheManualsDocumentsAreValid reads the whole documents that the manual shows.
func TestTheManualsDocumentsAreValid(t *testing.T) {
	for path, want := range map[string]int{"../../docs/guides/policy.md": 2, "../../docs/reference/policy.md": 1} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all := shownDocument.FindAllSubmatch(text, -1)
		if len(all) != want {
			t.Errorf("%s shows %d documents, want %d", path, len(all), want)
		}
		for _, m := range all {
			if _, problems := Parse(m[1], Options{}); len(problems) > 0 {
				t.Errorf("%s: %v in\n%s", path, problems, m[1])
			}
		}
	}
}

// TestTheReferenceNamesAllThatIsRead holds the reference to the parser: what the parser knows stands there, and what stands there in a table as
// a section or field is known.
func TestTheReferenceNamesAllThatIsRead(t *testing.T) {
	reference := string(read(t, "../../docs/reference/policy.md"))
	known := map[string]bool{}
	for _, name := range slices.Concat(fieldsOfTheParser(t), unsupported) {
		known[name] = true
	}
	for name := range maps.Keys(autogroups) {
		known["autogroup:"+name] = true
	}
	for op := range maps.Keys(operators) {
		known[op] = true
	}
	delete(known, "autogroup:members") // an older spelling
	for name := range known {
		if !strings.Contains(reference, "`"+name+"`") {
			t.Errorf("docs/reference/policy.md does not speak of %q", name)
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| (`[^|]*) \\|").FindAllStringSubmatch(reference, -1) {
		for _, name := range regexp.MustCompile("`([a-zA-Z]+)`").FindAllStringSubmatch(m[1], -1) {
			if !known[name[1]] && name[1] != "printer" { // which stands for any name of "hosts"
				t.Errorf("docs/reference/policy.md tells of %q, which is not read", name[1])
			}
		}
	}
}

// fieldsOfTheParser finds the names in the literals of type field.
func fieldsOfTheParser(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := goparser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			lit, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			list := []ast.Expr{lit}
			if a, ok := lit.Type.(*ast.ArrayType); ok && isField(a.Elt) {
				list = lit.Elts
			} else if !isField(lit.Type) {
				return true
			}
			for _, x := range list {
				if c, ok := x.(*ast.CompositeLit); ok && len(c.Elts) > 0 {
					if word, ok := c.Elts[0].(*ast.BasicLit); ok {
						name, _ := strconv.Unquote(word.Value)
						names = append(names, name)
					}
				}
			}
			return true
		})
	}
	if len(names) < 30 {
		t.Fatalf("only %d fields were found: %v", len(names), names)
	}
	return names
}

func isField(x ast.Expr) bool {
	id, ok := x.(*ast.Ident)
	return ok && id.Name == "field"
}
