package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
	"github.com/cvlan/cvlan/internal/base/ticket"
)

type upOptions struct {
	talk
	request local.UpRequest
	keyFile string
}

func newUp(env *Env) *cobra.Command {
	o := &upOptions{talk: talk{Env: env}}
	c := &cobra.Command{
		Use:   "up",
		Short: "Join a network, or bring its connection up again",
		Long: "With a join key, up joins this machine to the network that the key is for. Without one it brings up what was joined " +
			"before. It waits until the network is connected. What is not named on the command line stays as it is.",
		Example: "  sudo cvlan up --key-file office.key            # join; the file holds what `cvlan admin key create` printed\n" +
			"  ssh ctl cvlan admin key create --network office | sudo cvlan up --key-file -\n" +
			"  sudo cvlan up --network office                 # again, after cvlan down",
		Args: takes(),
	}
	c.RunE = o.talks(func(c *cobra.Command, _ []string) error { return o.run(c.Context()) })
	f := c.Flags()
	f.StringVar(&o.keyFile, "key-file", "", "file with the join key; - is standard input")
	f.StringVar(&o.request.JoinKey, "key", "", "the join key itself: for a paste by hand, because other users can see arguments")
	f.StringVar(&o.request.Network, "network", "", "only this network, by name or identifier")
	f.StringVar(&o.request.Hostname, "hostname", "", "name to ask for when joining (default: this machine's)")
	f.StringVar(&o.request.Interface, "interface", "", "name of the network interface, when joining")
	f.Uint16Var(&o.request.Port, "port", 0, "UDP port, when joining (default 41641, or a free one)")
	f.StringVar(&o.request.Transport, "transport", "", "how to talk to the controller, when joining: auto, quic or tcp")
	timeoutFlag(c, &o.timeout, 30*time.Second, "how long to wait for the connection; 0: do not wait")
	exclusive(c, "key", "key-file")
	outputFlags(c, &o.out, "networks.self.addresses")
	return c
}

func (o *upOptions) run(ctx context.Context) error {
	if err := o.readJoinKey(); err != nil {
		return err
	}
	progress := o.progress(ctx, "connecting")
	defer progress.stop()
	wait, cancel := o.timeout.within(ctx)
	defer cancel()
	accepted, err := o.ask(ctx)
	if err != nil {
		return err
	}
	if len(accepted.Networks) == 0 {
		return &iox.Error{Exit: iox.NeedsLogin, What: "bring up the networks", Why: "this machine has not joined any",
			Hint: "join one: sudo cvlan up --key-file FILE   (a key comes from: cvlan admin key create --network NAME)"}
	}
	result := accepted.Networks
	if o.timeout != 0 {
		if result, err = settle(wait, o.client, accepted.Networks); err != nil {
			return err
		}
	}
	progress.stop()
	return o.out.Write(o.IO, local.Networks{Schema: local.Schema, Networks: result, Unused: accepted.Unused}, func() {
		if accepted.Unused {
			o.IO.Notef("This machine is in %s already: the join key was not used and is as good as before, and nothing else of this command was changed.", result[0].Name)
		}
		o.print(result)
	})
}

// ask has the daemon do it. To join, it asks the controller, and says what has not answered when the time is over: a moment longer than that one waits for it.
func (o *upOptions) ask(ctx context.Context) (local.Networks, error) {
	limit := o.timeout
	if limit != 0 && o.request.JoinKey != "" {
		o.request.TimeoutMS = int(min(max(time.Duration(limit), time.Millisecond), local.MaxJoinTime) / time.Millisecond)
		limit += span(slack)
	}
	ctx, cancel := limit.within(ctx)
	defer cancel()
	return o.client.Up(ctx, o.request)
}

// readJoinKey reads and checks the key before anybody is asked.
func (o *upOptions) readJoinKey() error {
	if o.keyFile != "" {
		k, err := o.readKey(o.keyFile)
		if err != nil {
			return err
		}
		o.request.JoinKey = k
	} else if o.request.JoinKey == "" {
		return nil
	}
	if _, err := ticket.Parse(ticket.Join, o.request.JoinKey); err != nil {
		return &iox.Error{Exit: iox.Invalid, What: "read the join key", Why: err.Error(), Err: err,
			Hint: "make a new one: cvlan admin key create --network NAME"}
	}
	return nil
}

func (o *upOptions) print(networks []local.Network) {
	connected := false
	for _, n := range networks {
		if n.State == local.Pending {
			o.IO.Printf("%s has joined %s and waits for approval. An admin approves it with:", n.Self.Name, n.Name)
			o.IO.Printf("  cvlan admin node approve %s", n.Self.ID)
			continue
		}
		if n.State != local.Up {
			o.IO.Printf("%s: %s", n.Name, string(n.State))
			continue
		}
		connected = true
		o.IO.Printf("%s is up in %s", n.Self.Name, n.Name)
		for _, a := range n.Self.Addresses {
			o.IO.Printf("  %s", a)
		}
	}
	if connected {
		o.IO.Notef("\nNext: cvlan status        who is there\n      cvlan ping NAME     can I reach it")
	}
}
