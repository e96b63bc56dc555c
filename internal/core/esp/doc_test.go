package esp

import (
	"flag"
	"testing"

	"github.com/cvlan/cvlan/internal/lab/spec"
)

var update = flag.Bool("update", false, "write docs/protocol/esp.md anew")

func TestTheSpecificationIsPublished(t *testing.T) {
	spec.Page{Package: "internal/core/esp", Name: "esp", Title: "ESP"}.Check(t, *update)
}
