package cli

import (
	"testing"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
	"github.com/cvlan/cvlan/internal/core/path"
)

// The daemon shows the finder's own words, and what works is green.
func TestAWayThatWorksIsGreen(t *testing.T) {
	for s := path.Untried; s <= path.Absent; s++ {
		want := iox.Dim
		if s == path.Works {
			want = iox.Green
		}
		if got := wayStyle(local.Candidate{State: s.String()}); got != want {
			t.Errorf("%s is shown in style %s, want %s", s, got, want)
		}
	}
}
