package cli

import (
	"errors"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cli/iox"
)

// policySet puts texts in force.
type policySet struct {
	policyTalk
	comment string
	ifMatch string
}

func (o *policySet) flags(c *cobra.Command) {
	o.policyTalk.flags(c)
	c.Flags().StringVarP(&o.comment, "comment", "m", "", "why, for the history")
	c.Flags().StringVar(&o.ifMatch, "if-match", "", "only if this etag is still in force (see cvlan policy show --json)")
}

func newPolicySet(s *session) *cobra.Command {
	o := &policySet{policyTalk: policyTalk{session: s}}
	c := &cobra.Command{
		Use: "set FILE", Short: "Put a document in force",
		Long: "set puts a document in force. The controller checks it first: with errors it is refused with all of them (exit code 10), and if it does not " +
			"pass its own tests with those that fail (8). Nodes apply it within a moment, and running connections that it denies end. The text that is in force already changes nothing, so that " +
			"a script may do it again and again.",
		Example: "  cvlan policy set office.hujson --comment \"web servers reach the database\"\n  cvlan policy set office.hujson --if-match \"$(cvlan policy show --template '{{.etag}}')\"",
		Args:    takes("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			text, err := s.readPolicy(args[0])
			if err != nil {
				return err
			}
			return o.do(c, func(w *work, n admin.OneNetworkIn) error { return o.put(w, n, args[0], string(text)) })
		},
	}
	o.flags(c)
	return c
}

// put puts a text in force; file is what people know it by.
func (o *policySet) put(w *work, n admin.OneNetworkIn, file, text string) error {
	in := admin.SetPolicyIn{OneNetworkIn: n, Body: admin.NewPolicy{Text: text, Comment: o.comment}}
	in.IfMatch.IfMatch = asETag(o.ifMatch)
	p, err := admin.Call(w, w.client, admin.SetPolicy, in)
	if changed, ok := errors.AsType[*admin.Problem](err); ok && changed.Code == admin.CodeChanged && o.ifMatch != "" {
		changed.Hint = "see what they changed: cvlan policy diff " + file + " --network " + n.Network
	}
	if err != nil {
		return o.refused(err, file)
	}
	return w.show(p.Body, func() {
		o.printReview(o.IO.Err, file, &p.Body.Review)
		if !p.Body.Changed {
			o.IO.Printf("%s: nothing changes: version %s says the same", n.Network, nth(p.Body.Policy.Number))
			return
		}
		effect := "it changes what " + count(p.Body.Review.Affected, "node") + " may do"
		if p.Body.Review.Affected == 0 {
			effect = "it changes nothing for the nodes that there are"
		}
		o.IO.Printf("%s: version %s is in force; %s", n.Network, nth(p.Body.Policy.Number), effect)
	})
}

// asETag writes an etag as headers do.
func asETag(etag string) string {
	if etag == "" || etag == "*" || etag[0] == '"' {
		return etag
	}
	return strconv.Quote(etag)
}

// refused shows why a document was refused, all of it.
func (o *policyTalk) refused(err error, file string) error {
	var p *admin.Problem
	if !errors.As(err, &p) || p.Review == nil {
		return err
	}
	if o.out.ForScripts() {
		if err := o.out.Write(o.IO, reviewDoc{adminSchema, file, *p.Review}, nil); err != nil {
			return err
		}
	} else {
		o.printReview(o.IO.Err, file, p.Review)
	}
	e := verdict(p.Title, everyRule(file), p.Review)
	if e == nil { // a controller that contradicts itself
		return err
	}
	return e
}

func newPolicyRollback(s *session) *cobra.Command {
	o := &policySet{policyTalk: policyTalk{session: s}}
	var yes bool
	c := &cobra.Command{
		Use: "rollback NUMBER", Short: "Put an older version in force again",
		Long: "rollback puts the text of an older version in force, as a new version. It is checked like any other: what it names must still be there. " +
			"See which there are with cvlan policy history.",
		Example: "  cvlan policy rollback 3\n  cvlan policy rollback 3 --network office --comment \"printers were cut off\"",
		Args:    takes("NUMBER"),
		RunE: func(c *cobra.Command, args []string) error {
			number, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil || number < 1 {
				return usage(c, "NUMBER "+quoted(args[0])+": versions count from 1")
			}
			return o.do(c, func(w *work, n admin.OneNetworkIn) error {
				now, err := w.policy(n, 0)
				if err != nil {
					return err
				}
				old, err := w.policy(n, number)
				if p, ok := errors.AsType[*admin.Problem](err); ok && p.Code == admin.CodeNotFound {
					p.Title, p.Detail = "go back to version "+args[0]+" of "+n.Network, "there is no such version"
				}
				if err != nil {
					return err
				}
				if !yes && !s.IO.Confirm("Put version "+args[0]+" of "+n.Network+" in force in place of version "+nth(now.Number)+"?") {
					return &iox.Error{Exit: iox.Interrupted, What: "nothing was changed"}
				}
				o.ifMatch, o.comment = either(o.ifMatch, now.ETag), either(o.comment, "back to version "+args[0])
				return o.put(w, n, "version "+args[0], old.Text)
			})
		},
	}
	o.flags(c)
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return c
}
