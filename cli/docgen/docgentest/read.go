package docgentest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Mentions checks every command line of a program that the repository's documents and programs mention.
func Mentions(t *testing.T, root *cobra.Command) {
	t.Helper()
	top := module(t)
	found := 0
	check := func(where, code string, sure bool) {
		for _, line := range lines(root.Name(), code, sure) {
			found++
			if why := Misread(root, line, sure); why != "" {
				t.Errorf("%s: %s %s: %s", where, root.Name(), line, why)
			}
		}
	}
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(top, path)
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir():
			if name == "testdata" || name == "bin" || name == "adr" || name == "archtest" || len(name) > 1 && name[0] == '.' {
				return fs.SkipDir
			}
		case name == "CHANGELOG.md":
		case strings.HasSuffix(name, ".md"):
			return document(path, rel, check)
		case strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go"):
			return source(path, rel, check)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found == 0 {
		t.Errorf("nobody mentions %s", root.Name())
	}
}

// module is the folder of the repository.
func module(t *testing.T) string {
	t.Helper()
	at, err := os.Getwd()
	for err == nil {
		if _, gone := os.Stat(filepath.Join(at, "go.mod")); gone == nil {
			return at
		}
		if filepath.Dir(at) == at {
			break
		}
		at = filepath.Dir(at)
	}
	t.Fatal("there is no go.mod above here", err)
	return ""
}

// before is what a program's name follows where it is to be typed, in code and in a string of ours: not a flag, whose value it is, nor the words
// of a sentence that speaks of it.
var before = map[bool]*regexp.Regexp{
	true:  regexp.MustCompile(`(^|[^a-zA-Z] |[\n("':$]|\b[a-z]+ )$`),
	false: regexp.MustCompile(`(^|[:,&(] ?|[\n"'] *|\b(sudo|then|or|see|with|type|run|use) )$`),
}

// aValue is what comes before a flag's.
var aValue = regexp.MustCompile(`(^| )--?[a-zA-Z-]+ $`)

// lines finds what follows a program's name wherever that is to be typed.
func lines(name, code string, sure bool) (all []string) {
	for at := 0; ; {
		i := strings.Index(code[at:], name+" ")
		if i < 0 {
			return all
		}
		i += at
		at = i + len(name) + 1
		if head := code[:i]; before[sure].MatchString(head) && !aValue.MatchString(head) {
			line, _, _ := strings.Cut(code[at:], "\n")
			all = append(all, line)
		}
	}
}

var (
	inline = regexp.MustCompile("`([^`\n]+)`")
	prompt = regexp.MustCompile(`^\s*[a-z]*[$#] `)
)

// document reads the code of a document in Markdown: what is in a sentence, in a script, and at a prompt, is sure to be typed.
func document(path, rel string, check func(where, code string, sure bool)) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	block, language := false, ""
	for n, line := range strings.Split(string(text), "\n") {
		where := rel + ":" + strconv.Itoa(n+1)
		trimmed := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(trimmed, "```"):
			block, language = !block, strings.TrimPrefix(trimmed, "```")
		case block:
			check(where, line, language == "sh" || prompt.MatchString(line))
		default:
			for _, m := range inline.FindAllStringSubmatch(line, -1) {
				check(where, m[1], true)
			}
		}
	}
	return nil
}

// source reads the strings of a program of ours.
func source(path, rel string, check func(where, code string, sure bool)) error {
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, path, nil, 0)
	if err != nil {
		return err
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.BasicLit); ok && s.Kind == token.STRING {
			if text, err := strconv.Unquote(s.Value); err == nil {
				check(rel+":"+strconv.Itoa(files.Position(s.Pos()).Line), text, false)
			}
		}
		return true
	})
	return nil
}
