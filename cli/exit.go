package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
)

func newExit(env *Env) *cobra.Command {
	return nouns("exit", "Reach the internet through another machine, or offer that",
		"exit has all traffic of this machine that is for the internet leave through another machine of the network, and what that needs. It is never switched on by "+
			"anybody but this machine's operators. While it is on and the other machine is away, nothing leaves beside it.",
		"  cvlan exit list\n  sudo cvlan exit use gate\n  sudo cvlan exit off\n  sudo cvlan exit offer",
		newExitList(env), newExitUse(env), newExitOff(env), newExitOffer(env), newExitWithdraw(env))
}

// exitsOf are a network's.
type exitsOf struct {
	Network string           `json:"network"`
	Exit    *local.Exit      `json:"exit,omitempty"` // in use
	Exits   []local.ExitPeer `json:"exits"`
}

type exitsShown struct {
	Schema   int       `json:"schema"`
	Networks []exitsOf `json:"networks"`
}

func shownExits(s local.Status) exitsShown {
	out := exitsShown{Schema: local.Schema, Networks: []exitsOf{}}
	for _, n := range s.Networks {
		x := exitsOf{n.Name, n.Exit, n.Exits}
		if x.Exits == nil {
			x.Exits = []local.ExitPeer{}
		}
		out.Networks = append(out.Networks, x)
	}
	return out
}

func newExitList(env *Env) *cobra.Command {
	o := &talk{Env: env}
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the machines that are an exit",
		Long:    "list shows the machines that lead to the internet and that this one may see: whether they are there, by which path they are reached, what they take, and which is in use.",
		Example: "  cvlan exit list\n  cvlan exit list --network office --json",
		Args:    takes(),
		RunE: o.asks(func(ctx context.Context, _ []string) error {
			s, err := o.status(ctx)
			if err != nil {
				return err
			}
			return o.out.Write(o.IO, shownExits(s), func() { printExits(o.IO, s) })
		}),
	}
	o.networkFlag(c, "only this network, by name or identifier")
	o.flags(c, 10*time.Second, "networks.exits.name")
	return c
}

func printExits(o *iox.IO, s local.Status) {
	some := false
	for _, n := range s.Networks {
		if len(n.Exits) > 0 {
			t := iox.Table{Heads: []string{"NETWORK", "EXIT", "STATE", "PATH", "TAKES"}}
			for _, x := range n.Exits {
				t.Row(n.Name, iox.Clean(x.Name), exitState(n.Exit, x), exitPath(n, x.Name), families(x))
			}
			space(o, &some)
			t.Print(o)
		}
		if n.Exit != nil {
			some = true
			printExit(o, n)
		}
	}
	if !some {
		o.Printf("No machine is an exit here; to offer this one: sudo cvlan exit offer")
	}
}

func exitState(used *local.Exit, x local.ExitPeer) any {
	switch {
	case used != nil && used.Node == x.Name && used.State == local.ExitInUse:
		return iox.Cell(iox.Green, "in use")
	case used != nil && used.Node == x.Name:
		return iox.Cell(iox.Red, iox.Clean(used.State))
	case !x.Allowed:
		return iox.Cell(iox.Dim, "not allowed by policy")
	case !x.Online:
		return iox.Cell(iox.Dim, "offline")
	}
	return "there"
}

func exitPath(n local.Network, name string) string {
	for _, p := range n.Peers {
		if p.Name == name {
			return iox.Clean(p.Path)
		}
	}
	return ""
}

func families(x local.ExitPeer) string {
	switch {
	case x.IPv4 && x.IPv6:
		return "IPv4, IPv6"
	case x.IPv6:
		return "IPv6"
	}
	return "IPv4"
}

// printExit says what holds while an exit is in use.
func printExit(o *iox.IO, n local.Network) {
	x := n.Exit
	switch x.State {
	case local.ExitInUse:
		o.Printf("%s: what is for the internet leaves through %s", n.Name, iox.Clean(x.Node))
	case local.ExitFailed:
		o.Printf("%s: the exit %s is not used: %s", n.Name, iox.Clean(x.Node), iox.Clean(x.Why))
		if x.Open {
			o.Printf("  traffic leaves as it would without an exit")
		} else {
			o.Printf("  nothing leaves for the internet beside it")
		}
		return
	default:
		o.Printf("%s: nothing leaves for the internet: %s", n.Name, iox.Clean(x.Why))
	}
	if !x.IPv6 {
		o.Printf("  IPv6 does not leave at all")
	}
	if x.LAN {
		o.Printf("  local networks stay in reach")
	} else {
		o.Printf("  local networks are out of reach, but for the resolvers there; to reach them: sudo cvlan set exit-lan on")
	}
}

