// Package verbstest is what tests of programs share: their command lines and settings, their running in the background, and a client of
// each door that a program opens.
package verbstest

import (
	"bytes"
	"flag"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/cvlan/cvlan/cli/iox"
	"github.com/cvlan/cvlan/cmd/internal/conf"
)

var update = flag.Bool("update", false, "write the reference of settings anew")

// Reference checks that docs/reference/config has a program's settings as the program declares them.
func Reference(t *testing.T, program, envPrefix, defaultFile string, fs *pflag.FlagSet) {
	t.Helper()
	file := "../../docs/reference/config/" + program + ".md"
	var want bytes.Buffer
	conf.Reference(&want, program, envPrefix, defaultFile, fs)
	if *update {
		if err := os.WriteFile(file, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := os.ReadFile(file); !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%s is not what the program says; write it anew: go test ./cmd/%s -update", file, program)
	}
}

// Line is a program's run function, under its name.
type Line struct {
	Name string
	Run  func(args []string, out, errs io.Writer) int
}

// Type runs the program and returns its exit code and what it wrote.
func (l Line) Type(args ...string) (code iox.Exit, out, errs string) {
	var o, e bytes.Buffer
	code = iox.Exit(l.Run(args, &o, &e))
	return code, o.String(), e.String()
}

// Tells checks that mistakes end with an exit code and are told in the program's name, each in words that lead out of it.
func (l Line) Tells(t *testing.T, want iox.Exit, mistakes map[string][]string) {
	t.Helper()
	for words, args := range mistakes {
		if code, _, errs := l.Type(args...); code != want || !strings.Contains(errs, words) || !strings.HasPrefix(errs, l.Name+": ") {
			t.Errorf("%v: exit %d, %q; want exit %d and %q", args, code, errs, want, words)
		}
	}
}

// TellsVersionAndHelp checks both; help must contain what to type first.
func (l Line) TellsVersionAndHelp(t *testing.T, first string) {
	t.Helper()
	if code, out, _ := l.Type("version"); code != iox.OK || !strings.HasPrefix(out, l.Name+" ") {
		t.Errorf("version: %d %q", code, out)
	}
	if code, out, _ := l.Type(); code != iox.OK || !strings.Contains(out, first) {
		t.Errorf("help: %d %q", code, out)
	}
}
