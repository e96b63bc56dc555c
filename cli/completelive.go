package cli

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
)

// A command's usage line says what its arguments are, so it also says what completes them: "approve NODE" takes the name of a node. What is
// asked for under admin and policy the controller knows, else the daemon.

// completeAll gives every command of the tree completion that has none of its own.
func (e *Env) completeAll(root *cobra.Command) {
	for _, c := range root.Commands() {
		e.completeAll(c)
		remote := askedOfController(c)
		if c.ValidArgsFunction == nil && c.ValidArgs == nil {
			if from := e.sources(c, remote); from != nil {
				completesArgs(c, false, from...)
			}
		}
		for flag, from := range e.flagSources(remote) {
			if c.Flags().Lookup(flag) == nil {
				continue
			}
			if _, has := c.GetFlagCompletionFunc(flag); !has {
				completes(c, flag, from)
			}
		}
	}
}

// askedOfController reports whether a command talks to the controller: it then stands where --profile is. The log of denials is the daemon's.
func askedOfController(c *cobra.Command) bool {
	return c.InheritedFlags().Lookup("profile") != nil && c.CommandPath() != "cvlan policy log"
}

func (e *Env) flagSources(remote bool) map[string]nameSource {
	if remote {
		return map[string]nameSource{"network": e.listed(networks), "node": e.listed(nodes), "user": e.listed(users), "group": e.listed(groups), "tenant": e.listed(tenants), "profile": (&session{Env: e}).profileNames}
	}
	return map[string]nameSource{"network": e.networkNames, "check": fixed("ready", "healthy"), "transport": fixed("auto", "quic", "tcp")}
}

// sources are those of a command's arguments; nil: there is none that could be completed.
func (e *Env) sources(c *cobra.Command, remote bool) (all []nameSource) {
	words := strings.Fields(c.Use)[1:]
	for _, w := range words {
		from := e.source(c, strings.Trim(w, "[]."), remote)
		if from == nil {
			break
		}
		all = append(all, from)
	}
	return all
}

func (e *Env) source(c *cobra.Command, word string, remote bool) nameSource {
	switch {
	case strings.HasPrefix(c.Use, "create ") || strings.HasPrefix(c.Use, "issue "):
		return nil // a new name
	case (word == "PEER" || strings.HasPrefix(c.Use, "query ")) && !remote:
		return e.peerNames
	case word == "EXIT" && !remote:
		return e.exitNames
	case !remote:
		return nil
	}
	switch word {
	case "NETWORK":
		return e.listed(networks)
	case "NODE":
		return e.listed(nodes)
	case "PEER":
		return e.listed(plainPeers)
	case "LOGIN":
		return e.listed(users)
	case "GROUP":
		return e.listed(groups)
	case "RELAY":
		return e.listed(relays)
	case "NUMBER":
		return e.listed(policies)
	case "KEY":
		if c.Parent().Name() == "api-key" {
			return e.listed(apiKeys)
		}
		return e.listed(joinKeys)
	}
	return nil
}

// listed is a source that the controller knows. Without a login, without an answer in time, or without the right to ask there are no names.
func (e *Env) listed(list func(*work) ([]string, error)) nameSource {
	return func(ctx context.Context, c *cobra.Command) (names []string) {
		s := &session{Env: e}
		s.profile, _ = c.Flags().GetString("profile")
		s.keyFile, _ = c.Flags().GetString("admin-key-file")
		s.tenant, _ = c.Flags().GetString("tenant")
		t, tenant, err := s.ticket()
		if err != nil {
			return nil
		}
		w := &work{Context: ctx, session: s, client: admin.NewClient(t), InTenant: admin.InTenant{Tenant: tenant}}
		defer w.client.Close()
		if network, err := c.Flags().GetString("network"); err == nil {
			w.narrow = network
		}
		names, _ = list(w)
		return names
	}
}

// mostNames bounds what is fetched to complete a word.
const mostNames = 500

var somePage = admin.Page{Limit: mostNames}

func tabbed[T any](l admin.List[T], err error, name func(T) (name, what string)) (all []string, _ error) {
	for _, item := range l.Items {
		n, what := name(item)
		all = append(all, n+"\t"+what)
	}
	return all, err
}

func networks(w *work) ([]string, error) {
	l, err := admin.Call(w, w.client, admin.ListNetworks, admin.ListNetworksIn{InTenant: w.InTenant, Page: somePage})
	return tabbed(l.Body, err, func(n admin.Network) (string, string) { return n.Name, prefix(n.Range4) })
}

func nodes(w *work) ([]string, error) {
	l, err := admin.Call(w, w.client, admin.ListNodes, admin.ListNodesIn{InTenant: w.InTenant, Page: somePage, Network: w.narrow})
	return tabbed(l.Body, err, func(n admin.Node) (string, string) { return n.Name, n.NetworkName + " " + first(n.Addresses) })
}

func plainPeers(w *work) ([]string, error) {
	l, err := admin.Call(w, w.client, admin.ListPeers, admin.ListPeersIn{InTenant: w.InTenant, Page: somePage, Network: w.narrow})
	return tabbed(l.Body, err, func(p admin.Peer) (string, string) { return p.Name, p.NetworkName })
}

func users(w *work) ([]string, error) {
	l, err := admin.Call(w, w.client, admin.ListUsers, admin.ListUsersIn{InTenant: w.InTenant, Page: somePage})
	return tabbed(l.Body, err, func(u admin.User) (string, string) { return u.Login, string(u.Role) })
}

func groups(w *work) ([]string, error) {
	l, err := admin.Call(w, w.client, admin.ListGroups, admin.ListGroupsIn{InTenant: w.InTenant, Page: somePage})
	return tabbed(l.Body, err, func(g admin.Group) (string, string) { return g.Name, count(g.Members, "member") })
}

func tenants(w *work) ([]string, error) {
	l, err := admin.Call(w, w.client, admin.ListTenants, somePage)
	return tabbed(l.Body, err, func(t admin.Tenant) (string, string) { return t.Name, "" })
}

func relays(w *work) ([]string, error) {
	l, err := admin.Call(w, w.client, admin.ListRelays, somePage)
	return tabbed(l.Body, err, func(r admin.Relay) (string, string) { return r.Name, r.Region })
}

func joinKeys(w *work) ([]string, error) {
	l, err := admin.Call(w, w.client, admin.ListJoinKeys, admin.ListJoinKeysIn{InTenant: w.InTenant, Page: somePage})
	return tabbed(l.Body, err, func(k admin.JoinKey) (string, string) { return k.ID.String(), k.NetworkName + " " + k.State })
}

func apiKeys(w *work) ([]string, error) {
	l, err := admin.Call(w, w.client, admin.ListAPIKeys, admin.ListAPIKeysIn{InTenant: w.InTenant, Page: somePage})
	return tabbed(l.Body, err, func(k admin.APIKey) (string, string) { return k.ID.String(), k.Name + " " + k.State })
}

// policies are the versions of the network that is named, or the only one.
func policies(w *work) ([]string, error) {
	o := policyTalk{session: w.session, network: w.narrow}
	name, err := o.chosen(w)
	if err != nil {
		return nil, err
	}
	l, err := admin.Call(w, w.client, admin.ListPolicies, admin.ListPoliciesIn{OneNetworkIn: w.network(name), Page: admin.Page{Limit: 50}})
	return tabbed(l.Body, err, func(v admin.PolicyVersion) (string, string) {
		return strconv.FormatUint(v.Number, 10), v.Author + " " + v.Comment
	})
}
