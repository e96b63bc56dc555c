package cli

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
)

func newWait(env *Env) *cobra.Command {
	o := &talk{Env: env}
	c := &cobra.Command{
		Use:   "wait [up | ready | peer NAME | policy VERSION]",
		Short: "Wait until networks, a peer or a policy are there",
		Long: "wait is for scripts. Without a word, or with up, it waits until every network that is switched on is connected; with ready, until traffic can flow, perhaps " +
			"with the last map while the controller is away; with peer, until that peer answers an echo through the tunnel; with policy, until the " +
			"machine's filter applies that version of the policy, or a later one. It also waits for the daemon itself. It ends with exit code 6 when it took " +
			"longer than --timeout, and at once when waiting is in vain.",
		Example: "  cvlan wait --timeout 2m && systemctl start backup\n  cvlan wait peer db --network office\n  cvlan wait policy 7",
		Args:    waitable,
		RunE:    o.asks(func(ctx context.Context, args []string) error { return o.wait(ctx, args) }),
	}
	o.networkFlag(c, "only for this network, by name or identifier")
	timeoutFlag(c, &o.timeout, time.Minute, "how long to wait; 0: without limit")
	outputFlags(c, &o.out)
	completesArgs(c, false, fixed("up\tevery network is connected", "ready\ttraffic can flow", "peer\tit answers", "policy\tthe filter applies it"), env.afterWait)
	return c
}

// waitable checks what is waited for.
func waitable(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	switch args[0] {
	case "up", "ready":
		return takes("up")(c, args)
	case "peer":
		return takes("peer", "NAME")(c, args)
	case "policy":
		if err := takes("policy", "VERSION")(c, args); err != nil {
			return err
		}
		if _, err := strconv.ParseUint(args[1], 10, 64); err != nil {
			return usage(c, quoted(args[1])+" is no version of a policy")
		}
		return nil
	}
	return usage(c, "wait for "+quoted(args[0])+": use up, ready, peer NAME or policy VERSION")
}

func (e *Env) afterWait(ctx context.Context, c *cobra.Command) []string {
	if c.Flags().Arg(0) == "peer" {
		return e.peerNames(ctx, c)
	}
	return nil
}

func (t *talk) wait(ctx context.Context, args []string) (err error) {
	progress := t.progress(ctx, "waiting")
	defer progress.stop()
	if len(args) == 0 {
		args = []string{"up"}
	}
	what := strings.Join(args, " ")
	args = append(args, "")
	done := func(s local.Status) (bool, error) { return t.arrived(s, args[0], args[1]) }
	if args[0] == "peer" {
		done = func(local.Status) (bool, error) { return t.answers(ctx, args[1]) }
	}
	for {
		s, err := t.client.Status(ctx)
		arrived := false
		if err == nil {
			arrived, err = done(s)
		}
		switch {
		case arrived:
			progress.stop()
			s, _ = only(s, t.network)
			return t.out.Write(t.IO, s, func() {})
		case errors.Is(err, local.ErrNoDaemon): // it may be on its way
		case err != nil && ctx.Err() == nil:
			return err
		}
		if !pause(ctx, glance) {
			return tooLate(ctx, what, err)
		}
	}
}

// tooLate is the error of what did not come in time.
func tooLate(ctx context.Context, what string, last error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	e := &iox.Error{Exit: iox.Timeout, What: "wait for " + iox.Clean(what), Why: "it took longer than --timeout", Hint: "see: cvlan status"}
	if last != nil && !errors.Is(last, context.DeadlineExceeded) {
		e.Why += "; " + last.Error()
	}
	return e
}

// arrived reports whether the networks are as they are waited for; the error says why they never will be.
func (t *talk) arrived(s local.Status, what, version string) (bool, error) {
	if len(s.Networks) == 0 {
		return false, &iox.Error{Exit: iox.NeedsLogin, What: "wait for " + what, Why: "this machine is in no network", Hint: "join one: sudo cvlan up --key-file FILE"}
	}
	s, err := only(s, t.network)
	if err != nil {
		return false, err
	}
	on := 0
	for _, n := range s.Networks {
		if n.State == local.Down && t.network == "" {
			continue
		}
		on++
		if err := hopeless(n); err != nil {
			return false, err
		}
		if !there(n, what, version) {
			return false, nil
		}
	}
	if on == 0 {
		return false, &iox.Error{Exit: iox.Invalid, What: "wait for " + what, Why: "no network is switched on", Hint: "switch them on: sudo cvlan up"}
	}
	return true, nil
}

func there(n local.Network, what, version string) bool {
	switch what {
	case "policy":
		want, _ := strconv.ParseUint(version, 10, 64) // it was checked
		return n.Policy.Version >= want
	case "ready":
		return n.State == local.Up || n.State == local.Offline
	default:
		return n.State == local.Up
	}
}

// echo is how long one echo of wait may take.
const echo = time.Second

// answers sends an echo. A peer that is not there may come yet; one that policy keeps away does not.
func (t *talk) answers(ctx context.Context, peer string) (bool, error) {
	_, err := t.client.Ping(ctx, local.PingRequest{Peer: peer, Network: t.network, TimeoutMS: int(echo / time.Millisecond)})
	var l *local.Error
	if errors.As(err, &l) {
		switch l.Code {
		case local.CodeTimeout, local.CodeUnreachable, local.CodeNotFound:
			return false, nil
		}
	}
	return err == nil, err
}
