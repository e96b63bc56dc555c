package control

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/cvlan/cvlan/internal/lab/spec"
)

var update = flag.Bool("update", false, "write docs/protocol/control.md anew")

func TestTheSpecificationIsPublished(t *testing.T) {
	messages, err := os.ReadFile("control.proto")
	if err != nil {
		t.Fatal(err)
	}
	spec.Page{Package: "proto/control", Name: "control", Title: "The node stream", Also: "control.proto",
		More: "\n## Messages\n\n```proto\n" + strings.TrimSpace(string(messages)) + "\n```\n"}.Check(t, *update)
}
