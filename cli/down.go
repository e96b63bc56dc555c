package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
)

type downOptions struct {
	talk
	request local.DownRequest
	all     bool
	yes     bool
}

func newDown(env *Env) *cobra.Command {
	o := &downOptions{talk: talk{Env: env}}
	c := &cobra.Command{
		Use:   "down",
		Short: "Switch networks off, or forget them",
		Long: "down switches every network off, or the one named; cvlan up switches it on again. With --forget this machine's keys for " +
			"the network are deleted: to come back it needs a new join key, and an admin still has to remove the old node.",
		Example: "  cvlan down\n  cvlan down --forget --network office",
		Args:    takes(),
	}
	c.RunE = o.asks(func(ctx context.Context, _ []string) error { return o.run(ctx) })
	f := c.Flags()
	f.StringVar(&o.request.Network, "network", "", "only this network, by name or identifier")
	f.BoolVar(&o.request.Forget, "forget", false, "delete this machine's keys for the network")
	f.BoolVar(&o.all, "all", false, "with --forget: of every network")
	f.BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	timeoutFlag(c, &o.timeout, 30*time.Second, "how long to wait")
	exclusive(c, "network", "all")
	outputFlags(c, &o.out)
	return c
}

func (o *downOptions) run(ctx context.Context) error {
	if o.request.Forget {
		if err := o.consider(ctx); err != nil {
			return err
		}
	}
	done, err := o.client.Down(ctx, o.request)
	if err != nil {
		return err
	}
	return o.out.Write(o.IO, done, func() {
		for _, n := range done.Networks {
			if o.request.Forget {
				o.IO.Printf("%s is forgotten", n.Name)
			} else {
				o.IO.Printf("%s is down", n.Name)
			}
		}
		if len(done.Networks) == 0 {
			o.IO.Notef("there was nothing to switch off")
		}
	})
}

// consider makes sure that somebody who forgets means all that would be forgotten.
func (o *downOptions) consider(ctx context.Context) error {
	what := o.request.Network
	if what == "" {
		s, err := o.client.Status(ctx)
		if err != nil {
			return err
		}
		var names []string
		for _, n := range s.Networks {
			names = append(names, n.Name)
		}
		if len(names) > 1 && !o.all {
			return &iox.Error{Exit: iox.Usage, What: "forget a network", Why: "this machine is in several: " + strings.Join(names, ", "),
				Hint: "say which with --network NAME, or --all"}
		}
		what = strings.Join(names, ", ")
	}
	if !o.yes && what != "" && !o.IO.Confirm("Delete this machine's keys for "+what+"?") {
		return &iox.Error{Exit: iox.Interrupted, What: "nothing was forgotten"}
	}
	return nil
}
