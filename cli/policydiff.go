package cli

import (
	"io"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cli/iox"
)

func newPolicyDiff(s *session) *cobra.Command {
	o := &policyTalk{session: s}
	c := &cobra.Command{
		Use: "diff FILE", Short: "Compare a document with the one in force",
		Long: "diff shows in which lines a document differs from the one in force. It ends with 0 if they are the same, and with 12 if they differ: so a " +
			"script finds drift. What the difference does is for whatif to tell.",
		Example: "  cvlan policy diff office.hujson\n  cvlan policy diff office.hujson > /dev/null || echo drift",
		Args:    takes("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			text, err := s.readPolicy(args[0])
			if err != nil {
				return err
			}
			return o.do(c, func(w *work, n admin.OneNetworkIn) error {
				p, err := w.policy(n, 0)
				if err != nil {
					return err
				}
				return o.showDiff(p, args[0], string(text))
			})
		},
	}
	o.flags(c)
	return c
}

func (o *policyTalk) showDiff(p admin.Policy, file, text string) error {
	doc := struct {
		Schema int    `json:"schema"`
		Same   bool   `json:"same"`
		Number uint64 `json:"number"` // of the version in force
		ETag   string `json:"etag"`
		Diff   string `json:"diff"`
	}{adminSchema, p.Text == text, p.Number, p.ETag, string(diff.Diff(p.NetworkName+" version "+nth(p.Number), []byte(p.Text), file, []byte(text)))}
	if err := o.out.Write(o.IO, doc, func() { o.printDiff(doc.Diff) }); err != nil || doc.Same {
		return err
	}
	return &iox.Error{Exit: iox.Degraded, What: file + " is not what is in force", Hint: "see what it would open and close: cvlan policy whatif " + file}
}

// printDiff writes a difference without the command that nobody typed.
func (o *policyTalk) printDiff(text string) {
	_, text, _ = strings.Cut(text, "\n")
	for line := range strings.Lines(text) {
		line = shown(strings.TrimRight(line, "\r\n"))
		switch {
		case !o.IO.Color:
		case strings.HasPrefix(line, "+"):
			line = "\x1b[" + string(iox.Green) + "m" + line + "\x1b[0m"
		case strings.HasPrefix(line, "-"):
			line = "\x1b[" + string(iox.Red) + "m" + line + "\x1b[0m"
		}
		io.WriteString(o.IO.Out, line+"\n")
	}
}

func newPolicyWhatif(s *session) *cobra.Command {
	o := &policyTalk{session: s}
	var at string
	c := &cobra.Command{
		Use: "whatif FILE", Short: "See what a document would open and close",
		Long: "whatif shows what a document would open and close, for the nodes that there are, against the policy in force, and what else there is to say " +
			"about it. It changes nothing. Nodes to which both documents are the same stand in one line.",
		Example: "  cvlan policy whatif office.hujson\n  cvlan policy whatif office.hujson --at 2027-03-06T12:00:00Z --json",
		Args:    takes("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			when, err := instant(c, at, time.Time{})
			if err != nil {
				return err
			}
			text, err := s.readPolicy(args[0])
			if err != nil {
				return err
			}
			return o.do(c, func(w *work, n admin.OneNetworkIn) error {
				d, err := admin.Call(w, w.client, admin.ComparePolicy, admin.ComparePolicyIn{OneNetworkIn: n, Body: admin.PolicyText{Text: string(text), At: when}})
				if err != nil {
					return o.refused(err, args[0])
				}
				return w.show(d.Body, func() { o.printWhatif(args[0], &d.Body) })
			})
		},
	}
	c.Flags().StringVar(&at, "at", "", "instant at which windows are looked at (default now)")
	o.flags(c)
	return c
}

func (o *policyTalk) printWhatif(file string, d *admin.PolicyComparison) {
	o.printReview(o.IO.Err, file, &d.Review)
	if len(d.Differences) == 0 {
		o.IO.Printf("It opens and closes nothing now; it changes the rules of %s", count(d.Review.Affected, "node"))
		return
	}
	t := iox.Table{Heads: []string{"FROM", "TO", "OPENS", "CLOSES"}}
	for _, x := range d.Differences {
		to := crowd(x.Dst)
		if x.SameUser {
			to += ", of the same user"
		}
		t.Row(crowd(x.Src), to, iox.Cell(iox.Green, strings.Join(x.Opened, " ")), iox.Cell(iox.Red, strings.Join(x.Closed, " ")))
	}
	t.Print(o.IO)
	if d.More > 0 {
		o.IO.Notef("and %s more", count(d.More, "difference"))
	}
}

// crowd names nodes to which two documents are the same.
func crowd(c admin.PolicyCrowd) string {
	switch c.Nodes {
	case 0:
		return c.Behind.String()
	case 1:
		return c.Sample
	}
	return count(c.Nodes, "node") + " such as " + c.Sample
}
