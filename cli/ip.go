package cli

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
)

type ipOptions struct {
	talk
	v4, v6 bool
}

func newIP(env *Env) *cobra.Command {
	o := &ipOptions{talk: talk{Env: env}}
	c := &cobra.Command{
		Use:     "ip [PEER]",
		Short:   "Print addresses of this machine or of a peer",
		Long:    "ip prints the overlay addresses of this machine, or of a peer named by its name, name.network, address or identifier, one a line.",
		Example: "  cvlan ip -4\n  ssh $(cvlan ip -4 db)",
		Args:    atMost(1),
	}
	c.RunE = o.asks(o.run)
	f := c.Flags()
	f.BoolVarP(&o.v4, "ipv4", "4", false, "only IPv4")
	f.BoolVarP(&o.v6, "ipv6", "6", false, "only IPv6")
	o.networkFlag(c, "only in this network, by name or identifier")
	exclusive(c, "ipv4", "ipv6")
	o.flags(c, 10*time.Second, "machines.addresses")
	return c
}

// found is a machine in a network, with the addresses that were asked for.
type found struct {
	Network   string       `json:"network"`
	Name      string       `json:"name"`
	ID        string       `json:"id"`
	Addresses []netip.Addr `json:"addresses"`
}

func (o *ipOptions) run(ctx context.Context, args []string) error {
	s, err := o.status(ctx)
	if err != nil {
		return err
	}
	who := "this machine"
	if len(args) == 1 {
		who = args[0]
	}
	all := o.find(s, args)
	if err := distinct(who, all, len(args) == 1); err != nil {
		return err
	}
	doc := struct {
		Schema   int     `json:"schema"`
		Machines []found `json:"machines"`
	}{local.Schema, all}
	return o.out.Write(o.IO, doc, func() {
		for _, m := range all {
			for _, a := range m.Addresses {
				o.IO.Printf("%s", a)
			}
		}
	})
}

// find returns this machine in each network, or every peer that the argument may mean.
func (o *ipOptions) find(s local.Status, args []string) (all []found) {
	for _, n := range s.Networks {
		nodes := []local.Node{n.Self}
		for _, p := range n.Peers {
			nodes = append(nodes, p.Node)
		}
		for i, m := range nodes {
			if len(args) == 0 && i == 0 || len(args) == 1 && names(args[0], n, m) {
				all = append(all, found{n.Name, m.Name, m.ID, o.family(m.Addresses)})
			}
		}
	}
	return all
}

// names reports whether a person may mean that machine.
func names(s string, n local.Network, m local.Node) bool {
	if s == m.ID || s == m.Name || s == m.Name+"."+n.Name || n.Domain != "" && strings.TrimSuffix(s, ".") == m.Name+"."+n.Domain {
		return true
	}
	a, err := netip.ParseAddr(s)
	for _, b := range m.Addresses {
		if err == nil && a == b {
			return true
		}
	}
	return false
}

func (o *ipOptions) family(all []netip.Addr) []netip.Addr {
	out := []netip.Addr{}
	for _, a := range all {
		if a.Is4() && !o.v6 || a.Is6() && !o.v4 {
			out = append(out, a)
		}
	}
	return out
}

// distinct refuses what names nobody, or several.
func distinct(who string, all []found, one bool) error {
	e := &iox.Error{Exit: iox.NotFound, What: "find " + who}
	addresses := 0
	for _, m := range all {
		addresses += len(m.Addresses)
	}
	switch {
	case len(all) == 0 && one:
		e.Why, e.Hint = "no peer has that name, address or identifier", "see which there are: cvlan peers"
	case len(all) == 0:
		e.Why, e.Hint = "it is in no network", "join one: sudo cvlan up --key-file FILE"
	case len(all) > 1 && one:
		var which []string
		for _, m := range all {
			which = append(which, m.Name+"."+m.Network)
		}
		e.Exit, e.Why, e.Hint = iox.Invalid, "several have that name", "say which one: "+strings.Join(which, ", ")
	case addresses == 0:
		e.Why = "it has no address of that family"
	default:
		return nil
	}
	return e
}
