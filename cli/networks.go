package cli

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
)

func newNetworksHere(env *Env) *cobra.Command {
	return nouns("network", "Show and choose the networks of this machine",
		"A machine may be in several networks at once, of several controllers; each has an interface of its own. To make networks, see cvlan admin network.",
		"  cvlan network list\n  sudo cvlan network use office", newNetworksList(env), newNetworksUse(env))
}

func newNetworksList(env *Env) *cobra.Command {
	o := &talk{Env: env}
	c := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the networks that this machine is in", Long: "list shows every network that this machine has joined, those that are switched off too.",
		Example: "  cvlan network list\n  cvlan network list --template '{{range .networks}}{{.name}} {{.state}};{{end}}'",
		Args:    takes(),
		RunE: o.asks(func(ctx context.Context, _ []string) error {
			s, err := o.client.Status(ctx)
			if err != nil {
				return err
			}
			l := memberships{Schema: local.Schema, Networks: []membership{}}
			for _, n := range s.Networks {
				l.Networks = append(l.Networks, membershipOf(n))
			}
			return o.out.Write(o.IO, l, func() { o.printMemberships(l.Networks) })
		}),
	}
	o.flags(c, 10*time.Second, "networks.id")
	return c
}

// memberships is what `cvlan network list` shows: a network without its peers.
type memberships struct {
	Schema   int          `json:"schema"`
	Networks []membership `json:"networks"`
}

type membership struct {
	ID         string         `json:"id"`
	Name       string         `json:"name"`
	Tenant     string         `json:"tenant"`
	State      local.State    `json:"state"`
	Problem    *local.Problem `json:"problem,omitempty"`
	Self       local.Node     `json:"self"`
	Interface  string         `json:"interface,omitempty"`
	Controller string         `json:"controller"`
	Online     int            `json:"peers_online"`
	Peers      int            `json:"peers"`
}

func membershipOf(n local.Network) membership {
	m := membership{ID: n.ID, Name: n.Name, Tenant: n.Tenant, State: n.State, Problem: n.Problem, Self: n.Self, Interface: n.Interface,
		Controller: n.Controller.Address, Peers: len(n.Peers)}
	for _, p := range n.Peers {
		if p.Online {
			m.Online++
		}
	}
	return m
}

func (t *talk) printMemberships(all []membership) {
	if len(all) == 0 {
		t.IO.Notef("This machine is in no network yet. Join one with: sudo cvlan up --key-file FILE")
		return
	}
	table := iox.Table{Heads: []string{"NETWORK", "TENANT", "STATE", "THIS MACHINE", "ADDRESSES", "PEERS ONLINE", "CONTROLLER"}}
	for _, m := range all {
		table.Row(iox.Cell(iox.Bold, either(m.Name, m.ID)), m.Tenant, iox.Cell(stateStyle(m.State), string(m.State)), m.Self.Name, addresses(m.Self.Addresses),
			strconv.Itoa(m.Online)+" of "+strconv.Itoa(m.Peers), m.Controller)
	}
	table.Print(t.IO)
}

func newNetworksUse(env *Env) *cobra.Command {
	o := &talk{Env: env}
	c := &cobra.Command{
		Use:   "use NETWORK...",
		Short: "Switch these networks on and all others off",
		Long: "use switches on the networks that are named, waits until they are connected, and switches off all others. To switch one on or off and leave the others alone, " +
			"use cvlan up --network or cvlan down --network. It needs the rights of an operator.",
		Example: "  sudo cvlan network use office\n  sudo cvlan network use office plant",
		Args:    takesMore("NETWORK"),
		RunE:    o.asks(func(ctx context.Context, args []string) error { return o.use(ctx, args) }),
	}
	timeoutFlag(c, &o.timeout, 30*time.Second, "how long to wait for the connection")
	outputFlags(c, &o.out)
	completesArgs(c, true, env.networkNames)
	return c
}

// use brings up what is named before it takes anything down: whoever misspells a network keeps those that run.
func (t *talk) use(ctx context.Context, wanted []string) error {
	progress := t.progress(ctx, "connecting")
	defer progress.stop()
	s, err := t.client.Status(ctx)
	if err != nil {
		return err
	}
	var on []local.Network
	for _, w := range wanted {
		one, err := only(s, w)
		if err != nil {
			return err
		}
		on = append(on, one.Networks...)
	}
	for _, n := range on {
		if _, err := t.client.Up(ctx, local.UpRequest{Network: n.ID}); err != nil {
			return err
		}
	}
	if on, err = settle(ctx, t.client, on); err != nil {
		return err
	}
	for _, n := range s.Networks {
		if n.State == local.Down || slices.ContainsFunc(on, func(o local.Network) bool { return o.ID == n.ID }) {
			continue
		}
		if _, err := t.client.Down(ctx, local.DownRequest{Network: n.ID}); err != nil {
			return err
		}
	}
	if s, err = t.client.Status(ctx); err != nil {
		return err
	}
	progress.stop()
	return t.out.Write(t.IO, local.Networks{Schema: local.Schema, Networks: s.Networks}, func() {
		for _, n := range s.Networks {
			t.IO.Printf("%s is %s", either(n.Name, n.ID), string(n.State))
		}
	})
}
