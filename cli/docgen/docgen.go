// Package docgen writes the command line's reference from the commands themselves.
package docgen

//go:generate go test . -run TestTheReferenceIsWhatTheProgramSays -update

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cvlan/cvlan/cli/iox"
)

// Pages returns the reference's pages by file name: README.md, and one a command, with the commands below it on the same page.
func Pages(root *cobra.Command) map[string]string {
	pages := map[string]string{"README.md": index(root)}
	for _, c := range nouns(root) {
		pages[file(c)] = page(c)
	}
	return pages
}

// nouns returns the commands that have a page: those of the root, and those of admin in place of admin.
func nouns(root *cobra.Command) (all []*cobra.Command) {
	for _, c := range root.Commands() {
		switch {
		case c.Name() == "help" || c.Hidden:
		case c.Name() == "admin":
			all = append(all, c.Commands()...)
		default:
			all = append(all, c)
		}
	}
	return all
}

func file(c *cobra.Command) string {
	return strings.ReplaceAll(strings.TrimPrefix(c.CommandPath(), c.Root().Name()+" "), " ", "-") + ".md"
}

func index(root *cobra.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n\n| command | |\n|---|---|\n", root.Name(), root.Long)
	for _, c := range nouns(root) {
		fmt.Fprintf(&b, "| [%s](%s) | %s |\n", c.CommandPath(), file(c), c.Short)
	}
	b.WriteString("\n## Flags of every command\n\n")
	flags(&b, root.PersistentFlags())
	for _, c := range root.Commands() {
		if c.Name() == "admin" {
			fmt.Fprintf(&b, "## %s\n\n%s\n\n", c.CommandPath(), c.Long)
			flags(&b, c.PersistentFlags())
		}
	}
	b.WriteString("## Exit codes\n\n| code | meaning |\n|---|---|\n")
	for _, e := range iox.Exits() {
		fmt.Fprintf(&b, "| %d | %s |\n", e.Code, e.Meaning)
	}
	return b.String()
}

func page(c *cobra.Command) string {
	var b strings.Builder
	section(&b, c, "#")
	for _, below := range c.Commands() {
		section(&b, below, "##")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

func section(b *strings.Builder, c *cobra.Command, level string) {
	fmt.Fprintf(b, "%s %s\n\n%s\n\n", level, c.CommandPath(), c.Long)
	if len(c.Commands()) == 0 {
		fmt.Fprintf(b, "    %s\n\n", c.UseLine())
	}
	b.WriteString("```sh\n")
	for line := range strings.Lines(c.Example) {
		b.WriteString(strings.TrimSpace(line) + "\n")
	}
	b.WriteString("```\n\n")
	flags(b, c.LocalNonPersistentFlags())
	flags(b, c.PersistentFlags())
}

// value names what a flag takes.
func value(kind string) string {
	switch kind {
	case "string", "stringArray":
		return "TEXT"
	case "int", "uint16":
		return "N"
	default:
		return strings.ToUpper(kind)
	}
}

func flags(b *strings.Builder, set *pflag.FlagSet) {
	rows := 0
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		if rows++; rows == 1 {
			b.WriteString("| flag | |\n|---|---|\n")
		}
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		kind, text := pflag.UnquoteUsage(f)
		if kind != "" {
			name += " " + value(kind)
		}
		if d := f.DefValue; d != "" && d != "false" && d != "0" && d != "0s" && d != "[]" && !strings.Contains(text, "(default") {
			text += " (default " + d + ")"
		}
		fmt.Fprintf(b, "| `%s` | %s |\n", name, text)
	})
	if rows > 0 {
		b.WriteString("\n")
	}
}
