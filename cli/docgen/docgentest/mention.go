// Package docgentest holds what is written of a program to what the program understands: every command line that stands as code in a document, and
// every one in a string of ours, where it most often is the way out of an error.
//
// A line is read as far as it is one of the program: words that name commands, and flags. Arguments and values are not looked into. Words of a
// document's sentences are none, nor is what the changelog and decisions of former times say.
package docgentest

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// word is a name of a command, as it is typed.
var word = regexp.MustCompile(`^[a-z][a-z-]*$`)

// ends is where a command line does: at a pipe, a redirection, a comment, another command, or what stands for more of it.
var ends = regexp.MustCompile(`^([|>#&;(){}…"]|\d>|\.\.\.$|—|→|<<)`)

// Misread says what in a command line, without the program's name, the program does not understand; "" if it does. Sure says that it
// is known to be a command line; else one that does not begin with a command is none.
func Misread(root *cobra.Command, line string, sure bool) string {
	at, begun := root, sure
	all := strings.Fields(line)
	for i := 0; i < len(all); i++ {
		t := all[i]
		last := strings.TrimRight(t, `.,;:)"'`)
		switch {
		case ends.MatchString(t):
			return ""
		case strings.HasPrefix(t, "-") && t != "-" && t != "--":
			f, why := flag(at, last)
			if why != "" && begun {
				return why
			}
			if f != nil && f.NoOptDefVal == "" && !strings.Contains(t, "=") {
				i++ // its value
			}
		case at.HasSubCommands():
			below, why := sub(at, last)
			if why != "" && begun {
				return why
			}
			if below == nil {
				return ""
			}
			at, begun = below, true
		}
		if last != t {
			return "" // the sentence goes on
		}
	}
	return ""
}

// sub finds a command below another; alternatives (create|delete) are looked at one by one, and end the line.
func sub(at *cobra.Command, t string) (below *cobra.Command, why string) {
	alternatives := strings.Split(t, "|")
	for _, a := range alternatives {
		if !word.MatchString(a) {
			return nil, ""
		}
		below = nil
		for _, c := range at.Commands() {
			if c.Name() == a || c.HasAlias(a) {
				below = c
			}
		}
		if below == nil && a == "help" {
			return nil, ""
		}
		if below == nil && !strings.Contains(at.Use, " ") {
			return nil, fmt.Sprintf("%s has no command %q", at.CommandPath(), a)
		}
	}
	if len(alternatives) > 1 {
		return nil, ""
	}
	return below, ""
}

// flag finds the flag of a command that a word of a line is.
func flag(at *cobra.Command, t string) (f *pflag.Flag, why string) {
	at.InitDefaultHelpFlag()
	name, _, _ := strings.Cut(t, "=")
	if long, ok := strings.CutPrefix(name, "--"); ok {
		if f = at.Flag(long); f == nil {
			return nil, fmt.Sprintf("%s has no flag %s", at.CommandPath(), name)
		}
		return f, ""
	}
	for _, letter := range name[1:] {
		if f = short(at, string(letter)); f == nil {
			return nil, fmt.Sprintf("%s has no flag -%c", at.CommandPath(), letter)
		}
		if f.NoOptDefVal == "" {
			break // the rest is its value
		}
	}
	return f, ""
}

func short(at *cobra.Command, letter string) *pflag.Flag {
	if f := at.Flags().ShorthandLookup(letter); f != nil {
		return f
	}
	return at.InheritedFlags().ShorthandLookup(letter)
}
