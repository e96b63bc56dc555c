package relay

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"github.com/cvlan/cvlan/internal/lab/spec"
)

func TestTheSpecificationIsPublished(t *testing.T) {
	spec.Page{Package: "proto/relay", Name: "relay", Title: "The relay protocol", More: "\n## Registration frames\n\n" + registration(t)}.Check(t, *update)
}

// registration is what the comments of Hello and Welcome say.
func registration(t *testing.T) string {
	f, err := parser.ParseFile(token.NewFileSet(), "register.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, d := range f.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.TYPE {
			out.WriteString(spec.Markdown(g.Doc.Text()))
			out.WriteByte('\n')
		}
	}
	return strings.TrimSuffix(out.String(), "\n")
}
