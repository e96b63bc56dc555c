package docgen

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
)

func TestEveryCommandHasAManualPage(t *testing.T) {
	pages := Man(program(), "2027-03-01")
	if len(pages) < 20 || !strings.Contains(pages["cvlan-admin-key.1"], ".SS cvlan admin key create") || !strings.Contains(pages["cvlan.1"], ".BR cvlan\\-doctor (1)") {
		t.Fatalf("%d pages", len(pages))
	}
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Skip("no groff here to read them")
	}
	for name, page := range pages {
		c := exec.Command(groff, "-man", "-Tutf8", "-ww", "-z")
		c.Stdin = strings.NewReader(page)
		if out, err := c.CombinedOutput(); err != nil || len(bytes.TrimSpace(out)) > 0 {
			t.Errorf("%s: %v %.300s", name, err, out)
		}
	}
}
