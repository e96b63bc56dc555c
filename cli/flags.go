package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/cli/iox"
)

// span is a flag for durations as people write them: 90s, 12h, 7d.
type span time.Duration

func (s *span) String() string { return spanText(time.Duration(*s)) }

// Type names the flag's argument in help.
func (*span) Type() string { return "duration" }

// Set reads what was typed.
func (s *span) Set(text string) error {
	d, err := iox.ParseSpan(text)
	*s = span(d)
	return err
}

// spanText writes whole units where that is exact, so that defaults in help look as people type them.
func spanText(d time.Duration) string {
	if short := iox.Span(d); d > 0 {
		if back, err := iox.ParseSpan(short); err == nil && back == d {
			return short
		}
	}
	return d.String()
}

// outputFlags adds the flags that choose a result's form.
func outputFlags(c *cobra.Command, o *iox.Output) {
	c.Flags().BoolVar(&o.JSON, "json", false, "print the result as JSON")
	c.Flags().StringVar(&o.Template, "template", "", "print the result through a Go template over the JSON document")
	exclusive(c, "json", "template")
}

// exclusive refuses more than one of the flags. It is called when the command's Args are set.
func exclusive(c *cobra.Command, names ...string) {
	then := c.Args
	c.Args = func(c *cobra.Command, args []string) error {
		var given []string
		for _, n := range names {
			if c.Flags().Changed(n) {
				given = append(given, "--"+n)
			}
		}
		if len(given) > 1 {
			return usage(c, strings.Join(given, " and ")+" exclude each other")
		}
		return then(c, args)
	}
}

// timeoutFlag adds --timeout.
func timeoutFlag(c *cobra.Command, s *span, preset time.Duration, what string) {
	*s = span(preset)
	c.Flags().Var(s, "timeout", what)
}

// within returns a context that ends after the timeout; 0 is without limit.
func (s span) within(ctx context.Context) (context.Context, context.CancelFunc) {
	if s == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Duration(s))
}

// maxKeyFile bounds what is read as a key, in bytes.
const maxKeyFile = 16 << 10

// readKey reads a key from a file, or from standard input if that is "-".
func (e *Env) readKey(path string) (string, error) {
	in := e.IO.In
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return "", readFault("read the key file", path, err)
		}
		defer f.Close()
		in = f
	} else if e.IO.InTTY {
		e.IO.Notef("Paste the key, then press Enter and ctrl-D:")
	}
	b, err := io.ReadAll(io.LimitReader(in, maxKeyFile+1))
	if err == nil && len(b) > maxKeyFile {
		err = errors.New("it is too long to be a key")
	}
	if err != nil {
		return "", readFault("read the key file", path, err)
	}
	return strings.TrimSpace(string(b)), nil
}
