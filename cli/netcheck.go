package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
)

type netcheckOptions struct{ talk }

func newNetcheck(env *Env) *cobra.Command {
	o := &netcheckOptions{talk{Env: env}}
	c := &cobra.Command{
		Use:   "netcheck",
		Short: "See what this machine's network lets through",
		Long: "netcheck asks the relays of this machine's networks, over UDP and TLS, and the router: whether UDP passes, what kind of NAT there is, " +
			"whether the router opens ports, how far away each relay is, and what that means for direct connections. It takes up to three seconds, and " +
			"needs the rights of an operator.",
		Example: "  sudo cvlan netcheck\n  sudo cvlan netcheck --json",
		Args:    takes(),
		RunE:    o.asks(func(ctx context.Context, _ []string) error { return o.run(ctx) }),
	}
	o.flags(c, 10*time.Second, "relays.name")
	return c
}

func (o *netcheckOptions) run(ctx context.Context) error {
	p := o.progress(ctx, "checking the network")
	r, err := o.client.NetCheck(ctx)
	p.stop()
	if err != nil {
		return err
	}
	return o.out.Write(o.IO, r, func() { o.print(&r) })
}

func (o *netcheckOptions) print(r *local.NetCheck) {
	for _, m := range r.Meaning {
		o.IO.Printf("%s", m)
	}
	o.IO.Printf("")
	t := iox.Table{}
	family(&t, "IPv4", &r.IPv4)
	family(&t, "IPv6", &r.IPv6)
	t.Row("hairpin", r.Hairpin)
	t.Row("port mapping", portMapping(&r.Ports))
	if r.Captive {
		t.Row("login page", iox.Cell(iox.Amber, "likely"))
	}
	if r.Clock != nil {
		t.Row("clock", clockWords(*r.Clock))
	}
	t.Print(o.IO)
	if len(r.Relays) == 0 {
		return
	}
	o.IO.Printf("")
	relays := iox.Table{Heads: []string{"RELAY", "REGION", "UDP", "TLS", "MTU", "PROBLEM"}}
	for _, x := range r.Relays {
		if x.Proxy != "" {
			x.Problem = "reached only through the proxy " + x.Proxy
		}
		relays.Row(x.Name, x.Region, milliseconds(x.UDP), milliseconds(x.TLS), size(x.MTU), x.Problem)
	}
	relays.Print(o.IO)
}

// family adds the rows of IPv4 or IPv6. What nobody was asked about is not known, and not absent.
func family(t *iox.Table, name string, f *local.NetFamily) {
	if !f.UDP && !f.Asked {
		t.Row(name, iox.Cell(iox.Dim, "unknown: no relay to ask has an "+name+" address"))
		return
	}
	if !f.UDP {
		t.Row(name, iox.Cell(iox.Dim, "no UDP"))
		return
	}
	var at []string
	for _, a := range f.Outside {
		at = append(at, a.String())
	}
	t.Row(name, iox.Cell(iox.Green, "UDP, seen at "+strings.Join(at, ", ")))
	nat := "none"
	if f.Mapping != "none" {
		nat = "mapping " + f.Mapping + "; port kept: " + f.KeptPort
	}
	t.Row(name+" NAT", nat+"; filtering "+f.Filtering)
	if f.Lifetime > 0 {
		t.Row(name+" idle", fmt.Sprintf("remembered for at least %v", f.Lifetime))
	}
}

func portMapping(p *local.NetPorts) string {
	s := cmp.Or(strings.Join(p.Protocols, ", "), "none")
	if p.Outside != nil {
		s += ", outside " + p.Outside.String()
	}
	if p.External != nil {
		s += ", mapped " + p.External.String()
	}
	if p.DoubleNAT {
		s += ", behind another NAT"
	}
	if p.Pinholes {
		s += "; IPv6 pinholes by PCP"
	}
	return s
}

// clockWords says how a clock goes; what the way from the controller takes is not worth a word.
func clockWords(ahead time.Duration) string {
	switch d := ahead.Abs(); {
	case d < time.Second:
		return "right"
	case ahead > 0:
		return iox.Span(d) + " behind the controller's"
	default:
		return iox.Span(d) + " ahead of the controller's"
	}
}
