package esp

import (
	"flag"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write docs/protocol/esp.md anew")

const page = "../../../docs/protocol/esp.md"

// TestTheSpecificationIsPublished keeps the page that people read the same as the package comment.
func TestTheSpecificationIsPublished(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var p comment.Parser
	text := (&comment.Printer{HeadingLevel: 2, HeadingID: func(*comment.Heading) string { return "" }}).Markdown(p.Parse(f.Doc.Text()))
	want := "<!-- Written by `go test ./internal/core/esp -update` from internal/core/esp/doc.go. -->\n# ESP\n\n" + string(text)
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := os.ReadFile(page); string(got) != want {
		t.Errorf("%s is not what the code says; write it anew: go test ./internal/core/esp -update", page)
	}
}
