package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
)

type statusOptions struct {
	talk
	watch bool
	check string
}

func newStatus(env *Env) *cobra.Command {
	o := &statusOptions{talk: talk{Env: env}}
	c := &cobra.Command{
		Use:   "status",
		Short: "Show networks, peers and what is wrong",
		Long: "status shows what is wrong first, then each network with its peers. With --check it prints the same and ends with exit " +
			"code 12 unless every network that is switched on is ready (traffic can flow, perhaps with the last map while the controller is " +
			"away) or healthy (ready, connected, and without any warning).",
		Example: "  cvlan status\n  cvlan status --check ready --json > /dev/null && echo ready\n  cvlan status --template '{{range .networks}}{{.name}} {{.state}}{{end}}'",
		Args:    takes(),
	}
	c.RunE = o.talks(func(c *cobra.Command, _ []string) error { return o.run(c) })
	o.networkFlag(c, "only this network, by name or identifier")
	f := c.Flags()
	f.BoolVarP(&o.watch, "watch", "w", false, "show every change until ctrl-C; with --json one document a line")
	f.StringVar(&o.check, "check", "", "end with 12 unless all is: ready, or healthy")
	exclusive(c, "watch", "check")
	o.flags(c, 10*time.Second, "networks.id")
	return c
}

func (o *statusOptions) run(c *cobra.Command) error {
	if o.check != "" && o.check != "ready" && o.check != "healthy" {
		return usage(c, "--check "+quoted(o.check)+": use ready or healthy")
	}
	if o.watch {
		return o.follow(c.Context())
	}
	ctx, cancel := o.timeout.within(c.Context())
	defer cancel()
	s, err := o.status(ctx)
	if err != nil {
		return err
	}
	if err := o.out.Write(o.IO, s, func() { printStatus(o.IO, o.Now(), s) }); err != nil {
		return err
	}
	return o.verdict(s)
}

// follow shows every state until the person has seen enough.
func (o *statusOptions) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer o.IO.HoldReader()()
	heard := func() bool { return true }
	if o.timeout > 0 { // it is for the first answer
		heard = time.AfterFunc(time.Duration(o.timeout), func() { cancel(local.ErrLate) }).Stop
	}
	for s, err := range o.client.Watch(ctx) {
		if heard(); context.Cause(ctx) == local.ErrLate {
			return local.ErrLate
		}
		if err == nil {
			s, err = only(s, o.network)
		}
		switch {
		case err != nil:
			return err
		case o.out.JSON:
			err = o.IO.JSONLine(s)
		default:
			if o.IO.OutTTY && !o.IO.Dumb && !o.out.ForScripts() {
				fmt.Fprint(o.IO.Out, "\x1b[H\x1b[2J")
			}
			err = o.out.Write(o.IO, s, func() { printStatus(o.IO, o.Now(), s) })
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// only narrows a status to the network that was named.
func only(s local.Status, network string) (local.Status, error) {
	if network == "" {
		return s, nil
	}
	var found []local.Network
	for _, n := range s.Networks {
		if network == n.ID || network == n.Name || network == n.Name+"."+n.Tenant || n.Domain != "" && network == n.Domain {
			found = append(found, n)
		}
	}
	if found == nil {
		return s, &iox.Error{Exit: iox.NotFound, What: "find network " + network, Why: "this machine is in no network of that name",
			Hint: "see which there are: cvlan status"}
	}
	s.Networks = found
	return s, nil
}

// among reports whether a network is one of those.
func among(s local.Status, id string) bool {
	return slices.ContainsFunc(s.Networks, func(n local.Network) bool { return n.ID == id })
}

// verdict is what --check says.
func (o *statusOptions) verdict(s local.Status) error {
	if o.check == "" {
		return nil
	}
	on := 0
	for _, n := range s.Networks {
		if n.State == local.Down {
			continue
		}
		on++
		ready := n.State == local.Up || n.State == local.Offline
		if !ready || o.check == "healthy" && (n.State != local.Up || len(n.Warnings) > 0 || n.Problem != nil) {
			return &iox.Error{Exit: iox.Degraded, What: n.Name + " is not " + o.check, Why: string(n.State), Err: errShown}
		}
	}
	if on == 0 {
		return &iox.Error{Exit: iox.Degraded, What: "not " + o.check, Why: "no network is switched on", Err: errShown}
	}
	return nil
}
