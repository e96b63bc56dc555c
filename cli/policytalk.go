package cli

import (
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cli/iox"
)

// policyTalk is a talk with the controller about one network's policy.
type policyTalk struct {
	*session
	network string
	out     iox.Output
}

func (o *policyTalk) flags(c *cobra.Command) {
	o.networkFlag(c)
	outputFlags(c, &o.out)
}

func (o *policyTalk) networkFlag(c *cobra.Command) {
	c.Flags().StringVarP(&o.network, "network", "n", "", "whose policy, by name or identifier (default $CVLAN_NETWORK, else the tenant's only network)")
}

// do runs a talk about the network that was named, or the only one that there is.
func (o *policyTalk) do(c *cobra.Command, run func(w *work, n admin.OneNetworkIn) error) error {
	return o.session.do(c, func(w *work) error {
		name, err := o.chosen(w)
		if err != nil {
			return err
		}
		w.out = o.out
		return run(w, w.network(name))
	})
}

// tells completes a command that shows what the controller says of the policy; brief is as of outputFlags.
func (o *policyTalk) tells(c *cobra.Command, run func(w *work, n admin.OneNetworkIn) error, brief string) *cobra.Command {
	c.Args, c.RunE = takes(), func(c *cobra.Command, _ []string) error { return o.do(c, run) }
	o.networkFlag(c)
	outputFlags(c, &o.out, brief)
	return c
}

func (o *policyTalk) chosen(w *work) (string, error) {
	if name := either(o.network, o.Getenv("CVLAN_NETWORK")); name != "" {
		return name, nil
	}
	l, err := admin.Call(w, w.client, admin.ListNetworks, admin.ListNetworksIn{InTenant: w.InTenant, Page: admin.Page{Limit: 20}})
	if p, ok := errors.AsType[*admin.Problem](err); ok && p.Code == admin.CodePermission {
		p.Hint = "a key of policy alone cannot find the network by itself, say which: --network NAME, or CVLAN_NETWORK"
	}
	if err != nil {
		return "", err
	}
	var names []string
	for _, n := range l.Body.Items {
		names = append(names, n.Name)
	}
	switch len(names) {
	case 0:
		return "", &iox.Error{Exit: iox.NotFound, What: "find the network", Why: "there is none yet", Hint: "make one: cvlan admin network create NAME"}
	case 1:
		o.network = names[0]
		return names[0], nil
	}
	return "", &iox.Error{Exit: iox.Usage, What: "find the network", Why: "there are several", Hint: "say which: --network " + strings.Join(names, ", or --network ")}
}

// shown makes a line of a document safe for a terminal and keeps its tabs.
func shown(line string) string {
	parts := strings.Split(line, "\t")
	for i := range parts {
		parts[i] = iox.CleanTo(parts[i], 10_000)
	}
	return strings.Join(parts, "\t")
}

// printText writes a document: for people without what harms terminals, else byte by byte.
func (e *Env) printText(text string) {
	if !e.IO.OutTTY {
		io.WriteString(e.IO.Out, text)
		return
	}
	for line := range strings.Lines(text) {
		io.WriteString(e.IO.Out, shown(strings.TrimRight(line, "\r\n"))+"\n")
	}
}

func newPolicyShow(s *session) *cobra.Command {
	o := &policyTalk{session: s}
	var number int64
	c := o.tells(&cobra.Command{
		Use: "show", Short: "Print the policy in force",
		Long:    "show prints the text of the policy in force, or with --number that of an older version.",
		Example: "  cvlan policy show > office.hujson\n  cvlan policy show --network office --number 3",
		PreRunE: func(c *cobra.Command, _ []string) error {
			if number < 0 || c.Flags().Changed("number") && number == 0 {
				return usage(c, "--number: versions count from 1")
			}
			return nil
		},
	}, func(w *work, n admin.OneNetworkIn) error {
		p, err := w.policy(n, number)
		if err != nil {
			return err
		}
		return w.show(p, func() {
			if s.IO.ErrTTY {
				s.IO.Notef("%s, version %s by %s, %s", p.NetworkName, nth(p.Number), p.Author, iox.Ago(s.Now(), p.At))
			}
			s.printText(p.Text)
		})
	}, "number")
	c.Flags().Int64Var(&number, "number", 0, "this version instead (see cvlan policy history)")
	return c
}

func nth(n uint64) string { return strconv.FormatUint(n, 10) }

// policy gets the policy in force, or a version by its number.
func (w *work) policy(n admin.OneNetworkIn, number int64) (admin.Policy, error) {
	if number == 0 {
		p, err := admin.Call(w, w.client, admin.GetPolicy, n)
		return p.Body, err
	}
	p, err := admin.Call(w, w.client, admin.GetPolicyVersion, admin.PolicyVersionIn{OneNetworkIn: n, Number: number})
	return p.Body, err
}

func newPolicyHistory(s *session) *cobra.Command {
	o := &policyTalk{session: s}
	return o.tells(&cobra.Command{
		Use: "history", Short: "List the versions of the policy", Long: "history shows the versions of the policy, the newest first: who put them in force, when and why.",
		Example: "  cvlan policy history\n  cvlan policy history --template '{{range .versions}}{{.number}} {{.author}}{{\"\\n\"}}{{end}}'",
	}, func(w *work, n admin.OneNetworkIn) error {
		all, err := everyOf(w, admin.ListPolicies, func(p admin.Page) admin.ListPoliciesIn { return admin.ListPoliciesIn{OneNetworkIn: n, Page: p} })
		if err != nil {
			return err
		}
		return w.list("versions", all, func() {
			t := iox.Table{Heads: []string{"VERSION", "WHEN", "BY", "WHY"}}
			for _, v := range all {
				t.Row(nth(v.Number), iox.Ago(s.Now(), v.At), v.Author, v.Comment)
			}
			t.Print(s.IO)
		})
	}, "versions.number")
}

func newPolicyStatus(s *session) *cobra.Command {
	o := &policyTalk{session: s}
	return o.tells(&cobra.Command{
		Use: "status", Short: "Show how far the policy has come",
		Long: "status shows which version is in force, how many of the connected nodes apply the rules that they should, and how long it took from the " +
			"commit until they did. Nodes that the version does not concern were not told and count as they are.",
		Example: "  cvlan policy status\n  cvlan policy status --template '{{.current}} of {{.nodes}}'",
	}, func(w *work, n admin.OneNetworkIn) error {
		p, err := admin.Call(w, w.client, admin.GetPolicyStatus, n)
		if err != nil {
			return err
		}
		return w.show(p.Body, func() { s.showPolicyStatus(p.Body) })
	}, "number")
}

func (s *session) showPolicyStatus(p admin.PolicyStatus) {
	t := iox.Table{}
	t.Row("version", nth(p.Number)+", "+iox.Ago(s.Now(), p.At)+", by "+p.Author)
	if p.Comment != "" {
		t.Row("why", p.Comment)
	}
	t.Row("rules", strconv.Itoa(p.Rules))
	t.Row("applied", strconv.Itoa(p.Current)+" of "+count(p.Nodes, "connected node"))
	if p.Affected > 0 {
		t.Row("told", count(p.Affected, "node")+"; half of them applied it within "+seconds(p.P50)+", 99 of 100 within "+seconds(p.P99)+", all within "+seconds(p.Max))
	}
	t.Print(s.IO)
}

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(time.Millisecond).String()
}