// The settings that the commands below change.
const (
	exitKey    = "exit-node"
	exitLANKey = "exit-lan"
)

func newExitUse(env *Env) *cobra.Command {
	o := &talk{Env: env}
	var lan bool
	c := &cobra.Command{
		Use:   "use EXIT",
		Short: "Have all traffic for the internet leave through a machine",
		Long: "use has all that this machine sends to the internet leave through another one, from now on and after a restart, until: cvlan exit off. Nothing leaves beside it " +
			"meanwhile, also while the other machine is away. Local networks are out of reach, but for the resolvers there, unless --allow-lan is given. It needs the rights of an operator, and Linux.",
		Example: "  sudo cvlan exit use gate\n  sudo cvlan exit use gate --allow-lan",
		Args:    takes("EXIT"),
	}
	c.Flags().BoolVar(&lan, "allow-lan", false, "reach local networks as before")
	c.RunE = o.asks(func(ctx context.Context, args []string) error {
		if err := o.findExit(ctx, args[0]); err != nil {
			return err
		}
		values := map[string]string{exitKey: args[0]}
		if c.Flags().Changed("allow-lan") {
			values[exitLANKey] = "off"
			if lan {
				values[exitLANKey] = "on"
			}
		}
		if _, err := o.client.Set(ctx, local.SetRequest{Network: o.network, Values: values}); err != nil {
			return err
		}
		return o.exitDone(ctx, func(n local.Network) bool { return n.Exit != nil && n.Exit.Node == args[0] })
	})
	o.networkFlag(c, "whose machine, by name or identifier of the network")
	o.flags(c, 10*time.Second, "networks.exit.node")
	return c
}

// findExit refuses what is no exit, and finds its network if none was named.
func (t *talk) findExit(ctx context.Context, name string) error {
	s, err := t.status(ctx)
	if err != nil {
		return err
	}
	var in []string
	for _, n := range s.Networks {
		i := slices.IndexFunc(n.Exits, func(x local.ExitPeer) bool { return x.Name == name })
		if i < 0 {
			continue
		}
		if !n.Exits[i].Allowed {
			return &iox.Error{Exit: iox.Denied, What: "use the exit " + name, Why: "policy lets this machine reach nothing on the internet",
				Hint: "an admin allows it with the destination autogroup:internet"}
		}
		in = append(in, n.Name)
	}
	switch {
	case len(in) == 0:
		return &iox.Error{Exit: iox.NotFound, What: "use the exit " + name, Why: "no machine of that name is one", Hint: "see which there are: cvlan exit list"}
	case len(in) == 1:
		t.network = in[0]
	}
	return nil
}

// exitWithin is how long a new setting may take to hold.
const exitWithin = 3 * time.Second

// exitDone waits a moment until what was set holds, and shows it.
func (t *talk) exitDone(ctx context.Context, holds func(local.Network) bool) error {
	brief, cancel := context.WithTimeout(ctx, exitWithin)
	defer cancel()
	for s, err := range states(brief, t.client) {
		if brief.Err() != nil || err != nil {
			break
		}
		if s, err = only(s, t.network); err == nil && slices.ContainsFunc(s.Networks, holds) {
			break
		}
	}
	s, err := t.status(ctx)
	if err != nil {
		return err
	}
	for _, n := range s.Networks {
		if n.Exit != nil && n.Exit.State == local.ExitFailed {
			return &iox.Error{Exit: iox.Internal, What: "use the exit " + iox.Clean(n.Exit.Node), Why: iox.Clean(n.Exit.Why), Hint: "take it back: sudo cvlan exit off"}
		}
	}
	return t.out.Write(t.IO, shownExits(s), func() {
		for _, n := range s.Networks {
			if n.Exit != nil {
				printExit(t.IO, n)
			} else {
				t.IO.Printf("%s: traffic leaves as it would without an exit", n.Name)
			}
		}
	})
}

