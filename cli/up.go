package cli

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
	"github.com/cvlan/cvlan/internal/base/ticket"
)

type upOptions struct {
	*Env
	client  *local.Client
	request local.UpRequest
	keyFile string
	timeout span
	out     iox.Output
}

func newUp(env *Env) *cobra.Command {
	o := &upOptions{Env: env}
	c := &cobra.Command{
		Use:   "up",
		Short: "Join a network, or bring its connection up again",
		Long: "With a join key, up joins this machine to the network that the key is for. Without one it brings up what was joined " +
			"before. It waits until the network is connected. What is not named on the command line stays as it is.",
		Example: "  cvlan up --key-file office.key                 # join; the file holds what `cvlan admin key create` printed\n" +
			"  ssh ctl cvlan admin key create --network office | sudo cvlan up --key-file -\n" +
			"  cvlan up --network office                      # again, after cvlan down",
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			o.client = env.daemon(c)
			return o.run(c.Context())
		},
	}
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
	outputFlags(c, &o.out)
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
	accepted, err := o.client.Up(wait, o.request)
	if err != nil {
		return err
	}
	if len(accepted.Networks) == 0 {
		return &iox.Error{Exit: iox.NeedsLogin, What: "bring up the networks", Why: "this machine has not joined any",
			Hint: "join one: cvlan up --key-file FILE   (a key comes from: cvlan admin key create --network NAME)"}
	}
	result := accepted.Networks
	if o.timeout != 0 {
		if result, err = o.settle(wait, accepted.Networks); err != nil {
			return err
		}
	}
	progress.stop()
	return o.out.Write(o.IO, local.Networks{Schema: local.Schema, Networks: result}, func() { o.print(result) })
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

// settle watches until each of the memberships is connected or cannot be, and returns them as they are then.
func (o *upOptions) settle(ctx context.Context, want []local.Network) ([]local.Network, error) {
	for s, err := range o.states(ctx) {
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			return nil, late(want)
		case err != nil:
			return nil, err
		}
		want = refresh(want, s)
		settled := true
		for _, n := range want {
			if err := hopeless(n); err != nil {
				return nil, err
			}
			settled = settled && (n.State == local.Up || n.State == local.Pending)
		}
		if settled {
			return want, nil
		}
	}
	return nil, local.ErrNoDaemon
}

// glance is how often the state is asked for where it cannot be watched.
const glance = 250 * time.Millisecond

// states yields the daemon's state at every change. A user may have one watch at a time; while another has it (cvlan status
// --watch in the next window), the state is asked for again and again instead.
func (o *upOptions) states(ctx context.Context) iter.Seq2[local.Status, error] {
	return func(yield func(local.Status, error) bool) {
		for s, err := range o.client.Watch(ctx) {
			var e *local.Error
			if errors.As(err, &e) && e.Code == local.CodeBusy {
				break
			}
			if !yield(s, err) || err != nil {
				return
			}
		}
		for {
			if s, err := o.client.Status(ctx); !yield(s, err) || err != nil {
				return
			}
			if !pause(ctx, glance) {
				yield(local.Status{}, ctx.Err())
				return
			}
		}
	}
}

// refresh replaces each membership by what the newer status says of it.
func refresh(want []local.Network, s local.Status) []local.Network {
	out := make([]local.Network, len(want))
	for i, w := range want {
		out[i] = w
		for _, n := range s.Networks {
			if n.ID == w.ID {
				out[i] = n
			}
		}
	}
	return out
}

// hopeless returns an error for a membership that will not come up by waiting.
func hopeless(n local.Network) error {
	switch n.State {
	case local.Failed:
		return failed("bring up "+n.Name, iox.Internal, n.Problem)
	case local.NeedsLogin:
		return failed("bring up "+n.Name, iox.NeedsLogin, n.Problem)
	case local.Down:
		return &iox.Error{Exit: iox.Invalid, What: "bring up " + n.Name, Why: "it was switched off meanwhile"}
	}
	return nil
}

// late says how far each membership came when the time was over.
func late(want []local.Network) error {
	e := &iox.Error{Exit: iox.Timeout, What: "wait for the connection", Why: "it took longer than --timeout",
		Hint: "the daemon goes on trying; see: cvlan status"}
	for _, n := range want {
		if n.State == local.Up || n.State == local.Pending {
			continue
		}
		e.Why = n.Name + " is " + string(n.State)
		if n.Controller.Problem != "" {
			e.Why += ": " + n.Controller.Problem
		}
		if n.State == local.Offline {
			e.Hint = "the network runs with its last map meanwhile; the daemon goes on trying"
		}
	}
	return e
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
