package docgen

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cvlan/cvlan/cli/iox"
)

// Man returns the manual pages by file name: cvlan.1, and one a command as in Pages. Date stands in each page's foot, YYYY-MM-DD.
func Man(root *cobra.Command, date string) map[string]string {
	pages := map[string]string{root.Name() + ".1": manIndex(root, date)}
	for _, c := range nouns(root) {
		pages[manName(c)+".1"] = manPage(c, date)
	}
	return pages
}

func manName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// roff writes text so that man(7) shows it as it is: backslashes and hyphens have meanings, and so have dots and quotes at the start of a line.
var roff = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n.", "\n\\&.", "\n'", "\n\\&'")

func plain(s string) string {
	var b strings.Builder
	for _, r := range strings.TrimPrefix(roff.Replace("\n"+s), "\n") {
		if r > '~' {
			fmt.Fprintf(&b, `\[u%04X]`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func head(b *strings.Builder, name, short, date string) {
	fmt.Fprintf(b, ".TH %q 1 %q \"CloudVLAN\" \"CloudVLAN\"\n.SH NAME\n%s \\- %s\n", strings.ToUpper(name), date, plain(name), plain(strings.ToLower(short[:1])+short[1:]))
}

func manIndex(root *cobra.Command, date string) string {
	var b strings.Builder
	head(&b, root.Name(), root.Short, date)
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B cvlan\n.I command\n[flags]\n.SH DESCRIPTION\n%s\n.SH COMMANDS\n", plain(root.Long))
	for _, c := range nouns(root) {
		fmt.Fprintf(&b, ".TP\n.BR %s (1)\n%s.\n", plain(manName(c)), plain(c.Short))
	}
	b.WriteString(".SH OPTIONS\n")
	manFlags(&b, root.PersistentFlags())
	b.WriteString(".SH EXIT STATUS\n")
	for _, e := range iox.Exits() {
		fmt.Fprintf(&b, ".TP\n.B %d\n%s.\n", e.Code, plain(e.Meaning))
	}
	return b.String()
}

func manPage(c *cobra.Command, date string) string {
	var b strings.Builder
	head(&b, manName(c), c.Short, date)
	b.WriteString(".SH SYNOPSIS\n")
	all := append([]*cobra.Command{c}, c.Commands()...)
	for i, x := range all {
		if i == 0 && len(all) > 1 {
			continue // does nothing by itself
		}
		fmt.Fprintf(&b, ".br\n.B %s\n", plain(x.UseLine()))
	}
	fmt.Fprintf(&b, ".SH DESCRIPTION\n%s\n", plain(c.Long))
	manFlags(&b, c.LocalNonPersistentFlags())
	manFlags(&b, c.PersistentFlags())
	for _, x := range c.Commands() {
		fmt.Fprintf(&b, ".SS %s\n%s\n", plain(x.CommandPath()), plain(x.Long))
		manFlags(&b, x.LocalNonPersistentFlags())
	}
	b.WriteString(".SH EXAMPLES\n.nf\n")
	for _, x := range all {
		for line := range strings.Lines(x.Example) {
			b.WriteString(plain(strings.TrimSpace(line)) + "\n")
		}
	}
	b.WriteString(".fi\n.SH SEE ALSO\n.BR cvlan (1)\n")
	return b.String()
}

func manFlags(b *strings.Builder, set *pflag.FlagSet) {
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		kind, text := pflag.UnquoteUsage(f)
		if kind != "" {
			kind = value(kind)
		}
		fmt.Fprintf(b, ".TP\n\\fB%s\\fR \\fI%s\\fR\n%s.\n", plain(name), plain(kind), plain(text))
	})
}
