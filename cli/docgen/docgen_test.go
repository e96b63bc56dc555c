package docgen

import (
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/cli"
	"github.com/cvlan/cvlan/cli/docgen/docgentest"
	"github.com/cvlan/cvlan/cli/iox"
)

var update = flag.Bool("update", false, "write docs/reference/cli anew")

const folder = "../../docs/reference/cli"

func program() *cobra.Command {
	return cli.New(&cli.Env{IO: &iox.IO{}, Getenv: func(string) string { return "" }, Now: time.Now})
}

func TestTheReferenceIsWhatTheProgramSays(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the reference names the paths of Unix")
	}
	pages := Pages(program())
	old, err := filepath.Glob(filepath.Join(folder, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range old {
		if _, ok := pages[filepath.Base(path)]; !ok && *update {
			os.Remove(path)
		} else if !ok {
			t.Errorf("%s is of no command; run: go generate ./cli/docgen", path)
		}
	}
	for name, want := range pages {
		path := filepath.Join(folder, name)
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("docs/reference/cli/%s is not what the program says (%v); run: go generate ./cli/docgen", name, err)
		}
	}
}

// TestEveryCommandExplainsItself asks for what help promises: a sentence, a paragraph and two examples.
func TestEveryCommandExplainsItself(t *testing.T) {
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Name() == "help" {
			return
		}
		if c.Short == "" || c.Long == "" || strings.HasSuffix(c.Short, ".") || !strings.HasSuffix(c.Long, ".") {
			t.Errorf("%s: %q, %q", c.CommandPath(), c.Short, c.Long)
		}
		if n := strings.Count(strings.TrimSpace(c.Example), "\n") + 1; n < 2 {
			t.Errorf("%s has %d examples, want two", c.CommandPath(), n)
		}
		for line := range strings.Lines(c.Example) {
			if !strings.Contains(line, "cvlan") {
				t.Errorf("%s: this example does not use the program: %s", c.CommandPath(), line)
			}
		}
		for _, below := range c.Commands() {
			walk(below)
		}
	}
	walk(program())
}

func TestEveryCommandThatIsMentionedIsThere(t *testing.T) { docgentest.Mentions(t, program()) }
