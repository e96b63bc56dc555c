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

// somebody is a machine in a network, and whose it is.
type somebody struct {
	Network string `json:"network"`
	Tenant  string `json:"tenant,omitempty"`
	Self    bool   `json:"self"`             // it is this machine
	Behind  string `json:"behind,omitempty"` // the address is none of its own: it leads to this network
	local.Node
	Kind     string     `json:"kind,omitempty"`   // plain; absent: a node
	Online   *bool      `json:"online,omitempty"` // absent for this machine
	LastSeen *time.Time `json:"last_seen,omitempty"`
}

type somebodies struct {
	Schema   int        `json:"schema"`
	Machines []somebody `json:"machines"`
}

func newWhoamiHere(env *Env) *cobra.Command {
	o := &talk{Env: env}
	c := &cobra.Command{
		Use:     "whoami",
		Short:   "Show who this machine is to others",
		Long:    "whoami shows the name, the addresses, the owner and the key under which other machines know this one, for each of its networks.",
		Example: "  cvlan whoami\n  cvlan whoami --template '{{range .machines}}{{.name}}.{{.network}}{{end}}'",
		Args:    takes(),
		RunE: o.asks(func(ctx context.Context, _ []string) error {
			s, err := o.status(ctx)
			if err != nil {
				return err
			}
			if len(s.Networks) == 0 {
				return &iox.Error{Exit: iox.NeedsLogin, What: "tell who this machine is", Why: "it is in no network", Hint: "join one: sudo cvlan up --key-file FILE"}
			}
			return o.tellWho(everybody(s, func(_ local.Network, _ local.Node, self bool) bool { return self }))
		}),
	}
	o.networkFlag(c, "only in this network, by name or identifier")
	o.flags(c, 10*time.Second, "machines.id")
	return c
}

func newWhois(env *Env) *cobra.Command {
	o := &talk{Env: env}
	c := &cobra.Command{
		Use:   "whois ADDRESS|NAME",
		Short: "Show whose an address or a name is",
		Long: "whois shows which machine has an overlay address, with or without a port, or a name or identifier: whose it is, its tags, its network, and when it was " +
			"last there; of an address behind a machine, which machine leads to it. A service can ask it who is calling. It knows the machines that policy shows this one.",
		Example: "  cvlan whois 10.77.0.3\n  cvlan whois '[fd5c::3]:51234' --template '{{range .machines}}{{.user}}{{end}}'",
		Args:    takes("ADDRESS or NAME"),
		RunE: o.asks(func(ctx context.Context, args []string) error {
			s, err := o.status(ctx)
			if err != nil {
				return err
			}
			who := withoutPort(args[0])
			found := everybody(s, func(n local.Network, m local.Node, _ bool) bool { return names(who, n, m) })
			if len(found) == 0 {
				found = leading(s, who)
			}
			if len(found) == 0 {
				return &iox.Error{Exit: iox.NotFound, What: "find " + iox.Clean(who), Why: "no machine that policy shows this one has that address, name or identifier",
					Hint: "see which there are: cvlan peers"}
			}
			return o.tellWho(found)
		}),
	}
	o.networkFlag(c, "only in this network, by name or identifier")
	o.flags(c, 10*time.Second, "machines.id")
	completesArgs(c, false, env.peerNames)
	return c
}

// withoutPort takes the port off an address, as programs print whom they talk to.
func withoutPort(s string) string {
	if a, err := netip.ParseAddrPort(s); err == nil {
		return a.Addr().Unmap().String()
	}
	return s
}

// everybody returns the machines of all networks of whom want is true.
func everybody(s local.Status, want func(n local.Network, m local.Node, self bool) bool) (all []somebody) {
	for _, n := range s.Networks {
		if want(n, n.Self, true) {
			all = append(all, somebody{Network: n.Name, Tenant: n.Tenant, Self: true, Node: n.Self})
		}
		for _, p := range n.Peers {
			if want(n, p.Node, false) {
				all = append(all, somebody{Network: n.Name, Tenant: n.Tenant, Node: p.Node, Kind: p.Kind, Online: &p.Online, LastSeen: p.LastSeen})
			}
		}
	}
	return all
}

// leading returns the machines that lead to an address which is none of their own, in each network by the longest prefix.
func leading(s local.Status, who string) (all []somebody) {
	addr, err := netip.ParseAddr(who)
	if err != nil {
		return nil
	}
	for _, n := range s.Networks {
		best, router := netip.Prefix{}, ""
		for _, o := range n.Offers {
			if o.Approved && o.Prefix.Contains(addr) && (!best.IsValid() || o.Prefix.Bits() > best.Bits()) {
				best, router = o.Prefix, n.Self.Name
			}
		}
		for _, r := range n.Routes {
			if r.Prefix.Contains(addr) && (!best.IsValid() || r.Prefix.Bits() > best.Bits()) {
				best, router = r.Prefix, r.Router
			}
		}
		s := local.Status{Networks: []local.Network{n}}
		for _, m := range everybody(s, func(_ local.Network, m local.Node, _ bool) bool { return best.IsValid() && m.Name == router }) {
			m.Behind = best.String()
			all = append(all, m)
		}
	}
	return all
}

func (t *talk) tellWho(all []somebody) error {
	return t.out.Write(t.IO, somebodies{local.Schema, all}, func() {
		for i, m := range all {
			if i > 0 {
				t.IO.Printf("")
			}
			t.describe(m)
		}
	})
}

func (t *talk) describe(m somebody) {
	table := iox.Table{}
	name := m.Name
	if m.Self {
		name += " (this machine)"
	}
	table.Row("machine", iox.Cell(iox.Bold, name))
	if m.Behind != "" {
		table.Row("leads to", m.Behind)
	}
	table.Row("identifier", m.ID)
	network := m.Network
	if m.Tenant != "" {
		network += " of " + m.Tenant
	}
	table.Row("network", network)
	table.Row("addresses", addresses(m.Addresses))
	if m.User != "" {
		table.Row("owner", m.User)
	}
	if len(m.Tags) > 0 {
		table.Row("tags", strings.Join(m.Tags, ", "))
	}
	table.Row("key", m.Key)
	if m.Online != nil {
		table.Row("online", online(t.Now(), local.Peer{Kind: m.Kind, Online: *m.Online, LastSeen: m.LastSeen}))
	}
	table.Print(t.IO)
}
