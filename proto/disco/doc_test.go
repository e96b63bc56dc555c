package disco

import (
	"testing"

	"github.com/cvlan/cvlan/internal/lab/spec"
)

func TestTheSpecificationIsPublished(t *testing.T) {
	spec.Page{Package: "proto/disco", Name: "disco", Title: "Disco: nodes that look for a way to each other",
		More: "\n## Vectors\n\n`proto/disco/testdata/vectors.json` has a datagram of each form with everything that goes into it.\n"}.Check(t, *update)
}
