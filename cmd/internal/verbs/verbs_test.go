package verbs

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/cli/iox"
	"github.com/cvlan/cvlan/internal/sys/disk"
)

func TestAnErrorIsToldAndHasItsCode(t *testing.T) {
	away := errors.New("nobody is there")
	for name, c := range map[string]struct {
		err  error
		code iox.Exit
		said string
	}{
		"nothing":           {nil, iox.OK, ""},
		"a defect":          {errors.New("do: it broke"), iox.Internal, "p: do: it broke\n"},
		"input":             {Input(errors.New("read: not so")), iox.Invalid, "p: read: not so\n"},
		"no input":          {Input(nil), iox.OK, ""},
		"wrapped input":     {fmt.Errorf("load: %w", Input(errors.New("not so"))), iox.Invalid, "p: load: not so\n"},
		"a folder in use":   {fmt.Errorf("open: %w", disk.ErrLocked), iox.Invalid, "p: open: " + disk.ErrLocked.Error() + "\n"},
		"one of its own":    {fmt.Errorf("ask: %w", away), iox.NoDaemon, "p: ask: nobody is there\n"},
		"all that is wrong": {Input(errors.Join(errors.New("a: is empty"), errors.New("b: is negative"))), iox.Invalid, "p: a: is empty\n  b: is negative\n"},
	} {
		p := Program{Name: "p", Commands: []*cobra.Command{{Use: "do", Args: None, RunE: func(*cobra.Command, []string) error { return c.err }}},
			Exit: func(err error) iox.Exit {
				if errors.Is(err, away) {
					return iox.NoDaemon
				}
				return iox.OK
			}}
		var out, errs bytes.Buffer
		if code := p.Run([]string{"do"}, &out, &errs); code != int(c.code) || errs.String() != c.said {
			t.Errorf("%s: %d %q, want %d %q", name, code, errs.String(), c.code, c.said)
		}
	}
}

func TestALineThatMeansNothingIsUsage(t *testing.T) {
	do := func(*cobra.Command, []string) error { return nil }
	p := Program{Name: "p", Commands: []*cobra.Command{{Use: "do", Args: None, RunE: do}, {Use: "copy FILE", Args: One("FILE"), RunE: do}}}
	for want, args := range map[string][]string{
		"p: \"od\" is no command; see p --help\n":                   {"od"},
		"p: do: \"x\" is not expected; see p do --help\n":           {"do", "x"},
		"p: copy: wants one FILE; see p copy --help\n":              {"copy"},
		"p: unknown flag: --frob; see p do --help\n":                {"do", "--frob"},
		"p: unknown shorthand flag: 'z' in -z; see p copy --help\n": {"copy", "-z"},
	} {
		var out, errs bytes.Buffer
		if code := p.Run(args, &out, &errs); code != int(iox.Usage) || errs.String() != want {
			t.Errorf("%v: %d %q, want %q", args, code, errs.String(), want)
		}
	}
}
