package cli

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
)

func newRoute(env *Env) *cobra.Command {
	return nouns("route", "Reach networks behind machines, or offer one",
		"route shows the networks behind other machines that this one may use, and offers networks behind this one to others: a machine in an office then "+
			"leads to printers and servers there that have no cvlan of their own. What is offered is used once an admin has approved it, by those whom policy lets.",
		"  cvlan route list\n  sudo cvlan route offer 10.20.0.0/16\n  sudo cvlan route withdraw 10.20.0.0/16",
		newRouteList(env), newRouteOffer(env), newRouteWithdraw(env))
}

// routes are a network's.
type routesOf struct {
	Network string            `json:"network"`
	Routes  []local.PeerRoute `json:"routes"`
	Offers  []local.Offer     `json:"offers"`
}

type routesShown struct {
	Schema   int        `json:"schema"`
	Networks []routesOf `json:"networks"`
}

func shownRoutes(s local.Status) routesShown {
	out := routesShown{Schema: local.Schema, Networks: []routesOf{}}
	for _, n := range s.Networks {
		r := routesOf{n.Name, n.Routes, n.Offers}
		if r.Routes == nil {
			r.Routes = []local.PeerRoute{}
		}
		if r.Offers == nil {
			r.Offers = []local.Offer{}
		}
		out.Networks = append(out.Networks, r)
	}
	return out
}

func newRouteList(env *Env) *cobra.Command {
	o := &talk{Env: env}
	c := &cobra.Command{
		Use:   "list",
		Short: "List networks behind other machines, and behind this one",
		Long: "list shows each network behind other machines that policy lets this one use: through which it is reached, which others could stand in, and if it is " +
			"not used, why. Below that are the networks that this machine offers.",
		Example: "  cvlan route list\n  cvlan route list --network office --json\n  cvlan route list --template '{{range .networks}}{{range .routes}}{{.prefix}} {{.router}};{{end}}{{end}}'",
		Args:    takes(),
		RunE: o.asks(func(ctx context.Context, _ []string) error {
			s, err := o.status(ctx)
			if err != nil {
				return err
			}
			r := shownRoutes(s)
			return o.out.Write(o.IO, r, func() { printRoutes(o.IO, r) })
		}),
	}
	o.networkFlag(c, "only this network, by name or identifier")
	o.flags(c, 10*time.Second, "networks.routes.prefix")
	return c
}

func printRoutes(o *iox.IO, r routesShown) {
	some := false
	for _, n := range r.Networks {
		if len(n.Routes) > 0 {
			t := iox.Table{Heads: []string{"NETWORK", "PREFIX", "ROUTER", "STATE", "STANDBY"}}
			for _, x := range n.Routes {
				t.Row(n.Network, x.Prefix.String(), iox.Clean(x.Router), iox.Cell(routeStyle(x.State), x.State), strings.Join(x.Standby, ", "))
			}
			space(o, &some)
			t.Print(o)
			for _, x := range n.Routes {
				if x.Why != "" && x.State != local.RouteOwn && x.State != local.RouteOff {
					o.Printf("  %s: %s", x.Prefix, iox.Clean(x.Why))
				}
			}
		}
		if len(n.Offers) > 0 {
			t := iox.Table{Heads: []string{"NETWORK", "OFFERED", "STATE"}}
			for _, x := range n.Offers {
				state := iox.Cell(iox.Amber, "waits for approval")
				switch {
				case x.Fault != "" && !x.Approved:
					state = iox.Cell(iox.Red, "not possible: "+iox.Clean(x.Fault))
				case x.Fault != "":
					state = iox.Cell(iox.Red, "not passed on: "+iox.Clean(x.Fault))
				case x.Approved:
					state = iox.Cell(iox.Green, "approved")
				}
				t.Row(n.Network, x.Prefix.String(), state)
			}
			space(o, &some)
			t.Print(o)
		}
	}
	if !some {
		o.Printf("Nothing is behind other machines here that this one may use, and it offers nothing; see how to: cvlan route offer --help")
	}
}

