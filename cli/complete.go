package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
)

// askAtMost is how long completion waits for an answer, unless Env says otherwise: whoever presses tab does not want to wait, and can type.
const askAtMost = 400 * time.Millisecond

// names are what a word may be completed to, each perhaps with a tab and a few words on what it is.
type nameSource func(ctx context.Context, c *cobra.Command) []string

// completes lets a flag be completed from a source.
func completes(c *cobra.Command, flag string, from nameSource) {
	_ = c.RegisterFlagCompletionFunc(flag, func(c *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return offer(c, from, nil, typed)
	})
}

// completesArgs lets arguments be completed: the first from the first source and so on; with more, the last source serves what follows.
func completesArgs(c *cobra.Command, more bool, from ...nameSource) {
	c.ValidArgsFunction = func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		i := len(args)
		if i >= len(from) && !more {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return offer(c, from[min(i, len(from)-1)], args, typed)
	}
}

// offer is what begins as it was typed and is not there yet. Names come from others: what a shell or a terminal could take amiss is left out.
func offer(c *cobra.Command, from nameSource, have []string, typed string) ([]string, cobra.ShellCompDirective) {
	var out []string
	for _, n := range from(c.Context(), c) {
		name, what, _ := strings.Cut(n, "\t")
		if !strings.HasPrefix(name, typed) || slices.Contains(have, name) || !plainWord(name) {
			continue
		}
		if what != "" {
			name += "\t" + iox.CleanTo(what, 60)
		}
		out = append(out, name)
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// plainWord reports whether a name means nothing to any shell.
func plainWord(s string) bool {
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("-_.:@/+,=", r):
		default:
			return false
		}
	}
	return s != ""
}

// words is a source that needs to ask nobody.
func fixed(all ...string) nameSource {
	return func(context.Context, *cobra.Command) []string { return all }
}

// known returns the daemon's state, or an empty one.
func (e *Env) known(ctx context.Context, c *cobra.Command) local.Status {
	client := e.daemon(c)
	defer client.Close()
	s, _ := client.Status(ctx) // without an answer there is nothing to complete
	return s
}

// networkNames are the networks that this machine is in.
func (e *Env) networkNames(ctx context.Context, c *cobra.Command) (all []string) {
	for _, n := range e.known(ctx, c).Networks {
		all = append(all, either(n.Name, n.ID)+"\t"+string(n.State))
	}
	return all
}

// peerNames are the peers that this machine sees; those whose name two networks have carry their network's.
func (e *Env) peerNames(ctx context.Context, c *cobra.Command) (all []string) {
	s := e.known(ctx, c)
	times := map[string]int{}
	for _, n := range s.Networks {
		for _, p := range n.Peers {
			times[p.Name]++
		}
	}
	for _, n := range s.Networks {
		for _, p := range n.Peers {
			name := p.Name
			if times[name] > 1 {
				name += "." + n.Name
			}
			all = append(all, name+"\t"+strings.TrimSpace(first(p.Addresses)+" "+owner(p.Node)))
		}
	}
	return all
}
