package cli

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
)

// settle watches until each of the memberships is connected or cannot be, and returns them as they are then.
func settle(ctx context.Context, client *local.Client, want []local.Network) ([]local.Network, error) {
	for s, err := range states(ctx, client) {
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
func states(ctx context.Context, client *local.Client) iter.Seq2[local.Status, error] {
	return func(yield func(local.Status, error) bool) {
		for s, err := range client.Watch(ctx) {
			var e *local.Error
			if errors.As(err, &e) && e.Code == local.CodeBusy {
				break
			}
			if !yield(s, err) || err != nil {
				return
			}
		}
		for {
			if s, err := client.Status(ctx); !yield(s, err) || err != nil {
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
