package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
)

type ipsecLogOptions struct {
	talk
	request local.IPsecLogRequest
	follow  bool
}

func newIPsecLog(env *Env) *cobra.Command {
	o := &ipsecLogOptions{talk: talk{Env: env}}
	c := &cobra.Command{
		Use:   "log",
		Short: "Show what IKE did lately",
		Long: "log shows what IKE did on this machine, oldest first: peers that have proved who they are, keys that were replaced, what was refused, and why. " +
			"The last 1,024 events are remembered; of strangers that prove nothing one a second is told, and how many more there were. Nothing in it is secret. " +
			"It needs the rights of an operator.",
		Example: "  sudo cvlan ipsec log\n  sudo cvlan ipsec log --follow --json",
		Args:    takes(),
	}
	c.RunE = o.talks(func(c *cobra.Command, _ []string) error { return o.run(c) })
	o.networkFlag(c, "only this network, by name or identifier")
	c.Flags().BoolVarP(&o.follow, "follow", "f", false, "go on until ctrl-C; with --json one document a line")
	o.flags(c, 10*time.Second)
	return c
}

func (o *ipsecLogOptions) run(c *cobra.Command) error {
	o.request.Network = o.network
	l, err := o.ask(c.Context())
	if err != nil {
		return err
	}
	if !o.follow {
		return o.out.Write(o.IO, l, func() {
			if len(l.Events) == 0 {
				o.IO.Printf("Nothing has happened.")
			}
			for _, e := range l.Events {
				o.IO.Printf("%s", ikeLine(e))
			}
		})
	}
	return follow(c.Context(), o.IO, l, o.more, o.tell)
}

// more asks for what has come since.
func (o *ipsecLogOptions) more(ctx context.Context, l local.IPsecLog) (local.IPsecLog, error) {
	o.request.Since = l.Next
	return o.ask(ctx)
}

func (o *ipsecLogOptions) ask(ctx context.Context) (local.IPsecLog, error) {
	ctx, cancel := o.timeout.within(ctx)
	defer cancel()
	return o.client.IPsecLog(ctx, o.request)
}

// tell shows what is new.
func (o *ipsecLogOptions) tell(l local.IPsecLog) error {
	for _, e := range l.Events {
		if err := o.event(e); err != nil {
			return err
		}
	}
	return nil
}

func (o *ipsecLogOptions) event(e local.IKEEvent) error {
	if o.out.JSON {
		return o.IO.JSONLine(e)
	}
	return o.out.Write(o.IO, e, func() { o.IO.Printf("%s", ikeLine(e)) })
}

// ikeLine is an event in words.
func ikeLine(e local.IKEEvent) string {
	who := e.Peer
	if who == "" {
		who = "a stranger"
	}
	line := fmt.Sprintf("%s  %s  %-12s  %s", e.At.UTC().Format(time.DateTime), iox.Clean(e.Network), e.Event, iox.Clean(who))
	for _, more := range []string{e.SPI, e.Cipher, e.Reason, e.Detail} {
		if more != "" {
			line += "  " + iox.Clean(more)
		}
	}
	if e.Missed > 0 {
		line += fmt.Sprintf("  (and %d before)", e.Missed)
	}
	return line
}