// space sets what follows apart from what was before.
func space(o *iox.IO, some *bool) {
	if *some {
		o.Printf("")
	}
	*some = true
}

func routeStyle(state string) iox.Style {
	switch state {
	case local.RouteInUse:
		return iox.Green
	case local.RouteOwn, local.RouteOff:
		return iox.Plain
	}
	return iox.Amber
}

// routesKey is the setting that the two commands below change.
const routesKey = "routes"

func newRouteOffer(env *Env) *cobra.Command {
	o := &talk{Env: env}
	c := &cobra.Command{
		Use:   "offer PREFIX...",
		Short: "Offer networks behind this machine to others",
		Long: "offer lets others reach networks through this machine that it is in otherwise, as soon as an admin has approved them, or a rule of the policy does. " +
			"The machine then forwards packets, which it did not before, and gives them its own address there, so that nothing has to be changed in that network; " +
			"to keep the senders' addresses: cvlan set snat off. It needs the rights of an operator, and Linux.",
		Example: "  sudo cvlan route offer 10.20.0.0/16\n  sudo cvlan route offer 10.20.0.0/16 fd12::/64 --network office",
		Args:    takesMore("PREFIX"),
	}
	c.RunE = o.asks(func(ctx context.Context, args []string) error {
		if _, err := prefixArgs(args); err != nil {
			return err
		}
		return o.reoffer(ctx, func(have []string) ([]string, error) {
			for _, a := range args {
				if a = canonical(a); !slices.Contains(have, a) {
					have = append(have, a)
				}
			}
			return have, nil
		}, args)
	})
	o.networkFlag(c, "to whom, by name or identifier of the network")
	o.flags(c, 10*time.Second, "networks.offers.prefix")
	return c
}

func newRouteWithdraw(env *Env) *cobra.Command {
	o := &talk{Env: env}
	c := &cobra.Command{
		Use:   "withdraw PREFIX...",
		Short: "Offer networks behind this machine no more",
		Long: "withdraw takes back what offer has offered: packets are passed on no more, at once, and what the machine was changed for is turned back. It needs the " +
			"rights of an operator.",
		Example: "  sudo cvlan route withdraw 10.20.0.0/16\n  sudo cvlan route withdraw 10.20.0.0/16 --network office",
		Args:    takesMore("PREFIX"),
	}
	c.RunE = o.asks(func(ctx context.Context, args []string) error {
		if _, err := prefixArgs(args); err != nil {
			return err
		}
		return o.reoffer(ctx, func(have []string) ([]string, error) {
			for _, a := range args {
				i := slices.Index(have, canonical(a))
				if i < 0 {
					return nil, &iox.Error{Exit: iox.NotFound, What: "withdraw " + a, Why: "this machine does not offer it", Hint: "see what it does: cvlan route list"}
				}
				have = slices.Delete(have, i, i+1)
			}
			return have, nil
		}, nil)
	})
	o.networkFlag(c, "in which network, by name or identifier")
	o.flags(c, 10*time.Second, "networks.offers.prefix")
	return c
}

// canonical is a prefix as the daemon writes it; what is none stays as it is, for the daemon to refuse.
func canonical(s string) string {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()).String()
	}
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.String()
	}
	return s
}

// offering has a refusal speak of what was to be offered: which setting that is concerns nobody.
func offering(err error, words []string) error {
	if refused, ok := errors.AsType[*local.Error](err); ok && len(words) > 0 && refused.Code == local.CodeInvalid {
		refused.Title = "offer " + strings.Join(words, ", ")
	}
	return err
}

