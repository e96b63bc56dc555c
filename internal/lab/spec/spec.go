// Package spec keeps the pages of protocols that people read the same as the package comments that specify them.
package spec

import (
	"fmt"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
)

// Page is a page under docs/protocol.
type Page struct {
	Package string // whose doc.go it is, from the module's root
	Name    string // of the file, without .md
	Title   string
	Also    string // what else of the package is in it, for its first line; "": nothing
	More    string // Markdown that follows the comment
}

// Check fails if the page is not what the package of the running test says, or with update writes it.
func (p Page) Check(t *testing.T, update bool) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	from := p.Package + "/doc.go"
	if p.Also != "" {
		from += " and " + p.Also
	}
	want := fmt.Sprintf("<!-- Written by `go test ./%s -update` from %s. -->\n# %s\n\n%s%s", p.Package, from, p.Title, Markdown(f.Doc.Text()), p.More)
	file := strings.Repeat("../", 1+strings.Count(p.Package, "/")) + "docs/protocol/" + p.Name + ".md"
	if update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := os.ReadFile(file); string(got) != want {
		t.Errorf("%s is not what the code says; write it anew: go test ./%s -update", file, p.Package)
	}
}

// Markdown is a Go comment as a page shows it.
func Markdown(text string) string {
	var p comment.Parser
	return string((&comment.Printer{HeadingLevel: 2, HeadingID: func(*comment.Heading) string { return "" }}).Markdown(p.Parse(text)))
}
