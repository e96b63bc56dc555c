package cli

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
)

type logoutOptions struct {
	talk
	all   bool
	local bool
	yes   bool
}

func newLogoutHere(env *Env) *cobra.Command {
	o := &logoutOptions{talk: talk{Env: env}}
	c := &cobra.Command{
		Use:   "logout",
		Short: "Leave a network for good",
		Long: "logout has the controller delete this machine's node, and deletes the keys for the network here; to come back the machine needs a new join key. While the " +
			"controller is away the keys are deleted all the same, and what an admin has to do is said. With --local the controller is not told: for a copy of " +
			"another machine, which goes on being the node. To switch a network off for a while, use cvlan down.",
		Example: "  sudo cvlan logout\n  sudo cvlan logout --network office --yes",
		Args:    takes(),
	}
	c.RunE = o.asks(func(ctx context.Context, _ []string) error { return o.run(ctx) })
	o.networkFlag(c, "this network, by name or identifier")
	f := c.Flags()
	f.BoolVar(&o.all, "all", false, "leave every network")
	f.BoolVar(&o.local, "local", false, "only delete the keys here; the node stays in the network")
	yesFlag(c, &o.yes)
	timeoutFlag(c, &o.timeout, time.Minute, "how long to wait")
	exclusive(c, "network", "all")
	outputFlags(c, &o.out)
	return c
}

// leavings is the JSON document.
type leavings struct {
	Schema   int               `json:"schema"`
	Networks []local.LoggedOut `json:"networks"`
}

func (o *logoutOptions) run(ctx context.Context) error {
	which, err := o.consider(ctx)
	if err != nil {
		return err
	}
	progress := o.progress(ctx, "telling the controller")
	defer progress.stop()
	l := leavings{Schema: local.Schema, Networks: []local.LoggedOut{}}
	var failed error
	for _, n := range which {
		left, err := o.client.Logout(ctx, local.LogoutRequest{Network: n, Local: o.local})
		if failed = impatient(err); failed != nil {
			break
		}
		l.Networks = append(l.Networks, left)
	}
	progress.stop()
	if len(l.Networks) == 0 && failed != nil {
		return failed
	}
	return errors.Join(o.out.Write(o.IO, l, func() { o.print(l.Networks) }), failed)
}

// impatient says for whom the daemon waits if that took too long, and that it goes on.
func impatient(err error) error {
	if !errors.Is(err, local.ErrLate) {
		return err
	}
	return &iox.Error{Exit: iox.Timeout, What: "leave a network", Why: "the controller did not answer the daemon within --timeout", Err: err,
		Hint: "the daemon goes on without you, and deletes the keys here in any case; see: cvlan status"}
}

// consider returns the networks to leave, and makes sure that the person means all that would be.
func (o *logoutOptions) consider(ctx context.Context) (which []string, err error) {
	s, err := o.client.Status(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, n := range s.Networks {
		names, which = append(names, either(n.Name, n.ID)), append(which, n.ID)
	}
	switch {
	case o.network != "": // the daemon says so if there is none of that name
		names, which = []string{o.network}, []string{o.network}
	case len(names) == 0:
		return nil, &iox.Error{Exit: iox.NeedsLogin, What: "leave a network", Why: "this machine is in none", Hint: "join one: sudo cvlan up --key-file FILE"}
	case len(names) > 1 && !o.all:
		return nil, &iox.Error{Exit: iox.Usage, What: "leave a network", Why: "this machine is in several: " + strings.Join(names, ", "),
			Hint: "say which with --network NAME, or --all"}
	}
	question := "Leave " + strings.Join(names, ", ") + " for good? To come back, this machine needs a new join key."
	if !o.yes && !o.IO.Confirm(question) {
		return nil, &iox.Error{Exit: iox.Interrupted, What: "nothing was changed"}
	}
	return which, nil
}

func (o *logoutOptions) print(all []local.LoggedOut) {
	for _, l := range all {
		switch {
		case l.Deleted:
			o.IO.Printf("%s: this machine has left", l.Network)
		case o.local:
			o.IO.Printf("%s: the keys are deleted here; the node stays in the network", l.Network)
		default:
			o.IO.Printf("%s: the keys are deleted here, but the controller was not told", l.Network)
			why := ""
			if l.Problem != nil {
				why = ": " + l.Problem.What
			}
			o.IO.Notef("It still lists this machine%s", why)
			if l.Node != "" {
				o.IO.Notef("An admin takes it off with: cvlan admin node delete %s", l.Node)
			}
		}
	}
}