// reoffer changes what is offered, and shows what has come of it.
func (t *talk) reoffer(ctx context.Context, change func([]string) ([]string, error), await []string) error {
	all, err := t.narrowed(ctx)
	if err != nil {
		return offering(err, await)
	}
	var have []string
	for _, s := range all {
		if s.Key == routesKey && s.Set {
			have = strings.Split(s.Value, ",")
		}
	}
	want, err := change(have)
	if err != nil {
		return err
	}
	value := local.DefaultValue
	if len(want) > 0 {
		value = strings.Join(want, ",")
	}
	done, err := t.client.Set(ctx, local.SetRequest{Network: t.network, Values: map[string]string{routesKey: value}})
	if err != nil {
		return offering(err, await)
	}
	if len(done.Settings) == 1 {
		t.network = done.Settings[0].Network
	}
	want, await = spelled(want), spelled(await)
	s, err := t.decided(ctx, want, len(await) > 0)
	if err != nil {
		return err
	}
	for _, n := range s.Networks {
		for _, o := range n.Offers {
			if p := o.Prefix.String(); o.Fault != "" && !o.Approved && o.Prefix.Bits() > 0 && slices.ContainsFunc(await, func(a string) bool { return canonical(a) == p }) {
				return &iox.Error{Exit: iox.Invalid, What: "offer " + p, Why: iox.Clean(o.Fault), Hint: "take it back: sudo cvlan route withdraw " + p}
			}
		}
	}
	r := shownRoutes(s)
	for i := range r.Networks {
		r.Networks[i].Routes = []local.PeerRoute{}
	}
	return t.out.Write(t.IO, r, func() { t.printOffers(s, await) })
}

// approvalWithin is how long a rule of the policy may take to approve.
const approvalWithin = 1500 * time.Millisecond

// decided waits a moment until the daemon offers what is wanted, and for what a rule may approve; it returns the state.
func (t *talk) decided(ctx context.Context, want []string, approval bool) (s local.Status, err error) {
	brief, cancel := context.WithTimeout(ctx, approvalWithin)
	defer cancel()
	for s, err = range states(brief, t.client) {
		if brief.Err() != nil || err != nil {
			break
		}
		if s, err = only(s, t.network); err != nil {
			return s, err
		}
		if !slices.ContainsFunc(s.Networks, func(n local.Network) bool { return n.State == local.Up && !offers(n, want, approval) }) {
			return s, nil
		}
	}
	return t.status(ctx)
}

// offers reports whether a network is offered what is wanted and nothing else, and if asked whether all that can be is approved.
func offers(n local.Network, want []string, approved bool) bool {
	for _, o := range n.Offers {
		if !slices.Contains(want, o.Prefix.String()) || approved && !o.Approved && o.Fault == "" {
			return false
		}
	}
	return len(n.Offers) == len(want)
}

func (t *talk) printOffers(s local.Status, asked []string) {
	for _, n := range s.Networks {
		var waiting []string
		for _, o := range n.Offers {
			switch {
			case o.Fault != "" && !o.Approved:
				t.IO.Printf("%s: %s cannot be offered: %s", n.Name, offerName(o.Prefix.String()), iox.Clean(o.Fault))
			case o.Fault != "":
				t.IO.Printf("%s: %s is approved, and not passed on: %s", n.Name, offerName(o.Prefix.String()), iox.Clean(o.Fault))
			case o.Approved:
				t.IO.Printf("%s: %s is offered and approved", n.Name, offerName(o.Prefix.String()))
			default:
				t.IO.Printf("%s: %s is offered and waits for approval", n.Name, offerName(o.Prefix.String()))
				if o.Prefix.Bits() > 0 {
					waiting = append(waiting, o.Prefix.String())
				} else if !slices.Contains(waiting, exitWord) {
					waiting = append(waiting, exitWord)
				}
			}
		}
		if len(n.Offers) == 0 && len(asked) == 0 {
			t.IO.Printf("%s: this machine offers nothing", n.Name)
		}
		if len(n.Offers) == 0 && len(asked) > 0 {
			t.IO.Printf("%s: offered when the network is up: %s", n.Name, strings.Join(asked, ", "))
		}
		if len(waiting) > 0 {
			t.IO.Printf("An admin approves it: %s", fmt.Sprintf("cvlan admin route approve %s %s", n.Self.Name, strings.Join(waiting, " ")))
		}
	}
}
