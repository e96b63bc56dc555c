package acl

import (
	"os"
	"regexp"
	"testing"
)

var shownDocument = regexp.MustCompile("(?s)```jsonc\n(\\{.*?)```")

// TestTheManualsDocumentsAreValid reads the whole documents that the manual shows.
func TestTheManualsDocumentsAreValid(t *testing.T) {
	for path, want := range map[string]int{"../../docs/guides/policy.md": 2, "../../docs/reference/policy.md": 1} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all := shownDocument.FindAllSubmatch(text, -1)
		if len(all) != want {
			t.Errorf("%s shows %d documents, want %d", path, len(all), want)
		}
		for _, m := range all {
			if _, problems := Parse(m[1], Options{}); len(problems) > 0 {
				t.Errorf("%s: %v in\n%s", path, problems, m[1])
			}
		}
	}
}
