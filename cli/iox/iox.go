// Package iox is the terminal as commands see it: streams, whether a person watches, width and colour, tables, JSON, templates,
// questions and errors.
//
// The rules of the interface: results go to standard output and nothing else does; progress, notes, questions and errors go
// to standard error. A table is for people and may change; JSON is for scripts, carries "schema", and only ever gains fields.
// Every string that came from elsewhere passes package clean before it is shown; in JSON it keeps its value, and what a terminal would obey
// is written with JSON's escapes.
package iox

import (
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"

	"golang.org/x/term"

	"github.com/cvlan/cvlan/internal/base/clean"
)

// IO is a program's streams.
type IO struct {
	In       io.Reader
	Out, Err io.Writer
	InTTY    bool // a person types
	OutTTY   bool // a person reads the output
	ErrTTY   bool // a person reads notes
	Color    bool // on Out
	Dumb     bool // the terminal moves no cursor: what is written stays
	Width    int  // columns of Out; 0: without limit
}

// System returns the process's streams. Colour is off when NO_COLOR is set (no-color.org), TERM is dumb or nobody watches.
func System() *IO {
	o := &IO{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
	o.InTTY, o.OutTTY, o.ErrTTY = term.IsTerminal(int(os.Stdin.Fd())), term.IsTerminal(int(os.Stdout.Fd())), term.IsTerminal(int(os.Stderr.Fd()))
	o.Dumb = os.Getenv("TERM") == "dumb"
	o.Color = o.OutTTY && os.Getenv("NO_COLOR") == "" && !o.Dumb && colors(os.Stdout)
	if o.OutTTY {
		if w, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil {
			o.Width = w
		}
	}
	return o
}

// limit is how much of a foreign string is shown.
const limit = 200

// Clean makes a foreign string fit to be shown.
func Clean(s string) string { return clean.Line(s, limit) }

// CleanTo is Clean with another bound, in runes.
func CleanTo(s string, most int) string { return clean.Line(s, most) }

// Printf writes a line of the result. Strings among the arguments are cleaned.
func (o *IO) Printf(format string, args ...any) { fmt.Fprintf(o.Out, format+"\n", cleaned(args)...) }

// Notef writes a line for the person: progress, or what to do next. Strings among the arguments are cleaned.
func (o *IO) Notef(format string, args ...any) { fmt.Fprintf(o.Err, format+"\n", cleaned(args)...) }

func cleaned(args []any) []any {
	for i, a := range args {
		switch v := a.(type) {
		case string:
			args[i] = Clean(v)
		case error:
			args[i] = Clean(v.Error())
		case fmt.Stringer:
			args[i] = Clean(v.String())
		default: // words of a kind of their own
			if word := reflect.ValueOf(a); word.Kind() == reflect.String {
				args[i] = Clean(word.String())
			}
		}
	}
	return args
}

// Fail shows an error: what failed and why on one line, then the hint, indented.
func (o *IO) Fail(program string, err error) {
	fmt.Fprintf(o.Err, "%s: %s\n", program, clean.Line(err.Error(), 1000))
	e, ok := err.(*Error)
	if !ok || e.Hint == "" {
		return
	}
	for line := range strings.Lines(clean.Text(e.Hint, 2000)) {
		fmt.Fprintf(o.Err, "  %s\n", strings.TrimSuffix(line, "\n"))
	}
}

// Style is how a word looks where there is colour. It never carries meaning that the word does not.
type Style string

// The styles.
const (
	Plain Style = ""
	Bold  Style = "1"
	Dim   Style = "2"
	Red   Style = "31"
	Green Style = "32"
	Amber Style = "33"
)

// Paint returns a cleaned string in a style, or without where there is no colour.
func (o *IO) Paint(style Style, s string) string {
	s = Clean(s)
	if !o.Color || style == Plain || s == "" {
		return s
	}
	return "\x1b[" + string(style) + "m" + s + "\x1b[0m"
}

// Confirm asks a person before something that cannot be undone. Where nobody can answer it is taken for granted: scripts mean
// what they say.
func (o *IO) Confirm(question string) bool {
	if !o.InTTY || !o.ErrTTY {
		return true
	}
	fmt.Fprintf(o.Err, "%s [y/N] ", Clean(question))
	line, _ := readLine(o.In)
	line = strings.ToLower(strings.TrimSpace(line))
	return line == "y" || line == "yes"
}

// readLine reads byte by byte, so that nothing of what follows is lost.
func readLine(r io.Reader) (string, error) {
	var b []byte
	for one := make([]byte, 1); len(b) < 1024; {
		n, err := r.Read(one)
		if n == 1 && one[0] != '\n' {
			b = append(b, one[0])
		}
		if err != nil || n == 1 && one[0] == '\n' {
			return string(b), err
		}
	}
	return string(b), nil
}
