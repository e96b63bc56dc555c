package cli

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
)

func newDNS(env *Env) *cobra.Command {
	return nouns("dns", "See how machines are found by name",
		"Programs on this machine find the machines of its networks by name: ssh web-1. dns shows who answers for names and who asks, and looks one up. "+
			"Switch names off, for all or one network, with cvlan set dns off.",
		"  cvlan dns status\n  cvlan dns query web-1\n  sudo cvlan set dns off --network office",
		newDNSStatus(env), newDNSQuery(env))
}

func newDNSStatus(env *Env) *cobra.Command {
	o := &talk{Env: env}
	c := &cobra.Command{
		Use:   "status",
		Short: "Show who answers for names, and who asks",
		Long: "status shows where the daemon's name server listens, who has been told to ask it and by what file, whom it asks about other names, and the networks " +
			"that have names. If programs do not find names it says why.",
		Example: "  cvlan dns status\n  cvlan dns status --json\n  cvlan dns status --template '{{.manager}} {{.in_place}}'",
		Args:    takes(),
	}
	c.RunE = o.asks(func(ctx context.Context, _ []string) error {
		s, err := o.client.DNS(ctx)
		if err != nil {
			return err
		}
		return o.out.Write(o.IO, s, func() { o.printDNS(&s) })
	})
	o.flags(c, 10*time.Second, "networks.domain")
	return c
}

func (t *talk) printDNS(s *local.DNS) {
	rows := iox.Table{}
	switch {
	case s.Server == nil:
		rows.Row("server", iox.Cell(iox.Dim, "none: no network that is up has names"))
	default:
		rows.Row("server", fmt.Sprintf("%s, %s", s.Server, count(s.Names, "name")))
		rows.Row("asked by", asker(s))
		if len(s.Upstreams) > 0 {
			rows.Row("asks about others", strings.Join(texts(s.Upstreams), ", "))
		}
		rows.Row("answered", fmt.Sprintf("%d, and %d passed on, %d of them in vain", s.Answered, s.Forwarded+s.Failed, s.Failed))
	}
	if s.Restored > 0 {
		rows.Row("put back", iox.Cell(iox.Amber, count(s.Restored, "time")+" this hour, after something else had taken the names out"))
	}
	rows.Print(t.IO)
	if s.Problem != nil {
		t.IO.Printf("")
		t.IO.Printf("Programs do not find names: %s", iox.Clean(s.Problem.What))
		t.IO.Printf("  try: %s", iox.Clean(s.Problem.Hint))
	}
	if len(s.Networks) == 0 {
		return
	}
	t.IO.Printf("")
	nets := iox.Table{Heads: []string{"NETWORK", "DOMAIN", "INTERFACE", "NAMES"}}
	for _, n := range s.Networks {
		nets.Row(n.Network, n.Domain, n.Interface, served(n))
	}
	nets.Print(t.IO)
}

// asker says who has programs' questions come to our server.
func asker(s *local.DNS) any {
	switch {
	case !s.InPlace:
		return iox.Cell(iox.Amber, "nobody")
	case s.Manager == "file":
		return "whoever reads " + s.Path
	default:
		return s.Manager + ", about these networks' names"
	}
}

func served(n local.DNSNetwork) any {
	switch {
	case n.Served:
		return iox.Cell(iox.Green, "answered")
	case n.On:
		return iox.Cell(iox.Dim, "not now: it is not up")
	default:
		return iox.Cell(iox.Dim, "off")
	}
}

func texts(all []netip.Addr) (out []string) {
	for _, a := range all {
		out = append(out, a.String())
	}
	return out
}

func newDNSQuery(env *Env) *cobra.Command {
	o := &talk{Env: env}
	c := &cobra.Command{
		Use:   "query NAME",
		Short: "Look a name up as programs do",
		Long: "query asks the daemon's name server and says what it answers and why. A name without a dot is looked for in each network, as programs look for it, and an " +
			"address for its name. Names that are not of a network are asked of those whom the server asks about them. A name without records ends with 9.",
		Example: "  cvlan dns query web-1\n  cvlan dns query web-1.office.acme.cvlan.internal --json\n  cvlan dns query 10.77.0.2 -q",
		Args:    takes("NAME"),
	}
	c.RunE = o.asks(func(ctx context.Context, args []string) error {
		a, err := o.client.QueryDNS(ctx, local.DNSRequest{Name: args[0]})
		if err != nil {
			return err
		}
		if err := o.out.Write(o.IO, a, func() { o.printAnswers(&a) }); err != nil {
			return err
		}
		for _, x := range a.Answers {
			if len(x.Records) > 0 {
				return nil
			}
		}
		return &iox.Error{Exit: iox.NotFound, What: "look up " + args[0], Why: iox.Clean(reason(&a)), Hint: "see which names there are: cvlan peers, cvlan dns status"}
	})
	o.flags(c, 10*time.Second, "answers.records")
	return c
}

// reason is why the first answer is what it is.
func reason(a *local.DNSAnswers) string {
	if len(a.Answers) == 0 {
		return "no network that is up has names"
	}
	return fmt.Sprintf("%s: %s", a.Answers[0].Code, a.Answers[0].Why)
}

func (t *talk) printAnswers(a *local.DNSAnswers) {
	rows := iox.Table{Heads: []string{"NAME", "TYPE", "ANSWER", "WHY"}}
	for _, x := range a.Answers {
		said := any(strings.Join(x.Records, ", "))
		if len(x.Records) == 0 {
			said = iox.Cell(iox.Dim, emptyAnswer(x.Code))
		}
		rows.Row(x.Name, x.Type, said, x.Why)
	}
	rows.Print(t.IO)
}

func emptyAnswer(code string) string {
	if code == "NOERROR" {
		return "no address of this kind"
	}
	return code
}
