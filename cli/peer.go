package cli

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cli/iox"
)

func newPeer(s *session) *cobra.Command {
	return nouns("peer", "Make devices without an agent peers of nodes",
		"A peer is a plain WireGuard device, such as a phone or a router, that runs no agent. It may speak with the nodes that are named for it "+
			"and with nobody else. It is named by its identifier, by name.network, or by its name if only one peer of the tenant has it.",
		"  cvlan admin peer create phone --network office --node web-1 --export wg-quick --out phone.conf\n  cvlan admin peer list",
		newPeerCreate(s), newPeerList(s), newPeerShow(s), newPeerDelete(s))
}

func newPeerList(s *session) *cobra.Command {
	var network string
	c := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List peers", Long: "list shows the plain WireGuard peers of the tenant, or of one network.",
		Example: "  cvlan admin peer list --network office\n  cvlan admin peer list --template '{{range .peers}}{{.name}} {{end}}'",
		Args:    takes(),
	}
	c.Flags().StringVar(&network, "network", "", "only those of this network")
	return s.tells(c, func(w *work, _ []string) error {
		all, err := everyOf(w, admin.ListPeers, func(p admin.Page) admin.ListPeersIn {
			return admin.ListPeersIn{InTenant: w.InTenant, Page: p, Network: network}
		})
		if err != nil {
			return err
		}
		return w.list("peers", all, func() { s.printPeers(all) })
	}, "peers.id")
}

func (s *session) printPeers(all []admin.Peer) {
	if len(all) == 0 {
		s.IO.Notef("There is no plain WireGuard peer. Make one with: cvlan admin peer create NAME --network NETWORK --node NODE --export wg-quick --out FILE")
		return
	}
	t := iox.Table{Heads: []string{"PEER", "NETWORK", "ADDRESS", "NODES", "ENDPOINT", "ID"}}
	for _, p := range all {
		t.Row(iox.Cell(iox.Bold, p.Name), p.NetworkName, first(p.Addresses), peerNodes(p), peerEndpoint(p), p.ID.String())
	}
	t.Print(s.IO)
}

// peerNodes says who may speak with a peer.
func peerNodes(p admin.Peer) any {
	if len(p.Nodes) == 0 {
		return iox.Cell(iox.Amber, "none")
	}
	names := make([]string, len(p.Nodes))
	for i, n := range p.Nodes {
		names[i] = n.Name
	}
	return strings.Join(names, ", ")
}

func peerEndpoint(p admin.Peer) string {
	if !p.Endpoint.IsValid() {
		return ""
	}
	return p.Endpoint.String()
}

func newPeerShow(s *session) *cobra.Command {
	return s.tells(&cobra.Command{
		Use: "show PEER", Short: "Show a peer", Long: "show shows a peer and what its configuration has to say of each of its nodes. Neither its private key nor its preshared key can be shown again.",
		Example: "  cvlan admin peer show phone\n  cvlan admin peer show phone.office --json",
		Args:    takes("PEER"),
	}, func(w *work, args []string) error {
		p, err := admin.Call(w, w.client, admin.GetPeer, w.peer(args[0]))
		if err != nil {
			return err
		}
		return w.show(p.Body, func() { s.showPeer(p.Body) })
	}, "id")
}

func (s *session) showPeer(p admin.PeerDetail) {
	t := iox.Table{}
	t.Row("peer", p.Name+" ("+p.ID.String()+")")
	t.Row("network", p.NetworkName+" ("+p.Network.String()+")")
	t.Row("addresses", addresses(p.Addresses))
	t.Row("endpoint", peerEndpoint(p.Peer))
	if p.Keepalive > 0 {
		t.Row("keepalive", "every "+strconv.Itoa(p.Keepalive)+"s, from its nodes")
	}
	t.Row("public key", p.Key)
	t.Row("preshared key", yes(p.Preshared))
	t.Row("made", strings.TrimSpace(iox.Ago(s.Now(), p.Created)+" by "+p.CreatedBy))
	if len(p.Ends) == 0 {
		t.Row("nodes", iox.Cell(iox.Amber, "none: it reaches nobody"))
	}
	t.Print(s.IO)
	if len(p.Ends) == 0 {
		return
	}
	s.IO.Printf("")
	nodes := iox.Table{Heads: []string{"NODE", "ADDRESSES", "ENDPOINT", "PUBLIC KEY"}}
	for _, e := range p.Ends {
		where, _ := reach(e)
		text := ""
		if where.IsValid() {
			text = where.String()
		}
		nodes.Row(iox.Cell(iox.Bold, e.Name), addresses(e.Addresses), text, e.Key)
	}
	nodes.Print(s.IO)
}

func newPeerDelete(s *session) *cobra.Command {
	return s.ends(&cobra.Command{
		Use: "delete PEER", Short: "Remove a peer",
		Long:    "delete makes the peer's nodes forget it at once. Its configuration is worthless then.",
		Example: "  cvlan admin peer delete phone\n  cvlan admin peer delete phone.office --yes",
		Args:    takes("PEER"),
	}, "Remove the peer", "removed", func(w *work, name string) error {
		return one(w, w.client, admin.DeletePeer, admin.DeletePeerIn{OnePeerIn: w.peer(name)})
	})
}

func (w *work) peer(name string) admin.OnePeerIn {
	return admin.OnePeerIn{InTenant: w.InTenant, Peer: name}
}
