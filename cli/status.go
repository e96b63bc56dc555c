package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
)

type statusOptions struct {
	*Env
	client  *local.Client
	network string
	watch   bool
	check   string
	timeout span
	out     iox.Output
}

func newStatus(env *Env) *cobra.Command {
	o := &statusOptions{Env: env}
	c := &cobra.Command{
		Use:   "status",
		Short: "Show networks, peers and what is wrong",
		Long: "status shows what is wrong first, then each network with its peers. With --check it prints the same and ends with exit " +
			"code 12 unless every network that is switched on is ready (traffic can flow, perhaps with the last map while the controller is " +
			"away) or healthy (ready, connected, and without any warning).",
		Example: "  cvlan status\n  cvlan status --check ready --json > /dev/null && echo ready\n  cvlan status --template '{{range .networks}}{{.name}} {{.state}}{{end}}'",
		Args:    takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			o.client = env.daemon(c)
			return o.run(c)
		},
	}
	f := c.Flags()
	f.StringVar(&o.network, "network", "", "only this network, by name or identifier")
	f.BoolVarP(&o.watch, "watch", "w", false, "show every change until ctrl-C; with --json one document a line")
	f.StringVar(&o.check, "check", "", "end with 12 unless all is: ready, or healthy")
	timeoutFlag(c, &o.timeout, 10*time.Second, "how long to wait for the daemon")
	exclusive(c, "watch", "check")
	outputFlags(c, &o.out)
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
	s, err := o.client.Status(ctx)
	if err != nil {
		return err
	}
	if s, err = o.only(s); err != nil {
		return err
	}
	if err := o.out.Write(o.IO, s, func() { printStatus(o.IO, o.Now(), s) }); err != nil {
		return err
	}
	return o.verdict(s)
}

// follow shows every state until the person has seen enough.
func (o *statusOptions) follow(ctx context.Context) error {
	for s, err := range o.client.Watch(ctx) {
		if err == nil {
			s, err = o.only(s)
		}
		switch {
		case errors.Is(err, context.Canceled):
			return nil // seen enough
		case err != nil:
			return err
		case o.out.JSON:
			err = o.IO.JSONLine(s)
		default:
			if o.IO.OutTTY && o.out.Template == "" {
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
func (o *statusOptions) only(s local.Status) (local.Status, error) { return only(s, o.network) }

func only(s local.Status, network string) (local.Status, error) {
	if network == "" {
		return s, nil
	}
	var found []local.Network
	for _, n := range s.Networks {
		if n.Name == network || n.ID == network {
			found = append(found, n)
		}
	}
	if found == nil {
		return s, &iox.Error{Exit: iox.NotFound, What: "show " + network, Why: "this machine is in no network of that name",
			Hint: "see which there are: cvlan status"}
	}
	s.Networks = found
	return s, nil
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
