package cli

import (
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cli/iox"
)

func newPolicyExplain(s *session) *cobra.Command {
	o := &policyTalk{session: s}
	var at, file string
	var check bool
	c := &cobra.Command{
		Use: "explain SOURCE DESTINATION:PORT[/PROTOCOL]", Short: "Say who may reach whom, and why",
		Long: "explain says whether one may begin to talk to another: by which rule and line it is allowed or denied, who drops it, and of every rule " +
			"that is near what does not match. It asks the filters that the nodes have. Source and destination are a node's name, an address, a user, a group " +
			"or a tag; a user stands for each of their nodes, and a tag for a node that might be. The protocol is tcp if not given; icmp has no port. " +
			"With --file it asks a document that is not in force, about the nodes that there are. With --check it ends with 8 unless all of it is allowed.",
		Example: "  cvlan policy explain alice@example.com web-1:443/tcp\n  cvlan policy explain laptop 192.168.7.20:631 --at 2027-03-06T12:00:00Z\n  cvlan policy explain tag:web db-1/icmp --check",
		Args:    takes("SOURCE", "DESTINATION:PORT"),
		RunE: func(c *cobra.Command, args []string) error {
			when, err := instant(c, at, time.Time{})
			if err != nil {
				return err
			}
			q := admin.PolicyQuestion{Src: args[0], Dst: args[1], At: when}
			if file != "" {
				text, err := s.readPolicy(file)
				if err != nil {
					return err
				}
				q.Text = string(text)
			}
			return o.do(c, func(w *work, n admin.OneNetworkIn) error {
				a, err := admin.Call(w, w.client, admin.ExplainPolicy, admin.ExplainPolicyIn{OneNetworkIn: n, Body: q})
				if err != nil {
					return o.refused(err, file)
				}
				if err := w.show(a.Body, func() { o.printAnswers(&a.Body) }); err != nil || !check {
					return err
				}
				return allAllowed(args, &a.Body)
			})
		},
	}
	c.Flags().StringVar(&at, "at", "", "instant, such as 2027-03-01T09:00:00Z (default now)")
	c.Flags().StringVarP(&file, "file", "f", "", "ask the document in this file in place of the one in force")
	c.Flags().BoolVar(&check, "check", false, "end with 8 unless all of it is allowed")
	o.flags(c)
	return c
}

func allAllowed(args []string, a *admin.PolicyAnswers) error {
	for i := range a.Answers {
		if e := &a.Answers[i]; !e.Allowed {
			return &iox.Error{Exit: iox.Denied, What: args[0] + " does not reach " + args[1], Err: errShown}
		}
	}
	return nil
}

func (o *policyTalk) printAnswers(a *admin.PolicyAnswers) {
	for i := range a.Answers {
		e := &a.Answers[i]
		first, rest, _ := strings.Cut(e.Text, "\n")
		style := iox.Red
		if e.Allowed {
			style = iox.Green
		}
		o.IO.Printf("%s to %s, %s:", party(&e.Src), party(&e.Dst), e.Service)
		word, more, _ := strings.Cut(first, " ")
		if strings.HasSuffix(word, ":") {
			word, more = strings.TrimSuffix(word, ":"), ": "+more
		} else {
			more = " " + more
		}
		o.IO.Out.Write([]byte("  " + o.IO.Paint(style, word) + iox.Clean(more) + "\n"))
		for line := range strings.Lines(rest) {
			o.IO.Out.Write([]byte("  " + iox.Clean(strings.TrimRight(line, "\n")) + "\n"))
		}
		for _, p := range []*admin.PolicyParty{&e.Src, &e.Dst} {
			if p.Address.IsValid() && p.Node.IsZero() {
				o.IO.Printf("  but nobody leads to %s: no machine's route or exit to it is approved; see which are offered: cvlan admin route list", p.Address)
			}
		}
	}
	if a.More > 0 {
		o.IO.Notef("and %s more", count(a.More, "pair"))
	}
	if len(a.Answers) == 0 {
		o.IO.Notef("It is the same node: policy has nothing to say about that")
	}
}

// party names one end.
func party(p *admin.PolicyParty) string {
	var of []string
	if p.User != "" {
		of = append(of, p.User)
	}
	of = append(of, p.Tags...)
	switch {
	case p.Address.IsValid() && p.Name != "" && internet(p.Address):
		return p.Address.String() + " through " + p.Name
	case p.Address.IsValid() && p.Name != "":
		return p.Address.String() + " behind " + p.Name
	case p.Address.IsValid():
		return p.Address.String()
	case p.Name == "" && len(of) == 0:
		return "a node of nobody's"
	case p.Name == "":
		return "a node of " + strings.Join(of, ", ")
	case len(of) == 0:
		return p.Name
	}
	return p.Name + " (" + strings.Join(of, ", ") + ")"
}

// internet reports whether an address is one that exits lead to: none of a private network.
func internet(a netip.Addr) bool {
	return a.IsGlobalUnicast() && !a.IsPrivate() && !sharedSpace.Contains(a)
}
