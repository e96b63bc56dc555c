package control

import (
	"flag"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/protocol/control.md anew")

const page = "../../docs/protocol/control.md"

// TestTheSpecificationIsPublished keeps the page that people read the same as the package comment and the messages.
func TestTheSpecificationIsPublished(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	messages, err := os.ReadFile("control.proto")
	if err != nil {
		t.Fatal(err)
	}
	var p comment.Parser
	text := (&comment.Printer{HeadingLevel: 2, HeadingID: func(*comment.Heading) string { return "" }}).Markdown(p.Parse(f.Doc.Text()))
	want := "<!-- Written by `go test ./proto/control -update` from proto/control/doc.go and control.proto. -->\n# The node stream\n\n" +
		string(text) + "\n## Messages\n\n```proto\n" + strings.TrimSpace(string(messages)) + "\n```\n"
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := os.ReadFile(page); string(got) != want {
		t.Errorf("%s is not what the code says; write it anew: go test ./proto/control -update", page)
	}
}
