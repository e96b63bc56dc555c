package cli

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cli/iox"
)

func newNode(s *session) *cobra.Command {
	return nouns("node", "Approve, suspend, rename, tag and remove nodes",
		"A node is a machine in a network. It is named by its identifier, by name.network, or by its name if only one node of the tenant has it.",
		"  cvlan admin node list\n  cvlan admin node approve web",
		newNodeList(s), newNodeShow(s), newNodeApprove(s), newNodeSuspend(s), newNodeRename(s), newNodeTag(s, true), newNodeTag(s, false), newNodeDelete(s))
}

func newNodeList(s *session) *cobra.Command {
	var network, user string
	var pending bool
	c := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List nodes", Long: "list shows the nodes of the tenant, or of one network.",
		Example: "  cvlan admin node list --network office\n  cvlan admin node list --pending --template '{{range .nodes}}{{.id}} {{end}}'",
		Args:    takes(),
	}
	c.Flags().StringVar(&network, "network", "", "only those of this network")
	c.Flags().StringVar(&user, "user", "", "only those of this user, by login")
	c.Flags().BoolVar(&pending, "pending", false, "only those that wait for approval")
	return s.tells(c, func(w *work, _ []string) error {
		all, err := everyOf(w, admin.ListNodes, func(p admin.Page) admin.ListNodesIn {
			return admin.ListNodesIn{InTenant: w.InTenant, Page: p, Network: network, Pending: pending, User: user}
		})
		if err != nil {
			return err
		}
		return w.list("nodes", all, func() { s.printNodes(all, pending) })
	}, "nodes.id")
}

func (s *session) printNodes(all []admin.Node, pending bool) {
	switch {
	case len(all) == 0 && pending:
		s.IO.Notef("No node waits for approval.")
		return
	case len(all) == 0:
		s.IO.Notef("There is no node yet. Make a key for one with: cvlan admin key create --network NAME")
		return
	}
	slices.SortFunc(all, func(a, b admin.Node) int {
		return cmp.Or(strings.Compare(a.NetworkName, b.NetworkName), strings.Compare(a.Name, b.Name))
	})
	t := iox.Table{Heads: []string{"NODE", "NETWORK", "ADDRESS", "STATE", "LAST SEEN", "USER", "TAGS", "ID"}}
	for _, n := range all {
		t.Row(iox.Cell(iox.Bold, n.Name), n.NetworkName, first(n.Addresses), nodeState(n), iox.Ago(s.Now(), n.LastSeen), n.User, strings.Join(n.Tags, ", "), n.ID.String())
	}
	t.Print(s.IO)
}

func nodeState(n admin.Node) any {
	switch {
	case n.Pending:
		return iox.Cell(iox.Amber, "waits for approval")
	case n.Online:
		return iox.Cell(iox.Green, "online")
	default:
		return iox.Cell(iox.Dim, "offline")
	}
}

func newNodeShow(s *session) *cobra.Command {
	return s.tells(&cobra.Command{
		Use: "show NODE", Short: "Show a node", Long: "show shows all that the controller knows of a node.",
		Example: "  cvlan admin node show web\n  cvlan admin node show web.office --json",
		Args:    takes("NODE"),
	}, func(w *work, args []string) error {
		n, err := admin.Call(w, w.client, admin.GetNode, w.node(args[0]))
		if err != nil {
			return err
		}
		return w.show(n.Body, func() { s.showNode(n.Body) })
	}, "id")
}

