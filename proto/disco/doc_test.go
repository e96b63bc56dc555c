package disco

import (
	"go/doc/comment"
	"go/parser"
	"go/token"
	"os"
	"testing"
)

const page = "../../docs/protocol/disco.md"

// TestTheSpecificationIsPublished keeps the page that people read the same as the package comment.
func TestTheSpecificationIsPublished(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var p comment.Parser
	text := (&comment.Printer{HeadingLevel: 2, HeadingID: func(*comment.Heading) string { return "" }}).Markdown(p.Parse(f.Doc.Text()))
	want := "<!-- Written by `go test ./proto/disco -update` from proto/disco/doc.go. -->\n# Disco: nodes that look for a way to each other\n\n" + string(text) +
		"\n## Vectors\n\n`proto/disco/testdata/vectors.json` has a datagram of each form with everything that goes into it.\n"
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := os.ReadFile(page); string(got) != want {
		t.Errorf("%s is not what the code says; write it anew: go test ./proto/disco -update", page)
	}
}
