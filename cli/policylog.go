package cli

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
)

type policyLogOptions struct {
	talk
	request local.PolicyLogRequest
	follow  bool
	counts  bool
}

func newPolicyLog(env *Env) *cobra.Command {
	o := &policyLogOptions{talk: talk{Env: env}}
	c := &cobra.Command{
		Use:   "log",
		Short: "Show what this machine's filter has dropped",
		Long: "log shows the packets that this machine has dropped because policy does not allow them, oldest first: when, in which direction, from " +
			"whom to whom, and why. Rules are numbered from 0, those of acls first, then those of grants: rule 3 is acls[3], in the version that is named (cvlan policy show --number). The last 1,024 are remembered; of one source not more " +
			"than a few a second are told, and how many more there were. With --counts it shows how often each reason and each rule has decided. " +
			"It needs the rights of an operator.",
		Example: "  sudo cvlan policy log\n  sudo cvlan policy log --follow\n  sudo cvlan policy log --counts --network office",
		Args:    takes(),
	}
	c.RunE = o.talks(func(c *cobra.Command, _ []string) error { return o.run(c) })
	o.networkFlag(c, "only this network, by name or identifier")
	f := c.Flags()
	f.BoolVarP(&o.follow, "follow", "f", false, "go on until ctrl-C; with --json one document a line")
	f.BoolVar(&o.counts, "counts", false, "show what was counted instead")
	exclusive(c, "follow", "counts")
	o.flags(c, 10*time.Second)
	return c
}

func (o *policyLogOptions) run(c *cobra.Command) error {
	o.request.Network = o.network
	l, err := o.ask(c.Context())
	if err != nil {
		return err
	}
	if !o.follow {
		return o.out.Write(o.IO, l, func() { o.print(l) })
	}
	return follow(c.Context(), o.IO, l, o.more, o.tell)
}

// more asks for what has come since.
func (o *policyLogOptions) more(ctx context.Context, l local.PolicyLog) (local.PolicyLog, error) {
	o.request.Since = l.Next
	return o.ask(ctx)
}

func (o *policyLogOptions) ask(ctx context.Context) (local.PolicyLog, error) {
	ctx, cancel := o.timeout.within(ctx)
	defer cancel()
	return o.client.PolicyLog(ctx, o.request)
}

// tell shows what is new.
func (o *policyLogOptions) tell(l local.PolicyLog) error {
	for _, n := range l.Networks {
		for _, d := range n.Denials {
			if o.out.JSON {
				if err := o.IO.JSONLine(struct {
					Schema  int    `json:"schema"`
					Network string `json:"network"`
					local.Denial
				}{l.Schema, n.Name, d}); err != nil {
					return err
				}
				continue
			}
			if err := o.out.Write(o.IO, d, func() { o.IO.Printf("%s", denialLine(n.Name, d)) }); err != nil {
				return err
			}
		}
	}
	return nil
}

func (o *policyLogOptions) print(l local.PolicyLog) {
	switch {
	case len(l.Networks) == 0:
		o.IO.Printf("No network is up on this machine; see why: cvlan status")
		return
	case o.counts:
		o.printCounts(l)
		return
	}
	var last *local.Denial
	for _, n := range l.Networks {
		if n.Policy == 0 {
			o.IO.Printf("%s has no rules yet: nothing passes; see whether the controller is reached: cvlan status", n.Name)
		}
		for i, d := range n.Denials {
			o.IO.Printf("%s", denialLine(n.Name, d))
			last = &n.Denials[i]
		}
	}
	if last == nil {
		o.IO.Printf("Nothing was dropped.")
	} else if last.Src != nil && (last.Reason == "no_rule" || last.Reason == "denied") {
		o.IO.Notef("see why: cvlan policy explain %s %s", nameOr(last.Src), target(last))
	}
}

// denialLine is a denial in words.
func denialLine(network string, d local.Denial) string {
	line := d.At.UTC().Format(time.DateTime) + "  " + iox.Clean(network) + "  " + fmt.Sprintf("%-3s  ", d.Direction)
	if d.Src != nil {
		line += placeText(d.Src) + " > " + placeText(d.Dst) + "  " + d.Protocol
		if d.Type != nil {
			line += " type " + strconv.Itoa(int(*d.Type))
		}
		line += "  "
	}
	line += iox.Clean(d.Why())
	if d.Missed > 0 {
		line += fmt.Sprintf("  (and %d before)", d.Missed)
	}
	return line
}

func nameOr(p *local.DenialPlace) string {
	if p.Name != "" {
		return iox.Clean(p.Name)
	}
	return p.Address.String()
}

func placeText(p *local.DenialPlace) string {
	if p.Port == 0 {
		return nameOr(p)
	}
	return net.JoinHostPort(nameOr(p), strconv.Itoa(int(p.Port)))
}

// target is how policy explain is asked about where a packet went.
func target(d *local.Denial) string {
	return placeText(d.Dst) + "/" + d.Protocol
}

func (o *policyLogOptions) printCounts(l local.PolicyLog) {
	for i, n := range l.Networks {
		if i > 0 {
			o.IO.Printf("")
		}
		head := iox.Table{}
		head.Row(iox.Cell(iox.Bold, n.Name), "policy "+strconv.FormatUint(n.Policy, 10))
		head.Print(o.IO)
		t := iox.Table{Indent: "  "}
		t.Row("flows", fmt.Sprintf("%d now, %d since the start, %d forgotten for want of room", n.Flows, n.Opened, n.Evicted))
		t.Row("dropped in", drops(n.DroppedIn))
		t.Row("dropped out", drops(n.DroppedOut))
		t.Print(o.IO)
		if len(n.Rules) == 0 {
			continue
		}
		r := iox.Table{Indent: "  ", Heads: []string{"RULE", "FLOWS ALLOWED", "PACKETS DENIED"}}
		for _, x := range n.Rules {
			r.Row(strconv.FormatUint(uint64(x.Rule), 10), strconv.FormatUint(x.Allowed, 10), strconv.FormatUint(x.Denied, 10))
		}
		r.Print(o.IO)
	}
}
