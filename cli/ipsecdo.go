package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/local"
)

type ipsecDoOptions struct {
	talk
	request local.IPsecRequest
	do      func(*local.Client, context.Context, local.IPsecRequest) (local.IPsecDone, error)
	done    string // what has been done, in words
}

func newIPsecRekey(env *Env) *cobra.Command {
	o := &ipsecDoOptions{talk: talk{Env: env}, do: (*local.Client).RekeyIPsec, done: "New keys are being made with"}
	c := &cobra.Command{
		Use:   "rekey [PEER]",
		Short: "Replace the keys with a peer, or with all",
		Long: "rekey replaces the IKE association with a peer and its pair of ESP by new ones with new keys. Packets go on meanwhile. Without PEER it does so " +
			"with every peer. It needs the rights of an operator.",
		Example: "  sudo cvlan ipsec rekey db\n  sudo cvlan ipsec rekey --network office",
		Args:    atMost(1),
	}
	o.flags(c)
	return c
}

func newIPsecTerminate(env *Env) *cobra.Command {
	o := &ipsecDoOptions{talk: talk{Env: env}, do: (*local.Client).TerminateIPsec, done: "Ended with"}
	c := &cobra.Command{
		Use:   "terminate PEER",
		Short: "End the security associations with a peer",
		Long: "terminate ends all security associations with a peer, and tells it. The next packet to it, or from it, makes new ones: this cuts nobody off, " +
			"which is what policy is for. It needs the rights of an operator.",
		Example: "  sudo cvlan ipsec terminate db\n  sudo cvlan ipsec terminate db --network office",
		Args:    takes("PEER"),
	}
	o.flags(c)
	return c
}

func (o *ipsecDoOptions) flags(c *cobra.Command) {
	c.RunE = o.asks(o.run)
	o.networkFlag(c, "only in this network, by name or identifier")
	o.talk.flags(c, 10*time.Second, "peers")
}

func (o *ipsecDoOptions) run(ctx context.Context, args []string) error {
	if o.request.Network = o.network; len(args) > 0 {
		o.request.Peer = args[0]
	}
	d, err := o.do(o.client, ctx, o.request)
	if err != nil {
		return err
	}
	return o.out.Write(o.IO, d, func() {
		if len(d.Peers) == 0 {
			o.IO.Printf("There are no security associations; see which peers speak IPsec: cvlan status")
			return
		}
		o.IO.Printf("%s %s", o.done, strings.Join(d.Peers, ", "))
	})
}