func (s *session) showNode(n admin.Node) {
	now := s.Now()
	t := iox.Table{}
	t.Row("node", n.Name+" ("+n.ID.String()+")")
	t.Row("network", n.NetworkName+" ("+n.Network.String()+")")
	t.Row("addresses", addresses(n.Addresses))
	t.Row("state", nodeState(n))
	t.Row("last seen", iox.Ago(now, n.LastSeen))
	t.Row("endpoints", strconv.Itoa(n.Endpoints))
	t.Row("user", n.User)
	t.Row("tags", strings.Join(n.Tags, ", "))
	for _, r := range n.Routes {
		t.Row("route", r.Prefix.String(), adminRouteState(asAdminRoute(&n, r)))
	}
	t.Row("ephemeral", yes(n.Ephemeral))
	t.Row("runs", strings.TrimSpace(n.Software+" "+n.OS))
	for _, name := range slices.Sorted(maps.Keys(n.Attributes)) {
		t.Row(name, n.Attributes[name])
	}
	t.Row("public key", n.Key)
	if !n.CertUntil.IsZero() {
		t.Row("certificate", iox.Ends(now, n.CertUntil))
	}
	t.Row("joined", strings.TrimSpace(iox.Ago(now, n.Created)+" with "+n.JoinedBy.String()))
	t.Print(s.IO)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func newNodeApprove(s *session) *cobra.Command {
	return s.tells(&cobra.Command{
		Use: "approve NODE", Short: "Let a node that waits take part", Long: "approve shows a node that joined with a key made with --approve, or was suspended, to the others, and the others to it.",
		Example: "  cvlan admin node approve web\n  cvlan admin node list --pending --template '{{range .nodes}}{{.id}} {{end}}' | xargs -n 1 cvlan admin node approve",
		Args:    takes("NODE"),
	}, func(w *work, args []string) error {
		before, unread := admin.Call(w, w.client, admin.GetNode, w.node(args[0])) // a key may approve and not read
		n, err := admin.Call(w, w.client, admin.ApproveNode, admin.ChangeNodeIn{OneNodeIn: w.node(args[0])})
		if err != nil {
			return err
		}
		return w.show(n.Body, func() { s.approved(n.Body, unread != nil || before.Body.Pending) })
	}, "id")
}

// approved says so, or that the node did not wait: another of a similar name may.
func (s *session) approved(n admin.Node, waited bool) {
	if waited {
		s.IO.Printf("%s is approved", n.Name)
		return
	}
	s.IO.Printf("%s is approved already", n.Name)
	s.IO.Notef("Which nodes wait: cvlan admin node list --pending")
}

func newNodeSuspend(s *session) *cobra.Command {
	return s.tells(&cobra.Command{
		Use: "suspend NODE", Short: "Let a node wait for approval again",
		Long: "suspend hides a node from the others, and the others from it, until it is approved: a laptop that may be lost, a server that may be broken into. " +
			"Tunnels with it end within two seconds wherever the controller reaches. It keeps its name, addresses, tags and owner.",
		Example: "  cvlan admin node suspend laptop\n  cvlan admin node approve laptop",
		Args:    takes("NODE"),
	}, func(w *work, args []string) error {
		n, err := admin.Call(w, w.client, admin.SuspendNode, admin.ChangeNodeIn{OneNodeIn: w.node(args[0])})
		if err != nil {
			return err
		}
		return w.show(n.Body, func() {
			s.IO.Printf("%s is suspended", n.Body.Name)
			s.IO.Notef("To let it in again: cvlan admin node approve %s", n.Body.Name)
		})
	}, "id")
}

func newNodeRename(s *session) *cobra.Command {
	return s.tells(&cobra.Command{
		Use: "rename NODE NAME", Short: "Give a node another name", Long: "rename gives a node another name, unique in its network. Tunnels go on.",
		Example: "  cvlan admin node rename web www\n  cvlan admin node rename n0c9k2v4m8q1xz db-7",
		Args:    takes("NODE", "NAME"),
	}, func(w *work, args []string) error {
		in := admin.RenameNodeIn{OneNodeIn: w.node(args[0]), Body: admin.NodeName{Name: args[1]}}
		n, err := admin.Call(w, w.client, admin.RenameNode, in)
		if err != nil {
			return err
		}
		return w.show(n.Body, func() { s.IO.Printf("%s is now %s", args[0], n.Body.Name) })
	}, "id")
}

func newNodeTag(s *session, add bool) *cobra.Command {
	verb, short := "tag", "Give tags to a node"
	long := "tag gives tags to a node. A tag says what a machine is for, and rules name it. While a node has a tag, policy knows it by its tags and not by " +
		"its user. A policy that uses a tag lists it in tagOwners. The prefix tag: may be left out."
	if !add {
		verb, short, long = "untag", "Take tags from a node", "untag takes tags from a node. Without a tag the node is its user's to policy again."
	}
	return s.tells(&cobra.Command{
		Use: verb + " NODE TAG...", Short: short, Long: long,
		Example: "  cvlan admin node " + verb + " web tag:server\n  cvlan admin node " + verb + " web.office server eu",
		Args:    takesMore("NODE", "TAG"),
	}, func(w *work, args []string) error {
		in := admin.TagNodeIn{Body: admin.TagChange{Add: args[1:]}}
		if !add {
			in.Body = admin.TagChange{Remove: args[1:]}
		}
		in.OneNodeIn = w.node(args[0])
		n, err := admin.Call(w, w.client, admin.TagNode, in)
		if err != nil {
			return err
		}
		return w.show(n.Body, func() {
			s.IO.Printf("%s %s", n.Body.Name, tagged(n.Body.Node))
			s.noteUnknown(n.Body.Unknown)
		})
	}, "id")
}

// noteUnknown says which tags no rule can mean.
func (s *session) noteUnknown(tags []string) {
	if len(tags) > 0 {
		s.IO.Notef("The policy does not know %s: no rule can mean it until its tagOwners list it. See: cvlan policy edit", strings.Join(tags, ", "))
	}
}

// tagged says whom policy takes a node for.
func tagged(n admin.Node) string {
	switch {
	case len(n.Tags) > 0:
		return "has " + strings.Join(n.Tags, ", ")
	case n.User != "":
		return "has no tag and is " + n.User + "'s"
	default:
		return "has no tag"
	}
}

func newNodeDelete(s *session) *cobra.Command {
	return s.ends(&cobra.Command{
		Use: "delete NODE", Short: "Remove a node from its network",
		Long:    "delete ends the node's session at once and makes every other node forget it. To come back the machine needs a join key.",
		Example: "  cvlan admin node delete web\n  cvlan admin node delete web.office --yes",
		Args:    takes("NODE"),
	}, "Remove the node", "removed", func(w *work, name string) error {
		return one(w, w.client, admin.DeleteNode, admin.ChangeNodeIn{OneNodeIn: w.node(name)})
	})
}

func (w *work) node(name string) admin.OneNodeIn {
	return admin.OneNodeIn{InTenant: w.InTenant, Node: name}
}
