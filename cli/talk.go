package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
)

// talk is what commands have in common that ask the daemon and show what it says.
type talk struct {
	*Env
	client  *local.Client // from the moment that the command runs
	network string        // --network
	timeout span
	out     iox.Output
}

// flags adds --timeout and the flags of the output; brief is as of outputFlags.
func (t *talk) flags(c *cobra.Command, patience time.Duration, brief ...string) {
	timeoutFlag(c, &t.timeout, patience, "how long to wait for the daemon")
	outputFlags(c, &t.out, brief...)
}

// networkFlag adds --network.
func (t *talk) networkFlag(c *cobra.Command, what string) {
	c.Flags().StringVar(&t.network, "network", "", what)
	completes(c, "network", t.Env.networkNames)
}

// asks makes a command's RunE of what it asks, which has the timeout to do so.
func (t *talk) asks(run func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return t.talks(func(c *cobra.Command, args []string) error {
		ctx, cancel := t.timeout.within(c.Context())
		defer cancel()
		return run(ctx, args)
	})
}

// talks makes a command's RunE of what looks after its time itself.
func (t *talk) talks(run func(c *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		t.client = t.daemon(c)
		t.client.Asked = t.asking("the daemon")
		defer t.client.Close()
		return run(c, args)
	}
}

// status returns the daemon's state, narrowed to the network that was named.
func (t *talk) status(ctx context.Context) (local.Status, error) {
	s, err := t.client.Status(ctx)
	if err != nil {
		return s, err
	}
	return only(s, t.network)
}
