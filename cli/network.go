package cli

import (
	"net/netip"
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

// networkDoc is the JSON document of one network.
type networkDoc struct {
	Schema int `json:"schema"`
	admin.Network
}

func newNetworkCreate(s *session) *cobra.Command {
	var range4, range6 string
	var closed bool
	var out iox.Output
	c := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a network",
		Long: "create makes a network in which everybody may reach everybody, or with --closed one where nothing passes until its policy allows it. " +
			"Without ranges it gets free ones of 10.0.0.0/8 and fd00::/8.",
		Example: "  cvlan admin network create office\n  cvlan admin network create plant --range4 10.77.0.0/16 --closed",
		Args:    takes("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			want := admin.NewNetwork{Name: args[0], Closed: closed}
			for _, r := range []struct {
				flag, text string
				to         *netip.Prefix
			}{{"--range4", range4, &want.Range4}, {"--range6", range6, &want.Range6}} {
				p, err := netip.ParsePrefix(r.text)
				if r.text != "" && err != nil {
					return usage(c, r.flag+" "+quoted(r.text)+": want a range like 10.77.0.0/16 or fd5c:1a7e:9b02::/64")
				}
				*r.to = p
			}
			return s.do(c, func(w *work) error {
				n, err := admin.Call(w, w.client, admin.CreateNetwork, admin.CreateNetworkIn{InTenant: w.InTenant, Body: want})
				if err != nil {
					return err
				}
				return out.Write(s.IO, networkDoc{adminSchema, n.Body}, func() {
					printNetworks(s.IO, []admin.Network{n.Body})
					s.IO.Notef("\nNext: cvlan admin key create --network %s        a key for the first machine", n.Body.Name)
				})
			})
		},
	}
	c.Flags().StringVar(&range4, "range4", "", "IPv4 range")
	c.Flags().StringVar(&range6, "range6", "", "IPv6 range")
	c.Flags().BoolVar(&closed, "closed", false, "start with a policy that lets nothing pass")
	outputFlags(c, &out)
	return c
}

func newNetworkList(s *session) *cobra.Command {
	var out iox.Output
	c := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List networks", Long: "list shows every network of the tenant.",
		Example: "  cvlan admin network list\n  cvlan admin network list --tenant acme --json",
		Args:    takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			return s.do(c, func(w *work) error {
				all, err := collect(func(p admin.Page) (admin.List[admin.Network], error) {
					l, err := admin.Call(w, w.client, admin.ListNetworks, admin.ListNetworksIn{InTenant: w.InTenant, Page: p})
					return l.Body, err
				})
				if err != nil {
					return err
				}
				doc := struct {
					Schema   int             `json:"schema"`
					Networks []admin.Network `json:"networks"`
				}{adminSchema, all}
				return out.Write(s.IO, doc, func() {
					if len(all) == 0 {
						s.IO.Notef("There is no network yet. Create one with: cvlan admin network create NAME")
						return
					}
					printNetworks(s.IO, all)
				})
			})
		},
	}
	outputFlags(c, &out)
	return c
}

func newNetworkShow(s *session) *cobra.Command {
	var out iox.Output
	c := &cobra.Command{
		Use: "show NETWORK", Short: "Show a network", Long: "show shows a network, named by name or identifier.",
		Example: "  cvlan admin network show office\n  cvlan admin network show office --template '{{.range4}}'",
		Args:    takes("NETWORK"),
		RunE: func(c *cobra.Command, args []string) error {
			return s.do(c, func(w *work) error {
				n, err := admin.Call(w, w.client, admin.GetNetwork, w.network(args[0]))
				if err != nil {
					return err
				}
				return out.Write(s.IO, networkDoc{adminSchema, n.Body}, func() { s.showNetwork(n.Body) })
			})
		},
	}
	outputFlags(c, &out)
	return c
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
	var out iox.Output
	c := &cobra.Command{
		Use: verb + " NETWORK", Short: short, Long: long + "The policy before stays in the history; a policy that somebody has written is replaced only after a question.",
		Example: "  cvlan admin network " + verb + " office\n  cvlan admin network " + verb + " office --tenant acme",
		Args:    takes("NETWORK"),
		RunE: func(c *cobra.Command, args []string) error {
			return s.do(c, func(w *work) error {
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
				return out.Write(s.IO, networkDoc{adminSchema, n.Body}, func() { s.IO.Printf("%s is %s", n.Body.Name, access(n.Body)) })
			})
		},
	}
	c.Flags().BoolVarP(&sure, "yes", "y", false, "do not ask")
	outputFlags(c, &out)
	return c
}

func newNetworkSet(s *session) *cobra.Command {
	var protocol string
	var out iox.Output
	c := &cobra.Command{
		Use: "set NETWORK --protocol PROTOCOL", Short: "Say what a network's nodes speak",
		Long: "set says what two nodes of a network speak that could speak either WireGuard or IPsec: wireguard, ipsec, or any, which leaves it to what they " +
			"prefer (cvlan set protocol). Both ends of each pair move at the same time and lose no packet. A rule that requires IPsec goes before, and a " +
			"node that speaks one protocol only is spoken with in that.",
		Example: "  cvlan admin network set office --protocol ipsec\n  cvlan admin network set office --protocol any",
		Args:    takes("NETWORK"),
		RunE: func(c *cobra.Command, args []string) error {
			to := admin.Protocol(protocol)
			if to != admin.AnyProtocol && to != admin.WireGuardProtocol && to != admin.IPsecProtocol {
				return usage(c, "--protocol "+quoted(protocol)+": want wireguard, ipsec or any")
			}
			return s.do(c, func(w *work) error {
				n, err := admin.Call(w, w.client, admin.ChangeNetwork, admin.ChangeNetworkIn{OneNetworkIn: w.network(args[0]), Body: admin.NetworkChange{Protocol: to}})
				if err != nil {
					return err
				}
				return out.Write(s.IO, networkDoc{adminSchema, n.Body}, func() { s.IO.Printf("nodes of %s speak %s", n.Body.Name, speaks(n.Body.Protocol)) })
			})
		},
	}
	c.Flags().StringVar(&protocol, "protocol", "", "wireguard, ipsec or any")
	outputFlags(c, &out)
	return c
}

// speaks says in words what a network's nodes speak.
func speaks(p admin.Protocol) string {
	if p == admin.AnyProtocol {
		return "what they prefer"
	}
	return string(p) + ", where both can"
}

func newNetworkDelete(s *session) *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use: "delete NETWORK", Short: "Delete a network without nodes", Long: "delete deletes a network. It is refused while the network has nodes.",
		Example: "  cvlan admin network delete office\n  cvlan admin network delete office --yes",
		Args:    takes("NETWORK"),
		RunE: func(c *cobra.Command, args []string) error {
			if !yes && !s.IO.Confirm("Delete the network "+args[0]+"?") {
				return &iox.Error{Exit: iox.Interrupted, What: "nothing was deleted"}
			}
			return s.do(c, func(w *work) error {
				_, err := admin.Call(w, w.client, admin.DeleteNetwork, admin.DeleteNetworkIn{OneNetworkIn: w.network(args[0])})
				if err == nil {
					s.IO.Printf("%s is deleted", args[0])
				}
				return err
			})
		},
	}
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return c
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
