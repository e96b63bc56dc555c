package admin

import (
	"flag"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/admin"
)

var update = flag.Bool("update", false, "write docs/reference/openapi.yaml anew")

const document = "../../docs/reference/openapi.yaml"

func TestTheDocumentIsWhatIsServed(t *testing.T) {
	got, err := bare(t).api.OpenAPI().YAML()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(document, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Error("docs/reference/openapi.yaml differs from what is served; run: go test ./controller/admin -run TestTheDocument -update")
	}
}

func TestEveryDeclaredOperationIsServedAndNoOther(t *testing.T) {
	var declared []string
	for _, r := range admin.Routes() {
		declared = append(declared, r.ID)
	}
	served := slices.Clone(bare(t).ops)
	slices.Sort(declared)
	slices.Sort(served)
	if !slices.Equal(declared, served) {
		t.Errorf("declared %v, served %v", declared, served)
	}
}

// bare is a server without anything behind it, which is enough to describe itself.
func bare(t *testing.T) *server {
	t.Helper()
	s, _ := build(Config{Now: time.Now})
	return s
}
