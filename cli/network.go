package cli

import (
	"net/netip"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cli/iox"
)

func newNetwork(s *session) *cobra.Command {
	return nouns("network", "Make and change networks",
		"A network is an IPv4 and an IPv6 range of a tenant, and a policy for who may reach whom in it; see cvlan policy.",
		"  cvlan admin network create office\n  cvlan admin network list",
		newNetworkCreate(s), newNetworkList(s), newNetworkShow(s), newNetworkOpen(s, true), newNetworkOpen(s, false), newNetworkSet(s), newNetworkDelete(s))
}

func newNetworkCreate(s *session) *cobra.Command {
	var want admin.NewNetwork
	var range4, range6 string
	var yes bool
	c := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a network",
		Long: "create makes a network in which everybody may reach everybody, or with --closed one where nothing passes until its policy allows it. " +
			"Without ranges it gets free ones of 10.0.0.0/8 and fd00::/8. A range that is not private hides from the network's machines whoever has it on the internet: " +
			"create asks before it takes one.",
		Example: "  cvlan admin network create office\n  cvlan admin network create plant --range4 10.77.0.0/16 --closed",
		Args:    takes("NAME"),
		PreRunE: func(c *cobra.Command, _ []string) (err error) {
			if want.Range4, err = asRange(c, "--range4", range4); err == nil {
				want.Range6, err = asRange(c, "--range6", range6)
			}
			return err
		},
	}
	c.Flags().StringVar(&range4, "range4", "", "IPv4 range")
	c.Flags().StringVar(&range6, "range6", "", "IPv6 range")
	c.Flags().BoolVar(&want.Closed, "closed", false, "start with a policy that lets nothing pass")
	yesFlag(c, &yes)
	return s.tells(c, func(w *work, args []string) error {
		want.Name = args[0]
		for _, p := range []netip.Prefix{want.Range4, want.Range6} {
			if !p.IsValid() || isPrivate(p) {
				continue
			}
			s.IO.Notef("%s is not a private range: machines in the network will not reach who has it on the internet.", p)
			if !yes && !s.IO.Confirm("Create the network all the same?") {
				return &iox.Error{Exit: iox.Interrupted, What: "nothing was created"}
			}
		}
		n, err := admin.Call(w, w.client, admin.CreateNetwork, admin.CreateNetworkIn{InTenant: w.InTenant, Body: want})
		if err != nil {
			return err
		}
		return w.show(n.Body, func() {
			printNetworks(s.IO, []admin.Network{n.Body})
			s.IO.Notef("\nNext: cvlan admin key create --network %s        a key for the first machine", n.Body.Name)
		})
	}, "id")
}

// privateRanges are those that nobody has on the internet: of RFC 1918, carriers' own (RFC 6598), and unique local ones (RFC 4193).
var privateRanges = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("fc00::/7"),
}

func isPrivate(p netip.Prefix) bool {
	return slices.ContainsFunc(privateRanges, func(all netip.Prefix) bool { return all.Bits() <= p.Bits() && all.Contains(p.Addr()) })
}

// asRange reads a range of addresses; "" is none.
func asRange(c *cobra.Command, flag, text string) (netip.Prefix, error) {
	if text == "" {
		return netip.Prefix{}, nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, usage(c, flag+" "+quoted(text)+": want a range like 10.77.0.0/16 or fd5c:1a7e:9b02::/64")
	}
	return p, nil
}

func newNetworkList(s *session) *cobra.Command {
	return s.tells(&cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List networks", Long: "list shows every network of the tenant.",
		Example: "  cvlan admin network list\n  cvlan admin network list --tenant acme --json",
		Args:    takes(),
	}, func(w *work, _ []string) error {
		all, err := everyOf(w, admin.ListNetworks, func(p admin.Page) admin.ListNetworksIn { return admin.ListNetworksIn{InTenant: w.InTenant, Page: p} })
		if err != nil {
			return err
		}
		return w.list("networks", all, func() {
			if len(all) == 0 {
				s.IO.Notef("There is no network yet. Create one with: cvlan admin network create NAME")
				return
			}
			printNetworks(s.IO, all)
		})
	}, "networks.id")
}

func newNetworkShow(s *session) *cobra.Command {
	return s.tells(&cobra.Command{
		Use: "show NETWORK", Short: "Show a network", Long: "show shows a network, named by name or identifier.",
		Example: "  cvlan admin network show office\n  cvlan admin network show office --template '{{.range4}}'",
		Args:    takes("NETWORK"),
	}, func(w *work, args []string) error {
		n, err := admin.Call(w, w.client, admin.GetNetwork, w.network(args[0]))
		if err != nil {
			return err
		}
		return w.show(n.Body, func() { s.showNetwork(n.Body) })
	}, "id")
}

func (s *session) showNetwork(n admin.Network) {
	t := iox.Table{}
	t.Row("network", n.Name+" ("+n.ID.String()+")")
	t.Row("IPv4", prefix(n.Range4))
	t.Row("IPv6", prefix(n.Range6))
	t.Row("access", access(n))
	t.Row("protocol", string(n.Protocol))
	t.Row("policy", strconv.FormatUint(n.Policy, 10))
	t.Row("nodes", strconv.Itoa(n.Nodes))
	t.Row("made", iox.Ago(s.Now(), n.Created))
	t.Print(s.IO)
}

