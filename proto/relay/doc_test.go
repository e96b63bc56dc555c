package relay

import (
	"go/ast"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
)

const page = "../../docs/protocol/relay.md"

// TestTheSpecificationIsPublished keeps the page that people read the same as the package comment.
func TestTheSpecificationIsPublished(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var p comment.Parser
	text := (&comment.Printer{HeadingLevel: 2, HeadingID: func(*comment.Heading) string { return "" }}).Markdown(p.Parse(f.Doc.Text()))
	want := "<!-- Written by `go test ./proto/relay -update` from proto/relay/doc.go. -->\n# The relay protocol\n\n" + string(text) +
		"\n## Registration frames\n\n" + registration(t)
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := os.ReadFile(page); string(got) != want {
		t.Errorf("%s is not what the code says; write it anew: go test ./proto/relay -update", page)
	}
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
			var p comment.Parser
			out.Write((&comment.Printer{}).Markdown(p.Parse(g.Doc.Text())))
			out.WriteByte('\n')
		}
	}
	return strings.TrimSuffix(out.String(), "\n")
}
