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

// peerDoc is the JSON document of one peer.
type peerDoc struct {
	Schema int `json:"schema"`
	admin.PeerDetail
}

func newPeerList(s *session) *cobra.Command {
	var network string
	var out iox.Output
	c := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List peers", Long: "list shows the plain WireGuard peers of the tenant, or of one network.",
		Example: "  cvlan admin peer list --network office\n  cvlan admin peer list --template '{{range .peers}}{{.name}} {{end}}'",
		Args:    takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			return s.do(c, func(w *work) error {
				all, err := collect(func(p admin.Page) (admin.List[admin.Peer], error) {
					l, err := admin.Call(w, w.client, admin.ListPeers, admin.ListPeersIn{InTenant: w.InTenant, Page: p, Network: network})
					return l.Body, err
				})
				if err != nil {
					return err
				}
				doc := struct {
					Schema int          `json:"schema"`
					Peers  []admin.Peer `json:"peers"`
				}{adminSchema, all}
				return out.Write(s.IO, doc, func() { s.printPeers(all) })
			})
		},
	}
	c.Flags().StringVar(&network, "network", "", "only those of this network")
	outputFlags(c, &out)
	return c
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
	var out iox.Output
	c := &cobra.Command{
		Use: "show PEER", Short: "Show a peer", Long: "show shows a peer and what its configuration has to say of each of its nodes. Neither its private key nor its preshared key can be shown again.",
		Example: "  cvlan admin peer show phone\n  cvlan admin peer show phone.office --json",
		Args:    takes("PEER"),
		RunE: func(c *cobra.Command, args []string) error {
			return s.do(c, func(w *work) error {
				p, err := admin.Call(w, w.client, admin.GetPeer, w.peer(args[0]))
				if err != nil {
					return err
				}
				return out.Write(s.IO, peerDoc{adminSchema, p.Body}, func() { s.showPeer(p.Body) })
			})
		},
	}
	outputFlags(c, &out)
	return c
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
	var sure bool
	c := &cobra.Command{
		Use: "delete PEER", Short: "Remove a peer",
		Long:    "delete makes the peer's nodes forget it at once. Its configuration is worthless then.",
		Example: "  cvlan admin peer delete phone\n  cvlan admin peer delete phone.office --yes",
		Args:    takes("PEER"),
		RunE: func(c *cobra.Command, args []string) error {
			if !sure && !s.IO.Confirm("Remove the peer "+args[0]+"?") {
				return &iox.Error{Exit: iox.Interrupted, What: "nothing was removed"}
			}
			return s.do(c, func(w *work) error {
				_, err := admin.Call(w, w.client, admin.DeletePeer, admin.DeletePeerIn{OnePeerIn: w.peer(args[0])})
				if err == nil {
					s.IO.Printf("%s is removed", args[0])
				}
				return err
			})
		},
	}
	c.Flags().BoolVarP(&sure, "yes", "y", false, "do not ask")
	return c
}

func (w *work) peer(name string) admin.OnePeerIn {
	return admin.OnePeerIn{InTenant: w.InTenant, Peer: name}
}