func newExitOff(env *Env) *cobra.Command {
	o := &talk{Env: env}
	c := &cobra.Command{
		Use:     "off",
		Short:   "Have traffic leave as it would without an exit",
		Long:    "off takes back what use has set, at once, whether or not the other machine or the controller can be reached. It needs the rights of an operator.",
		Example: "  sudo cvlan exit off\n  sudo cvlan exit off --network office",
		Args:    takes(),
		RunE: o.asks(func(ctx context.Context, _ []string) error {
			all, err := o.narrowed(ctx)
			if err != nil {
				return err
			}
			for _, s := range all {
				if s.Key != exitKey || !s.Set {
					continue
				}
				if _, err := o.client.Set(ctx, local.SetRequest{Network: s.Network, Values: map[string]string{exitKey: local.DefaultValue}}); err != nil {
					return err
				}
			}
			return o.exitDone(ctx, func(n local.Network) bool { return n.Exit == nil })
		}),
	}
	o.networkFlag(c, "only in this network, by name or identifier")
	o.flags(c, 10*time.Second, "networks.network")
	return c
}

// exitWord stands for the internet among what a machine offers, and for an admin who approves it.
const exitWord = "exit"

// exitPrefixes are what it stands for.
var exitPrefixes = []string{"0.0.0.0/0", "::/0"}

// spelled puts prefixes in place of the word exit.
func spelled(offers []string) (all []string) {
	for _, o := range offers {
		if o == exitWord {
			all = append(all, exitPrefixes...)
			continue
		}
		all = append(all, o)
	}
	return all
}

// offerName is what people call a prefix that is offered.
func offerName(prefix string) string {
	switch prefix {
	case exitPrefixes[0]:
		return "the internet by IPv4"
	case exitPrefixes[1]:
		return "the internet by IPv6"
	}
	return prefix
}

func newExitOffer(env *Env) *cobra.Command {
	o := &talk{Env: env}
	c := &cobra.Command{
		Use:   "offer",
		Short: "Let others reach the internet through this machine",
		Long: "offer lets others reach the internet through this machine, as soon as an admin has approved it, or a rule of the policy does, and as far as policy lets them. What is private " +
			"behind this machine stays closed; to open that as well: cvlan route offer. The machine forwards packets then, with its own address. It needs the rights of an operator, and Linux.",
		Example: "  sudo cvlan exit offer\n  sudo cvlan exit offer --network office",
		Args:    takes(),
		RunE: o.asks(func(ctx context.Context, _ []string) error {
			return o.reoffer(ctx, func(have []string) ([]string, error) {
				if !slices.Contains(have, exitWord) {
					have = append(have, exitWord)
				}
				return have, nil
			}, []string{exitWord})
		}),
	}
	o.networkFlag(c, "to whom, by name or identifier of the network")
	o.flags(c, 10*time.Second, "networks.offers.prefix")
	return c
}

func newExitWithdraw(env *Env) *cobra.Command {
	o := &talk{Env: env}
	c := &cobra.Command{
		Use:     "withdraw",
		Short:   "Let nobody reach the internet through this machine any more",
		Long:    "withdraw takes back what offer has offered: packets are passed on no more, at once, and what the machine was changed for is turned back. It needs the rights of an operator.",
		Example: "  sudo cvlan exit withdraw\n  sudo cvlan exit withdraw --network office",
		Args:    takes(),
		RunE: o.asks(func(ctx context.Context, _ []string) error {
			return o.reoffer(ctx, func(have []string) ([]string, error) {
				i := slices.Index(have, exitWord)
				if i < 0 {
					return nil, &iox.Error{Exit: iox.NotFound, What: "withdraw the exit", Why: "this machine offers none", Hint: "see what it offers: cvlan route list"}
				}
				return slices.Delete(have, i, i+1), nil
			}, nil)
		}),
	}
	o.networkFlag(c, "in which network, by name or identifier")
	o.flags(c, 10*time.Second, "networks.offers.prefix")
	return c
}

// exitNames completes EXIT.
func (e *Env) exitNames(ctx context.Context, c *cobra.Command) (all []string) {
	for _, n := range e.known(ctx, c).Networks {
		for _, x := range n.Exits {
			all = append(all, fmt.Sprintf("%s\t%s", x.Name, strings.TrimSpace(n.Name+" "+families(x))))
		}
	}
	return all
}