func newNetworkOpen(s *session, open bool) *cobra.Command {
	verb, short, want := "open", "Let everybody in a network reach everybody", admin.Open
	long := "open replaces the network's policy by the one that a new network begins with: everybody may reach everybody. "
	if !open {
		verb, short, want = "close", "Let nothing pass", admin.Closed
		long = "close replaces the network's policy by one that lets nothing pass. Tunnels end; nodes stay joined. "
	}
	var sure bool
	c := &cobra.Command{
		Use: verb + " NETWORK", Short: short, Long: long + "The policy before stays in the history; a policy that somebody has written is replaced only after a question.",
		Example: "  cvlan admin network " + verb + " office\n  cvlan admin network " + verb + " office --tenant acme",
		Args:    takes("NETWORK"),
	}
	yesFlag(c, &sure)
	return s.tells(c, func(w *work, args []string) error {
		was, err := admin.Call(w, w.client, admin.GetNetwork, w.network(args[0]))
		if err != nil {
			return err
		}
		if was.Body.Access == admin.Custom && !sure && !s.IO.Confirm("Replace policy "+strconv.FormatUint(was.Body.Policy, 10)+" of "+was.Body.Name+"?") {
			return &iox.Error{Exit: iox.Interrupted, What: "the policy stays as it is"}
		}
		in := admin.SetAccessIn{OneNetworkIn: w.network(args[0]), IfMatch: admin.IfMatch{IfMatch: was.ETag}, Body: admin.NewAccess{Access: want}}
		n, err := admin.Call(w, w.client, admin.SetAccess, in)
		if err != nil {
			return err
		}
		return w.show(n.Body, func() { s.IO.Printf("%s is %s", n.Body.Name, access(n.Body)) })
	}, "id")
}

func newNetworkSet(s *session) *cobra.Command {
	var protocol string
	c := &cobra.Command{
		Use: "set NETWORK --protocol PROTOCOL", Short: "Say what a network's nodes speak",
		Long: "set says what two nodes of a network speak that could speak either WireGuard or IPsec: wireguard, ipsec, or any, which leaves it to what they " +
			"prefer (cvlan set protocol). Both ends of each pair move at the same time and lose no packet. A rule that requires IPsec goes before, and a " +
			"node that speaks one protocol only is spoken with in that.",
		Example: "  cvlan admin network set office --protocol ipsec\n  cvlan admin network set office --protocol any",
		Args:    takes("NETWORK"),
		PreRunE: func(c *cobra.Command, _ []string) error {
			if to := admin.Protocol(protocol); to != admin.AnyProtocol && to != admin.WireGuardProtocol && to != admin.IPsecProtocol {
				return usage(c, "--protocol "+quoted(protocol)+": want wireguard, ipsec or any")
			}
			return nil
		},
	}
	c.Flags().StringVar(&protocol, "protocol", "", "wireguard, ipsec or any")
	needs(c, "protocol")
	return s.tells(c, func(w *work, args []string) error {
		n, err := admin.Call(w, w.client, admin.ChangeNetwork, admin.ChangeNetworkIn{OneNetworkIn: w.network(args[0]), Body: admin.NetworkChange{Protocol: admin.Protocol(protocol)}})
		if err != nil {
			return err
		}
		return w.show(n.Body, func() { s.IO.Printf("nodes of %s speak %s", n.Body.Name, speaks(n.Body.Protocol)) })
	}, "id")
}

// speaks says in words what a network's nodes speak.
func speaks(p admin.Protocol) string {
	if p == admin.AnyProtocol {
		return "what they prefer"
	}
	return string(p) + ", where both can"
}

func newNetworkDelete(s *session) *cobra.Command {
	return s.ends(&cobra.Command{
		Use: "delete NETWORK", Short: "Delete a network without nodes", Long: "delete deletes a network. It is refused while the network has nodes.",
		Example: "  cvlan admin network delete office\n  cvlan admin network delete office --yes",
		Args:    takes("NETWORK"),
	}, "Delete the network", "deleted", func(w *work, name string) error {
		return one(w, w.client, admin.DeleteNetwork, admin.DeleteNetworkIn{OneNetworkIn: w.network(name)})
	})
}

func (w *work) network(name string) admin.OneNetworkIn {
	return admin.OneNetworkIn{InTenant: w.InTenant, Network: name}
}

func printNetworks(o *iox.IO, all []admin.Network) {
	t := iox.Table{Heads: []string{"NETWORK", "IPV4", "IPV6", "ACCESS", "NODES"}}
	for _, n := range all {
		t.Row(iox.Cell(iox.Bold, n.Name), prefix(n.Range4), prefix(n.Range6), access(n), strconv.Itoa(n.Nodes))
	}
	t.Print(o)
}

func prefix(p netip.Prefix) string {
	if !p.IsValid() {
		return ""
	}
	return p.String()
}

// access says what a network's policy is.
func access(n admin.Network) string {
	switch n.Access {
	case admin.Open:
		return "open: everybody may reach everybody"
	case admin.Closed:
		return "closed: nothing passes"
	default:
		return "policy " + strconv.FormatUint(n.Policy, 10)
	}
}
