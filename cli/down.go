package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/local"
)

func newDown(env *Env) *cobra.Command {
	o := &talk{Env: env}
	c := &cobra.Command{
		Use:     "down",
		Short:   "Switch networks off",
		Long:    "down switches every network off, or the one named; cvlan up switches it on again. To leave a network for good, see cvlan logout.",
		Example: "  sudo cvlan down\n  sudo cvlan down --network office",
		Args:    takes(),
		RunE:    o.asks(func(ctx context.Context, _ []string) error { return o.down(ctx) }),
	}
	o.networkFlag(c, "only this network, by name or identifier")
	timeoutFlag(c, &o.timeout, 30*time.Second, "how long to wait")
	outputFlags(c, &o.out)
	return c
}

func (t *talk) down(ctx context.Context) error {
	done, err := t.client.Down(ctx, local.DownRequest{Network: t.network})
	if err != nil {
		return err
	}
	return t.out.Write(t.IO, done, func() {
		for _, n := range done.Networks {
			t.IO.Printf("%s is down", either(n.Name, n.ID))
		}
		if len(done.Networks) == 0 {
			t.IO.Notef("there was nothing to switch off")
		}
	})
}
