package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
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

// validity is a flag for how long a key is valid.
type validity struct{ span }

// Set reads what was typed.
func (v *validity) Set(text string) error {
	var s span
	if err := s.Set(text); err != nil {
		return err
	}
	if *s.seconds() > admin.MaxTTLSeconds {
		return want(fmt.Sprintf("%dd at most, or 0s for ever", admin.MaxTTLSeconds/(24*3600)))
	}
	v.span = s
	return nil
}

// seconds is the duration as the controller counts it.
func (s span) seconds() *int64 {
	n := int64(time.Duration(s) / time.Second)
	return &n
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

// outputFlags adds the flags that choose a result's form. brief is where in the JSON document the names are that -q prints; without it
// there is no -q.
func outputFlags(c *cobra.Command, o *iox.Output, brief ...string) {
	c.Flags().BoolVar(&o.JSON, "json", false, "print the result as JSON")
	c.Flags().StringVar(&o.Template, "template", "", "print the result through a Go template over the JSON document")
	if len(brief) == 0 {
		exclusive(c, "json", "template")
		return
	}
	o.Brief = brief[0]
	c.Flags().BoolVarP(&o.Quiet, "quiet", "q", false, "print only "+o.Brief+" of the JSON document, one a line")
	exclusive(c, "json", "template", "quiet")
}

// needs refuses a command line without one of the flags. It is called when the command's Args are set.
func needs(c *cobra.Command, names ...string) {
	then := c.Args
	c.Args = func(c *cobra.Command, args []string) error {
		if err := then(c, args); err != nil {
			return err
		}
		for _, n := range names {
			if f := c.Flags().Lookup(n); f.Value.String() == f.DefValue {
				return usage(c, "--"+n+" is missing")
			}
		}
		return nil
	}
}

// confirmed adds --yes, and without it asks before the command runs; nothing is what is said when the answer is no.
func confirmed(c *cobra.Command, question func(args []string) string, nothing string, io *iox.IO) {
	var yes bool
	run := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		if !yes && !io.Confirm(question(args)) {
			return &iox.Error{Exit: iox.Interrupted, What: nothing}
		}
		return run(c, args)
	}
	yesFlag(c, &yes)
}

// yesFlag adds --yes.
func yesFlag(c *cobra.Command, yes *bool) {
	c.Flags().BoolVarP(yes, "yes", "y", false, "do not ask")
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

// keyLine is the line of a key that was made elsewhere: whole, because cut it would be worthless, and without what no key has in it. ticket.Parse
// checks it at the other end.
func keyLine(text string) []byte {
	return []byte(strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return -1
		}
		return r
	}, text) + "\n")
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
