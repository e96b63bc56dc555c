package archtest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

var (
	link    = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	heading = regexp.MustCompile(`^#{1,6} +(.*)$`)
)

// TestLinksLead follows every link of the documents that stays in the repository, to its heading.
func TestLinksLead(t *testing.T) {
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && (name == "testdata" || name == "bin" || name == ".git") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".md") {
			return nil
		}
		prose, _ := read(t, path)
		for _, m := range link.FindAllStringSubmatch(prose, -1) {
			if !strings.Contains(m[1], "://") && !strings.HasPrefix(m[1], "mailto:") {
				follow(t, path, m[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func follow(t *testing.T, from, to string) {
	file, anchor, _ := strings.Cut(to, "#")
	path := from
	if file != "" {
		path = filepath.Join(filepath.Dir(from), file)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("%s: %s leads nowhere", from, to)
		return
	}
	if anchor == "" || !strings.HasSuffix(path, ".md") {
		return
	}
	if _, anchors := read(t, path); !anchors[anchor] {
		t.Errorf("%s: there is no such heading: %s", from, to)
	}
}

// read returns a document without its code, and what its headings are called in links.
func read(t *testing.T, path string) (prose string, anchors map[string]bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	anchors = map[string]bool{}
	code := false
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			code = !code
			continue
		}
		if code {
			continue
		}
		b.WriteString(line)
		if m := heading.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			anchors[anchor(m[1])] = true
		}
	}
	return b.String(), anchors
}

// anchor is how a heading is called in a link.
func anchor(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
}
